"""Python entry points."""

from mmavs.apis.inferencer import AVSInferencer
from mmavs.apis.prediction_files import write_prediction
from mmavs.apis.predictions import FramePrediction, VideoPrediction
from mmavs.apis.recordings import (
    ArrayRecording,
    FrameFolderRecording,
    Recording,
    VideoRecording,
    list_inputs,
    open_recording,
)
from mmavs.apis.replaced_sound import replace_sound
from mmavs.apis.sound_conditions import evaluate_sound_conditions

__all__ = [
    'AVSInferencer',
    'ArrayRecording',
    'FrameFolderRecording',
    'FramePrediction',
    'Recording',
    'VideoPrediction',
    'VideoRecording',
    'evaluate_sound_conditions',
    'list_inputs',
    'open_recording',
    'replace_sound',
    'write_prediction',
]
