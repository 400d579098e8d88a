"""A video file."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from pathlib import Path

from mmavs.datasets.videos import (
    SoundTrack,
    VideoFrame,
    VideoLimits,
    VideoSound,
    is_silent,
    probe_video,
    stream_frames,
    stream_sound,
)
from mmavs.functional.log_mel import SAMPLE_RATE_HZ

from .recording import (
    Fps,
    Recording,
    end_tolerance_s,
    frame_rate,
    sample_times,
)

# However long a video is, reading it takes as long as what is done with it.
LIMITS = VideoLimits(max_wall_s=math.inf)


class VideoRecording(Recording):
    """A video file, read as a stream.

    Args:
        path: of the file.

    Raises:
        MissingDataError: if there is no such file.
        DataError: if it is no video or has no frame.
    """

    def __init__(self, path: str | os.PathLike) -> None:
        self.source = os.fspath(path)
        self.name = Path(path).stem
        info = probe_video(path, LIMITS)
        self.size = info.height, info.width
        self.sample_aspect_ratio = info.sample_aspect_ratio
        self.duration_s = info.duration_s
        self.has_sound = info.sample_rate_hz is not None

    def frames(self, fps: Fps = 1) -> Iterator[VideoFrame]:
        """What is on screen at the times, or every frame."""
        rate = frame_rate(fps)
        if rate is None:
            return stream_frames(self.source, limits=LIMITS)
        shown = stream_frames(
            self.source, sample_times(rate), end_tolerance_s(rate), LIMITS
        )
        return (
            VideoFrame(frame.image, float(time))
            for frame, time in zip(shown, sample_times(rate), strict=False)
        )

    def sound(self) -> VideoSound:
        """Open the sound; without an audio track a DataError."""
        return VideoSound(self.source, SAMPLE_RATE_HZ, LIMITS)

    def track(self) -> SoundTrack | None:
        """The sound at its own rate, mono or stereo."""
        return stream_sound(self.source, LIMITS) if self.has_sound else None

    def is_silent(self) -> bool:
        """Whether there is nothing to hear; reads up to what is."""
        return not self.has_sound or is_silent(self.source, limits=LIMITS)
