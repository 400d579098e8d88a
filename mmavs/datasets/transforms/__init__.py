"""Transforms that turn the files of a clip into one packed sample."""

from mmavs.datasets.transforms.clip_transform import ClipTransform
from mmavs.datasets.transforms.load_audio import LoadAudio
from mmavs.datasets.transforms.load_avs_mask import LoadAVSMask
from mmavs.datasets.transforms.mix_audio import MixAudio
from mmavs.datasets.transforms.pack_audio_tags import PackAudioTags
from mmavs.datasets.transforms.pack_avs_inputs import PackAVSInputs
from mmavs.datasets.transforms.sound_condition import (
    SoundCondition,
    with_sound_condition,
)
from mmavs.datasets.transforms.vggish_log_mel import VGGishLogMel

__all__ = [
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
