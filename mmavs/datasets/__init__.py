"""Datasets of audio-visual clips and the transforms that load them."""

from mmavs.datasets.avsbench import (
    AVSBenchDataset,
    AVSBenchMS3Dataset,
    AVSBenchS4Dataset,
)
from mmavs.datasets.avsbench_semantic import AVSBenchSemanticDataset
from mmavs.datasets.errors import DataError, MissingDataError
from mmavs.datasets.negative_sounds import NegativeSounds
from mmavs.datasets.samplers import SameLengthBatchSampler, VisitBatchSampler
from mmavs.datasets.transforms import (
    ClipTransform,
    LoadAudio,
    LoadAVSMask,
    LoadFrame,
    MixAudio,
    NegativeSound,
    PackAudioTags,
    PackAVSInputs,
    RandomGain,
    RandomNoise,
    RandomTimeShift,
    ScoreAtInputSize,
    SoundCondition,
    SpecAugment,
    VGGishLogMel,
    with_sound_condition,
)
from mmavs.datasets.visit_dataset import VisitDataset

__all__ = [
    'AVSBenchDataset',
    'AVSBenchMS3Dataset',
    'AVSBenchS4Dataset',
    'AVSBenchSemanticDataset',
    'ClipTransform',
    'DataError',
    'LoadAVSMask',
    'LoadAudio',
    'LoadFrame',
    'MissingDataError',
    'MixAudio',
    'NegativeSound',
    'NegativeSounds',
    'PackAVSInputs',
    'PackAudioTags',
    'RandomGain',
    'RandomNoise',
    'RandomTimeShift',
    'SameLengthBatchSampler',
    'ScoreAtInputSize',
    'SoundCondition',
    'SpecAugment',
    'VGGishLogMel',
    'VisitBatchSampler',
    'VisitDataset',
    'with_sound_condition',
]
