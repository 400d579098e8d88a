"""Formulas of the measures, on tensors."""

from mmavs.evaluation.functional.binary_iou import binary_iou
from mmavs.evaluation.functional.class_scores import (
    ClassCounts,
    FrameMeans,
    count_classes,
    dataset_iou,
    frame_means,
)
from mmavs.evaluation.functional.f_measure import (
    f_measure_curve,
    f_measure_thresholds,
)
from mmavs.evaluation.functional.scores import (
    SCORES,
    batchwise_scores,
    dataset_scores,
)

__all__ = [
    'SCORES',
    'ClassCounts',
    'FrameMeans',
    'batchwise_scores',
    'binary_iou',
    'count_classes',
    'dataset_iou',
    'dataset_scores',
    'f_measure_curve',
    'f_measure_thresholds',
    'frame_means',
]
