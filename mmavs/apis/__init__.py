"""Python entry points."""

from mmavs.apis.listening import evaluate_listening
from mmavs.apis.sound_predictions import (
    SoundPredictions,
    predict_under_sounds,
)
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
    'SoundPredictions',
    'VideoPrediction',
    'VideoRecording',
    'evaluate_listening',
    'list_inputs',
    'open_recording',
    'predict_under_sounds',
    'replace_sound',
    'write_prediction',
]
