"""Typed seams between the parts of the model."""

from mmavs.structures.av_features import (
    AVFeatures,
    CodeDraw,
    Distributions,
    LatentPath,
)
from mmavs.structures.clip_batch import ClipBatch
from mmavs.structures.clip_prediction import ClipPrediction
from mmavs.structures.frame_labels import FrameLabels
from mmavs.structures.gaussian import DiagonalGaussian
from mmavs.structures.gaussian_mixture import GaussianMixture

__all__ = [
    'AVFeatures',
    'ClipBatch',
    'ClipPrediction',
    'CodeDraw',
    'DiagonalGaussian',
    'Distributions',
    'FrameLabels',
    'GaussianMixture',
    'LatentPath',
]
