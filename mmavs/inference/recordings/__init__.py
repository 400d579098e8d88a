"""Recordings: frames and their sound, whatever they come from."""

from .array_recording import ArrayRecording
from .frame_folder_recording import FrameFolderRecording
from .opening import list_inputs, open_recording
from .recording import Recording, Sound
from .video_recording import VideoRecording

__all__ = [
    'ArrayRecording',
    'FrameFolderRecording',
    'Recording',
    'Sound',
    'VideoRecording',
    'list_inputs',
    'open_recording',
]
