"""Audio-visual fusion of one level."""

from mmavs.models.fusion.av_corr import AVCorr
from mmavs.models.fusion.tpavi import TPAVI

__all__ = ['AVCorr', 'TPAVI']
