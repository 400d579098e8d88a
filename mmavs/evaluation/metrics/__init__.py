"""Metrics that MMEngine's evaluator runs."""

from mmavs.evaluation.metrics.audio_tag_metric import AudioTagMetric
from mmavs.evaluation.metrics.avs_metric import AVSMetric

__all__ = ['AVSMetric', 'AudioTagMetric']
