"""Videos to the files of AVSBench, and back."""

from .clip_video import write_clip_video
from .convert_videos import ConversionReport, convert_videos
from .raw_clips import clip_paths

__all__ = [
    'ConversionReport',
    'clip_paths',
    'convert_videos',
    'write_clip_video',
]
