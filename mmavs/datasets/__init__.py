"""Datasets of audio-visual clips and the transforms that load them."""

from mmavs.datasets.avsbench import (
    AVSBenchDataset,
    AVSBenchMS3Dataset,
    AVSBenchS4Dataset,
)
from mmavs.datasets.transforms import (
    ClipTransform,
    LoadAudio,
    LoadAVSMask,
    MixAudio,
    PackAudioTags,
    PackAVSInputs,
    SoundCondition,
    VGGishLogMel,
    with_sound_condition,
)

__all__ = [
    'AVSBenchDataset',
    'AVSBenchMS3Dataset',
    'AVSBenchS4Dataset',
    'ClipTransform',
    'LoadAVSMask',
    'LoadAudio',
    'MixAudio',
    'PackAVSInputs',
    'PackAudioTags',
    'SoundCondition',
    'VGGishLogMel',
    'with_sound_condition',
]
