"""Measures of audio-visual segmentation."""

from mmavs.evaluation.clips import group_clips
from mmavs.evaluation.functional import (
    SCORES,
    batchwise_scores,
    binary_iou,
    count_classes,
    dataset_iou,
    dataset_scores,
    f_measure_curve,
    frame_means,
)
from mmavs.evaluation.metrics import (
    AudioTagMetric,
    AVSMetric,
    AVSSemanticMetric,
    ClipMetric,
)

__all__ = [
    'SCORES',
    'AVSMetric',
    'AVSSemanticMetric',
    'AudioTagMetric',
    'ClipMetric',
    'batchwise_scores',
    'binary_iou',
    'count_classes',
    'dataset_iou',
    'dataset_scores',
    'f_measure_curve',
    'frame_means',
    'group_clips',
]
