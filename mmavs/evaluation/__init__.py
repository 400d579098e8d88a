"""Measures of audio-visual segmentation."""

from mmavs.evaluation.functional import (
    SCORES,
    batchwise_scores,
    binary_iou,
    dataset_scores,
    f_measure_curve,
)
from mmavs.evaluation.metrics import AudioTagMetric, AVSMetric

__all__ = [
    'SCORES',
    'AVSMetric',
    'AudioTagMetric',
    'batchwise_scores',
    'binary_iou',
    'dataset_scores',
    'f_measure_curve',
]
