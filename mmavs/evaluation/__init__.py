"""Measures of audio-visual segmentation."""

from mmavs.evaluation.functional import (
    SCORES,
    batchwise_scores,
    binary_iou,
    dataset_scores,
    f_measure_curve,
)
from mmavs.evaluation.metrics import AVSMetric

__all__ = [
    'SCORES',
    'AVSMetric',
    'batchwise_scores',
    'binary_iou',
    'dataset_scores',
    'f_measure_curve',
]
