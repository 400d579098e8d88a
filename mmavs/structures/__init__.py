"""Typed seams between the parts of the model."""

from mmavs.structures.av_features import AVFeatures, LatentPath
from mmavs.structures.clip_batch import ClipBatch
from mmavs.structures.frame_labels import FrameLabels
from mmavs.structures.gaussian import DiagonalGaussian

__all__ = [
    'AVFeatures',
    'ClipBatch',
    'DiagonalGaussian',
    'FrameLabels',
    'LatentPath',
]
