"""What a recording is, and the times at which its frames are taken."""

from __future__ import annotations

import itertools
from abc import ABC, abstractmethod
from collections.abc import Iterator
from fractions import Fraction
from types import TracebackType
from typing import Protocol

import numpy as np

from mmavs.datasets.videos import (
    SILENT_PEAK,
    AudioStretch,
    SoundTrack,
    VideoFrame,
)

Fps = float | Fraction | str
MAX_FPS = 1000
# At one frame a second the last may be as far behind the end.
_TOLERANCE_S = Fraction(1, 4)


class Sound(Protocol):
    """The sound of a recording, mono at 16 kHz, open for reading."""

    @property
    def end_s(self) -> float | None:
        """Where it ends, in seconds since the first frame.

        None as long as that is not known, and of a sound without an end.
        """

    def read(self, start_s: float, duration_s: float) -> AudioStretch:
        """Read a stretch, silent where there is no sound.

        The starts of successive stretches ascend.
        """

    def __enter__(self) -> Sound: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...


class Recording(ABC):
    """Frames and their sound.

    Attributes:
        name: what its results are called.
        source: what messages call it, such as the path of a file.
        size: (H, W) of the frames, upright.
        sample_aspect_ratio: width to height of a pixel.
        duration_s: seconds, an estimate; None if it is not known.
        has_sound: whether there is an audio track.
        is_clip: whether frames and sound are cut to each other, as in a data
            set. Where the sound of a clip ends early, the last patch is
            repeated, as for data sets; that of a video is followed by
            silence.
    """

    name: str
    source: str
    size: tuple[int, int]
    sample_aspect_ratio: Fraction = Fraction(1)
    duration_s: float | None = None
    has_sound: bool = True
    is_clip: bool = False

    @abstractmethod
    def frames(self, fps: Fps = 1) -> Iterator[VideoFrame]:
        """Read the frames.

        Args:
            fps: a number, see :func:`sample_times`, or ``'native'``, every
                frame at its own time.

        Yields:
            VideoFrame: what is on screen at each of the times, with that
            time.
        """

    @abstractmethod
    def sound(self) -> Sound:
        """Open the sound for reading; a context manager."""

    @abstractmethod
    def track(self) -> SoundTrack | None:
        """The sound as it is played; None without an audio track.

        An endless one is played as long as there are frames.
        """

    def is_silent(self) -> bool:
        """Whether there is nothing to hear.

        As :func:`mmavs.datasets.videos.is_silent` says of a file: every
        sample of the mean of the channels is below 1e-4 of full scale.
        """
        track = self.track()
        return track is None or not any(
            np.any(np.abs(chunk.mean(axis=0)) >= SILENT_PEAK)
            for chunk in track.chunks
        )


def frame_rate(fps: Fps) -> Fraction | None:
    """Frames per second; None for ``'native'``.

    Args:
        fps: a number, or a text such as ``'5'``, ``'30000/1001'`` or
            ``'native'``.

    Raises:
        ValueError: if it is none of these, or not within 0 and 1000.
    """
    if fps == 'native':
        return None
    try:
        # What was written: 0.1 is a tenth.
        rate = Fraction(str(fps))
    except (ValueError, ZeroDivisionError):
        rate = Fraction(0)
    if not 0 < rate <= MAX_FPS:
        raise ValueError(
            f"fps must be 'native' or a number above 0, {MAX_FPS} at most, "
            f'got {fps!r}'
        )
    return rate


def sample_times(rate: Fraction) -> Iterator[Fraction]:
    """Times at which frames are taken, in seconds since the first; no end.

    Equation:
        At rate 1 as the published data, t_k = k - 1/16, k = 1, 2, ...; at
        any other rate t_i = i / rate, i = 0, 1, ...
    """
    if rate == 1:
        return (k - Fraction(1, 16) for k in itertools.count(1))
    return (i / rate for i in itertools.count())


def end_tolerance_s(rate: Fraction) -> Fraction:
    """How far behind the end of a recording a frame may be taken.

    As in the making of a data set, a frame a second may be a little late;
    at any other rate each is before the end.
    """
    return _TOLERANCE_S if rate == 1 else Fraction(0)
