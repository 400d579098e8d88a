"""Transforms that turn the files of a clip into one packed sample."""

from mmavs.datasets.transforms.clip_transform import ClipTransform
from mmavs.datasets.transforms.load_audio import LoadAudio
from mmavs.datasets.transforms.load_avs_mask import LoadAVSMask
from mmavs.datasets.transforms.load_frame import LoadFrame
from mmavs.datasets.transforms.mix_audio import MixAudio
from mmavs.datasets.transforms.negative_sound import NegativeSound
from mmavs.datasets.transforms.pack_audio_tags import PackAudioTags
from mmavs.datasets.transforms.pack_avs_inputs import PackAVSInputs
from mmavs.datasets.transforms.random_gain import RandomGain
from mmavs.datasets.transforms.random_noise import RandomNoise
from mmavs.datasets.transforms.random_time_shift import RandomTimeShift
from mmavs.datasets.transforms.score_at_input_size import ScoreAtInputSize
from mmavs.datasets.transforms.sound_condition import (
    SoundCondition,
    with_sound_condition,
)
from mmavs.datasets.transforms.spec_augment import SpecAugment
from mmavs.datasets.transforms.vggish_log_mel import VGGishLogMel

__all__ = [
    'ClipTransform',
    'LoadAVSMask',
    'LoadAudio',
    'LoadFrame',
    'MixAudio',
    'NegativeSound',
    'PackAVSInputs',
    'PackAudioTags',
    'RandomGain',
    'RandomNoise',
    'RandomTimeShift',
    'ScoreAtInputSize',
    'SoundCondition',
    'SpecAugment',
    'VGGishLogMel',
    'with_sound_condition',
]
