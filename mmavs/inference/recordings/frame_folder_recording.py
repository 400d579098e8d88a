"""A folder of frames and a file with their sound."""

from __future__ import annotations

import os
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import mmcv

from mmavs.datasets.errors import DataError
from mmavs.datasets.transforms.load_frame import load_frame
from mmavs.datasets.videos import (
    SoundTrack,
    VideoFrame,
    VideoSound,
    is_silent,
    stream_sound,
)
from mmavs.functional.log_mel import SAMPLE_RATE_HZ

from .folders import FolderContent
from .recording import (
    Fps,
    Recording,
    frame_rate,
    sample_times,
)
from .video_recording import LIMITS


class FrameFolderRecording(Recording):
    """A folder of PNG or JPEG frames, a second each, and one audio file.

    As a clip of AVSBench; the frames come in natural order, 2 before 10.

    Args:
        folder: its path.

    Raises:
        MissingDataError: if there is no such folder.
        DataError: unless it has frames and exactly one audio file, or if the
            first frame cannot be read.
    """

    is_clip = True

    def __init__(self, folder: str | os.PathLike) -> None:
        self.source = os.fspath(folder)
        self.name = Path(os.path.abspath(folder)).name
        content = FolderContent.of(folder)
        if not content.frames:
            raise DataError(f'{self.source} has no frame (PNG or JPEG)')
        if len(content.sounds) != 1:
            found = ', '.join(path.name for path in content.sounds[:5])
            raise DataError(
                f'{self.source} must have one audio file beside its '
                f'{len(content.frames)} frames, it has '
                f'{len(content.sounds)}' + (found and f': {found}')
            )
        self.paths, (self.audio_path,) = content.frames, content.sounds
        self.size = load_frame(str(self.paths[0])).shape[:2]
        self.duration_s = float(len(self.paths))

    def frames(self, fps: Fps = 1) -> Iterator[VideoFrame]:
        """Every frame, at the time of its second.

        Raises:
            ValueError: if the rate is neither 1 nor native.
            DataError: if a frame cannot be read or has another size.
        """
        if frame_rate(fps) not in (1, None):
            raise ValueError(
                f'{self.source} is a folder of frames, a second each: fps '
                f"must be 1 or 'native', got {fps!r}"
            )
        return self._frames()

    def _frames(self) -> Iterator[VideoFrame]:
        for path, time in zip(
            self.paths, sample_times(Fraction(1)), strict=False
        ):
            image = load_frame(str(path))
            if image.shape[:2] != self.size:
                raise DataError(
                    f'{path} must have the size of {self.paths[0].name}, '
                    f'{self.size}, got {image.shape[:2]}'
                )
            yield VideoFrame(mmcv.bgr2rgb(image), float(time))

    def sound(self) -> VideoSound:
        """Open the audio file."""
        return VideoSound(self.audio_path, SAMPLE_RATE_HZ, LIMITS)

    def track(self) -> SoundTrack:
        """The sound at its own rate, mono or stereo."""
        return stream_sound(self.audio_path, LIMITS)

    def is_silent(self) -> bool:
        """Whether there is nothing to hear; reads up to what is."""
        return is_silent(self.audio_path, limits=LIMITS)
