"""Metrics that MMEngine's evaluator runs."""

from mmavs.evaluation.metrics.audio_tag_metric import AudioTagMetric
from mmavs.evaluation.metrics.avs_metric import AVSMetric
from mmavs.evaluation.metrics.avs_semantic_metric import AVSSemanticMetric
from mmavs.evaluation.metrics.clip_metric import ClipMetric

__all__ = ['AVSMetric', 'AVSSemanticMetric', 'AudioTagMetric', 'ClipMetric']
