"""The sound of a stretch of a video."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from math import gcd
from typing import Any

import av
import numpy as np
from av.audio.plane import AudioPlane

from mmavs.datasets.errors import DataError
from mmavs.datasets.transforms.load_audio import (
    MAX_RATE_HZ,
    MAX_SAMPLES,
    MIN_RATE_HZ,
    resample_waveform,
)

from .container import VideoFile, VideoLimits
from .frames import first_frame_time

# A packet that is later than the end of the one before leaves a gap. Less is
# the rounding of timestamps, up to a millisecond each, or their jitter.
_JITTER_S = Fraction(1, 50)
# Decoded before the stretch begins, so that the decoder has settled.
_PREROLL_S = 1
_SEEK_FROM_S = 4
# Samples on either side for the filter of the resampling, at either rate.
_MARGIN_S = Fraction(1, 50)
# Type, value of silence and of full scale.
_SAMPLE_FORMATS = dict(
    u8=(np.uint8, 128, 2**7),
    s16=(np.int16, 0, 2**15),
    s32=(np.int32, 0, 2**31),
    s64=(np.int64, 0, 2**63),
    flt=(np.float32, 0, 1),
    dbl=(np.float64, 0, 1),
)


@dataclass(frozen=True, eq=False)
class AudioStretch:
    """The sound of a stretch of a video.

    Attributes:
        waveform: (S,) float32, the mean of the channels, full scale 1.
        sample_rate_hz: its rate.
        start_s: time of its first sample, in seconds since the first frame.
        silent_s: how many seconds of it the video has no sound for; they
            are silent.
    """

    waveform: np.ndarray
    sample_rate_hz: int
    start_s: float
    silent_s: float


def read_audio(
    path: str | os.PathLike,
    start_s: float,
    duration_s: float,
    sample_rate_hz: int = 16000,
    limits: VideoLimits | None = None,
) -> AudioStretch:
    """Read the sound from ``start_s`` on, for ``duration_s``.

    Sample j sounds at ``start_s`` + j / ``sample_rate_hz`` seconds after the
    first frame appears (after the first sample, in a file without pictures),
    however late the track begins. What a codec adds before and after the
    sound is not part of it. Where the track begins late, has a gap or ends
    early there is silence.

    Args:
        path: The video.
        start_s: Seconds since the first frame.
        duration_s: Seconds.
        sample_rate_hz: The rate to resample to.
        limits: What reading may take.

    Raises:
        ValueError: If the start is negative, or the duration is not positive
            or too long to be held in memory.
        MissingDataError: If there is no such file.
        DataError: If the file is no video, has no audio track or no sound
            in this stretch, is damaged before its end, or exceeds a limit.
    """
    start, duration = Fraction(start_s), Fraction(duration_s)
    if start < 0 or not 0 < duration * sample_rate_hz <= MAX_SAMPLES:
        raise ValueError(
            'start_s must be at least 0 and duration_s between 0 and '
            f'{MAX_SAMPLES // sample_rate_hz}, got {start_s}, {duration_s}'
        )
    with VideoFile(path, limits) as file:
        origin = first_frame_time(file) if file.has('video') else None
        window = _Window(file.path, start, duration, sample_rate_hz)
        for time, samples, rate_hz in _timed_samples(file, origin, start):
            if window.add(time, samples, rate_hz):
                break
    return window.result()


def _timed_samples(
    file: VideoFile, origin: Fraction | None, start: Fraction
) -> Iterator[tuple[Fraction | None, np.ndarray, int]]:
    """Decode the audio from some point before ``start`` on.

    Args:
        file: An open video, at its beginning.
        origin: Zero on the clock of the container; None: the first sample.
        start: Seconds since the origin.

    Yields:
        Seconds since the origin (None: right after those before), mono
        samples, and their rate.
    """
    if origin is not None and start > _SEEK_FROM_S:
        frames = _frames_from(file, origin + start)
    else:
        frames = file.decode('audio')
    for time, frame in frames:
        if time is not None:
            origin = time if origin is None else origin
            time -= origin
        yield time, _mono(file.path, frame), frame.rate


def _frames_from(
    file: VideoFile, target: Fraction
) -> Iterator[tuple[Fraction | None, Any]]:
    """Decode from some time before ``target`` on, or from the beginning."""
    try:
        file.seek('audio', target - _PREROLL_S)
        frames = file.decode('audio')
        time, frame = next(frames)
        if time is not None and time <= target:
            return itertools.chain([(time, frame)], frames)
    except (av.FFmpegError, DataError, StopIteration):
        pass
    # The index is wrong, or there is a gap.
    file.rewind()
    return file.decode('audio')


def _mono(path: str, frame: Any) -> np.ndarray:
    """(S,) float32: the mean of a frame's channels."""
    kind = frame.format.name.removesuffix('p')
    if kind not in _SAMPLE_FORMATS:
        raise DataError(f'{path} has samples of an unknown format, {kind!r}')
    dtype, offset, full_scale = _SAMPLE_FORMATS[kind]
    num_channels = frame.layout.nb_channels

    def plane(index: int, count: int) -> np.ndarray:
        # Not frame.to_ndarray: it reads beyond the planes of eight channels.
        content: Any = AudioPlane(frame, index)
        return np.frombuffer(content, dtype, count)

    if frame.format.is_planar:
        channels = np.stack(
            [plane(i, frame.samples) for i in range(num_channels)]
        )
    else:
        samples = plane(0, frame.samples * num_channels)
        channels = samples.reshape(-1, num_channels).T
    mono = (channels.mean(axis=0, dtype=np.float64) - offset) / full_scale
    if not np.isfinite(mono).all():
        raise DataError(f'{path} holds samples that are not finite')
    return mono.astype(np.float32)


class _Window:
    """Puts decoded samples where they belong, at the rate of the file.

    Times are in seconds since the first frame.
    """

    def __init__(
        self, path: str, start: Fraction, duration: Fraction, to_hz: int
    ) -> None:
        self.path, self.start, self.duration = path, start, duration
        self.to_hz = to_hz
        self.rate_hz = 0
        self._end: int | None = None

    def _begin(self, rate_hz: int) -> None:
        if not MIN_RATE_HZ <= rate_hz <= MAX_RATE_HZ:
            raise DataError(
                f'{self.path}: the sample rate must be between {MIN_RATE_HZ} '
                f'and {MAX_RATE_HZ} Hz, got {rate_hz}'
            )
        self.rate_hz = rate_hz
        common = gcd(rate_hz, self.to_hz)
        # As many periods of both rates as the margin needs.
        periods = -(-_MARGIN_S * common // 1)
        self.margin = int(periods) * (rate_hz // common)
        self.margin_out = int(periods) * (self.to_hz // common)
        length = -(-self.duration * rate_hz // 1) + 2 * self.margin
        if length > MAX_SAMPLES:
            raise DataError(
                f'{self.path}: {float(self.duration):g} s at {rate_hz} Hz '
                'are too much for the memory'
            )
        self.samples = np.zeros(length, np.float32)
        self.is_filled = np.zeros(length, bool)

    def add(
        self, time: Fraction | None, samples: np.ndarray, rate_hz: int
    ) -> bool:
        """Add decoded samples; tells whether they reach the end.

        Args:
            time: Of the first one; None: right after those before.
            samples: (S,) float32.
            rate_hz: Their rate.
        """
        if not self.rate_hz:
            self._begin(rate_hz)
        elif rate_hz != self.rate_hz:
            raise DataError(
                f'{self.path}: the sample rate changes from {self.rate_hz} '
                f'to {rate_hz} Hz'
            )
        begin = self._index(time)
        if self._end is not None and begin < self._end:
            # Time goes back: what was there first stays.
            samples = samples[self._end - begin :]
            begin = self._end
        self._end = begin + len(samples)
        low, high = max(begin, 0), min(self._end, len(self.samples))
        if low < high:
            self.samples[low:high] = samples[low - begin : high - begin]
            self.is_filled[low:high] = True
        return self._end >= len(self.samples)

    def _index(self, time: Fraction | None) -> int:
        """Where samples of this time go, in the window with its margin."""
        if time is None:
            if self._end is not None:
                return self._end
            time = Fraction(0)
        index = round((time - self.start) * self.rate_hz) + self.margin
        if self._end is not None and (
            abs(index - self._end) <= _JITTER_S * self.rate_hz
        ):
            return self._end
        return index

    def result(self) -> AudioStretch:
        """Resample and cut off the margins."""
        num_samples = round(self.duration * self.to_hz)
        stretch = self.rate_hz and self.is_filled[self.margin : -self.margin]
        if not np.any(stretch):
            raise DataError(
                f'{self.path} has no sound from {float(self.start):g} to '
                f'{float(self.start + self.duration):g} s'
            )
        waveform = resample_waveform(self.samples, self.rate_hz, self.to_hz)
        return AudioStretch(
            waveform[self.margin_out :][:num_samples],
            self.to_hz,
            float(self.start),
            float(np.count_nonzero(~stretch)) / self.rate_hz,
        )
