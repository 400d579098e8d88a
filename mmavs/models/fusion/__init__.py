"""Audio-visual fusion of one level."""

from mmavs.models.fusion.tpavi import TPAVI

__all__ = ['TPAVI']
