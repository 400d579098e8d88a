"""Videos: reading them, as a whole or as streams, and writing them."""

from .audio import SILENT_PEAK, is_silent, read_audio
from .clip import VideoClip, clip_times, read_clip
from .container import VideoLimits
from .frames import VideoFrame, read_frames, stream_frames
from .info import VideoInfo, probe_video
from .sound_line import AudioStretch
from .sound_track import SoundTrack, stream_sound
from .video_sound import VideoSound
from .video_writer import VideoWriter

__all__ = [
    'SILENT_PEAK',
    'AudioStretch',
    'SoundTrack',
    'VideoClip',
    'VideoFrame',
    'VideoInfo',
    'VideoLimits',
    'VideoSound',
    'VideoWriter',
    'clip_times',
    'is_silent',
    'probe_video',
    'read_audio',
    'read_clip',
    'read_frames',
    'stream_frames',
    'stream_sound',
]
