"""Videos: reading them, and making AVSBench's files of them."""

from .audio import AudioStretch, read_audio
from .clip import VideoClip, clip_times, read_clip
from .container import VideoLimits
from .conversion import ConversionReport, convert_videos
from .frames import VideoFrame, read_frames

__all__ = [
    'AudioStretch',
    'ConversionReport',
    'VideoClip',
    'VideoFrame',
    'VideoLimits',
    'clip_times',
    'convert_videos',
    'read_audio',
    'read_clip',
    'read_frames',
]
