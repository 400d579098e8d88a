"""Visual and audio backbones."""

from mmavs.models.backbones.pvt_v2 import PVTv2
from mmavs.models.backbones.vggish import VGGish

__all__ = ['PVTv2', 'VGGish']
