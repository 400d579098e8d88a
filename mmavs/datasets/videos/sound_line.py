"""The sound of a video at another rate, stretch by stretch."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from fractions import Fraction
from math import ceil, floor, gcd

import numpy as np

from mmavs.datasets.errors import DataError
from mmavs.datasets.transforms.load_audio import (
    MAX_RATE_HZ,
    MAX_SAMPLES,
    MIN_RATE_HZ,
    resample_waveform,
)

from .samples import PlacedSamples
from .tape import Tape

# Samples on either side for the filter of the resampling, at either rate.
_MARGIN_S = Fraction(1, 50)


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


class SoundLine:
    """One long mono signal at one rate, of which stretches are taken.

    Wherever a stretch is cut, its samples are those of the whole signal: the
    resampling goes on from the last one, in whole periods of both rates.
    What lies further back than ``history`` is forgotten.

    Args:
        path: The file, for messages.
        blocks: Its samples.
        sample_rate_hz: The rate to resample to.
        history: Seconds that a stretch may begin before the one that began
            last.
    """

    def __init__(
        self,
        path: str,
        blocks: Generator[PlacedSamples],
        sample_rate_hz: int,
        history: Fraction = Fraction(0),
    ) -> None:
        if not MIN_RATE_HZ <= sample_rate_hz <= MAX_RATE_HZ:
            raise ValueError(
                f'sample_rate_hz must be between {MIN_RATE_HZ} and '
                f'{MAX_RATE_HZ}, got {sample_rate_hz}'
            )
        self.path = path
        self.history = history
        self._blocks = blocks
        self._end: int | None = None
        self._last_start = Fraction(0)
        # The rate is that of the first samples, if there are any.
        self._block = next(blocks, None)
        self._to_hz = sample_rate_hz
        self._rate_hz = sample_rate_hz
        if self._block is None:
            self._end = 0
        else:
            self._rate_hz = self._block.rate_hz
        common = gcd(self._rate_hz, self._to_hz)
        # A period: the shortest time of a whole number of either's samples.
        self._down = self._rate_hz // common
        self._up = self._to_hz // common
        self._margin = ceil(_MARGIN_S * common)
        before = -self._margin * self._down
        self._samples = Tape(np.float32, before)
        self._is_filled = Tape(np.bool_, before)
        self._resampled = Tape(np.float32)

    @property
    def end_s(self) -> float | None:
        """Where the sound ends, once that was met."""
        return None if self._end is None else max(self._end, 0) / self._rate_hz

    def read(
        self, start_s: float | Fraction, duration_s: float | Fraction
    ) -> AudioStretch:
        """Read a stretch; to within a sample, it begins at ``start_s``.

        Args:
            start_s: Seconds since the first frame.
            duration_s: Seconds.

        Raises:
            ValueError: If the start is negative or too far back, or the
                duration is not positive or too long to be held in memory.
            DataError: If the file is damaged before its end.
        """
        start, duration = Fraction(start_s), Fraction(duration_s)
        if start < 0 or not 0 < duration * self._to_hz <= MAX_SAMPLES:
            raise ValueError(
                'start_s must be at least 0 and duration_s between 0 and '
                f'{MAX_SAMPLES // self._to_hz}, got {start_s}, {duration_s}'
            )
        if start < self._last_start - self.history:
            raise ValueError(
                f'start_s may go back by {float(self.history):g} s, got '
                f'{float(start):g} after {float(self._last_start):g}'
            )
        self._last_start = max(start, self._last_start)
        first = round(start * self._to_hz)
        last = first + round(duration * self._to_hz)
        self._resample(first // self._up, -(-last // self._up))
        low = round(start * self._rate_hz)
        is_filled = self._is_filled.part(
            low, low + ceil(duration * self._rate_hz)
        )
        return AudioStretch(
            self._resampled.part(first, last).copy(),
            self._to_hz,
            float(start),
            float(np.count_nonzero(~is_filled)) / self._rate_hz,
        )

    def close(self) -> None:
        """Close the file."""
        self._blocks.close()

    def _resample(self, low: int, high: int) -> None:
        """See to it that the periods from ``low`` up to ``high`` are there."""
        kept = max(self._last_start - self.history, Fraction(0))
        kept_period = floor(kept * self._to_hz / self._up)
        if self._resampled.begin <= low * self._up <= self._resampled.end:
            self._resampled.forget(kept_period * self._up)
        else:
            self._resampled = Tape(np.float32, low * self._up)
        for tape in (self._samples, self._is_filled):
            tape.forget((kept_period - self._margin) * self._down)
        begin = self._resampled.end // self._up
        if begin >= high:
            return
        end = (high + self._margin) * self._down
        self._decode(end)
        samples = self._samples.part((begin - self._margin) * self._down, end)
        resampled = resample_waveform(samples, self._rate_hz, self._to_hz)
        edge = self._margin * self._up
        self._resampled.append(
            resampled[edge : edge + (high - begin) * self._up]
        )

    def _decode(self, end: int) -> None:
        """Decode up to a place, at the rate of the file."""
        begin = self._samples.end
        if end - self._samples.begin > MAX_SAMPLES:
            raise DataError(
                f'{self.path}: {(end - begin) / self._rate_hz:g} s at '
                f'{self._rate_hz} Hz are too much for the memory'
            )
        samples = np.zeros(max(end - begin, 0), np.float32)
        is_filled = np.zeros(len(samples), np.bool_)
        while self._block is not None and self._block.begin < end:
            block = self._block
            low, high = max(block.begin, begin), min(block.end, end)
            if low < high:
                mono = block.mono()[low - block.begin : high - block.begin]
                samples[low - begin : high - begin] = mono
                is_filled[low - begin : high - begin] = True
            if block.end > end:
                break
            self._block = next(self._blocks, None)
            if self._block is None:
                self._end = block.end
        self._samples.append(samples)
        self._is_filled.append(is_filled)
