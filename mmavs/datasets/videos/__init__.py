"""Videos: reading them, and making AVSBench's files of them."""

from .audio import is_silent, read_audio
from .clip import VideoClip, clip_times, read_clip
from .container import VideoLimits
from .conversion import ConversionReport, convert_videos
from .frames import VideoFrame, read_frames, stream_frames
from .info import VideoInfo, probe_video
from .sound_line import AudioStretch
from .sound_track import SoundTrack, stream_sound
from .video_sound import VideoSound

__all__ = [
    'AudioStretch',
    'ConversionReport',
    'SoundTrack',
    'VideoClip',
    'VideoFrame',
    'VideoInfo',
    'VideoLimits',
    'VideoSound',
    'clip_times',
    'convert_videos',
    'is_silent',
    'probe_video',
    'read_audio',
    'read_clip',
    'read_frames',
    'stream_frames',
    'stream_sound',
]
