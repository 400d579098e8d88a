"""Python entry points."""

from mmavs.apis.sound_conditions import evaluate_sound_conditions
from mmavs.inference.inferencer import AVSInferencer
from mmavs.inference.predictions import FramePrediction, VideoPrediction
from mmavs.inference.recordings import (
    ArrayRecording,
    FrameFolderRecording,
    Recording,
    VideoRecording,
    list_inputs,
    open_recording,
)
from mmavs.inference.replaced_sound import replace_sound
from mmavs.inference.results.prediction_files import write_prediction

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
