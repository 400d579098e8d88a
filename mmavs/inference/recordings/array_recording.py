"""Frames and sound in memory."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from fractions import Fraction

import numpy as np

from mmavs.datasets.errors import DataError
from mmavs.datasets.transforms.load_audio import (
    MAX_RATE_HZ,
    MIN_RATE_HZ,
    resample_waveform,
)
from mmavs.datasets.videos import AudioStretch, SoundTrack, VideoFrame
from mmavs.functional.log_mel import SAMPLE_RATE_HZ

from .recording import (
    Fps,
    Recording,
    end_tolerance_s,
    frame_rate,
    sample_times,
)


class ArrayRecording(Recording):
    """Frames at a constant rate and a waveform, in memory.

    Args:
        frames: RGB.
        waveform: samples in [-1, 1]; None without sound.
        sample_rate_hz: of the waveform, and needed with one.
        fps: frames per second; frame i is on screen from i / fps on.
        name: what results and messages call it.

    Shapes:
        - frames: (F, H, W, 3) uint8, F >= 1.
        - waveform: (S,), floating-point.

    Raises:
        ValueError: if a shape, a type or a rate is wrong.
        DataError: if a sample is not finite.
    """

    is_clip = True

    def __init__(
        self,
        frames: np.ndarray,
        waveform: np.ndarray | None = None,
        sample_rate_hz: int | None = None,
        fps: float = 1.0,
        name: str = 'array',
    ) -> None:
        self.name = self.source = name
        self._frames = np.asarray(frames)
        shape = self._frames.shape
        if (
            self._frames.dtype != np.uint8
            or len(shape) != 4
            or shape[3] != 3
            or 0 in shape
        ):
            raise ValueError(
                f'{name}: frames must be (F, H, W, 3) uint8, 0 to 255, got '
                f'{shape} {self._frames.dtype}'
            )
        rate = frame_rate(fps)
        if rate is None:
            raise ValueError(f'{name}: fps must be a number, got {fps!r}')
        self.fps = rate
        self.size = shape[1:3]
        self.duration_s = float(len(self._frames) / rate)
        self.has_sound = waveform is not None
        if waveform is not None:
            self.sample_rate_hz = _checked_rate(sample_rate_hz, name)
            self._waveform = _checked_waveform(waveform, name)

    def frames(self, fps: Fps = 1) -> Iterator[VideoFrame]:
        """What is on screen at the times, or every frame."""
        rate, count = frame_rate(fps), len(self._frames)
        if rate is None:
            return (
                VideoFrame(image, float(i / self.fps))
                for i, image in enumerate(self._frames)
            )
        end = count / self.fps + end_tolerance_s(rate)
        times = itertools.takewhile(end.__gt__, sample_times(rate))
        return (
            VideoFrame(
                self._frames[min(int(time * self.fps), count - 1)],
                float(time),
            )
            for time in times
        )

    def sound(self) -> ArraySound:
        """The sound at 16 kHz.

        Raises:
            DataError: if there is none.
        """
        if not self.has_sound:
            raise DataError(f'{self.source} has no sound')
        return ArraySound(
            resample_waveform(
                self._waveform, self.sample_rate_hz, SAMPLE_RATE_HZ
            )
        )

    def track(self) -> SoundTrack | None:
        """The waveform as it was given."""
        if not self.has_sound:
            return None
        chunks = iter([self._waveform[None]])
        return SoundTrack(self.sample_rate_hz, 1, chunks)


class ArraySound:
    """A waveform at 16 kHz, to be read as the sound of a recording is.

    Args:
        waveform: (S,) float32.
    """

    def __init__(self, waveform: np.ndarray) -> None:
        self._waveform = waveform
        self.end_s = len(waveform) / SAMPLE_RATE_HZ

    def __enter__(self) -> ArraySound:
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def read(self, start_s: float, duration_s: float) -> AudioStretch:
        """Read a stretch, silent behind the end."""
        start, duration = (
            round(Fraction(x) * SAMPLE_RATE_HZ) for x in (start_s, duration_s)
        )
        stretch = self._waveform[start : start + duration]
        missing = duration - len(stretch)
        return AudioStretch(
            np.pad(stretch, (0, missing)),
            SAMPLE_RATE_HZ,
            float(start_s),
            missing / SAMPLE_RATE_HZ,
        )


def _checked_rate(rate_hz: int | None, name: str) -> int:
    if rate_hz is None or not MIN_RATE_HZ <= rate_hz <= MAX_RATE_HZ:
        raise ValueError(
            f'{name}: sample_rate_hz of the waveform must be within '
            f'{MIN_RATE_HZ} and {MAX_RATE_HZ}, got {rate_hz}'
        )
    return rate_hz


def _checked_waveform(waveform: np.ndarray, name: str) -> np.ndarray:
    waveform = np.asarray(waveform)
    if waveform.ndim != 1 or not np.issubdtype(waveform.dtype, np.floating):
        raise ValueError(
            f'{name}: waveform must be (S,) and floating-point, full scale '
            '1 (the mean of the channels; int16 divided by 32768), got '
            f'{waveform.shape} {waveform.dtype}'
        )
    if not np.isfinite(waveform).all():
        raise DataError(f'{name} holds samples that are not finite')
    return waveform.astype(np.float32, copy=False)
