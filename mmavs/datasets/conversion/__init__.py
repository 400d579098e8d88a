"""Videos to the files of AVSBench, and back."""

from .clip_video import write_clip_video
from .convert_videos import ConversionReport, convert_videos

__all__ = ['ConversionReport', 'convert_videos', 'write_clip_video']
