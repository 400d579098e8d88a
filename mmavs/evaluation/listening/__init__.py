"""Does a model listen? Measures of what it marks under other sounds."""

from mmavs.evaluation.listening.bootstrap import (
    Estimate,
    number_scenes,
    resample_clips,
)
from mmavs.evaluation.listening.clip_meter import ClipMeter
from mmavs.evaluation.listening.clip_sums import MEASURES, ClipSums
from mmavs.evaluation.listening.measure import ACTIVE_SHARE, measure_clip
from mmavs.evaluation.listening.records import (
    ClipListening,
    load_records,
    save_records,
)
from mmavs.evaluation.listening.report import (
    ConditionReport,
    ListeningReport,
    summarise_listening,
)
from mmavs.evaluation.listening.scores import (
    QUIET_CONDITIONS,
    listening_score,
    quietness,
)

__all__ = [
    'ACTIVE_SHARE',
    'MEASURES',
    'QUIET_CONDITIONS',
    'ClipListening',
    'ClipMeter',
    'ClipSums',
    'ConditionReport',
    'Estimate',
    'ListeningReport',
    'listening_score',
    'load_records',
    'measure_clip',
    'number_scenes',
    'quietness',
    'resample_clips',
    'save_records',
    'summarise_listening',
]
