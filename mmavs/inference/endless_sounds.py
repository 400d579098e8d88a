"""Sounds that never end, to take the place of a recording's own."""

from __future__ import annotations

import itertools
import math
import os
from collections.abc import Callable, Iterator
from fractions import Fraction

import numpy as np

from mmavs.datasets.errors import DataError
from mmavs.datasets.transforms.load_audio import MAX_RATE_HZ
from mmavs.datasets.videos import (
    AudioStretch,
    SoundTrack,
    VideoSound,
    is_silent,
    stream_sound,
)
from mmavs.functional.log_mel import MIN_SAMPLES, SAMPLE_RATE_HZ
from mmavs.inference.recordings.video_recording import LIMITS

# Samples that a made sound is played in at a time.
_CHUNK = 16_000


class MadeSound:
    """A sound that is computed, in place of that of a video.

    Args:
        make: (number of samples, place of the first one) -> (S,) float32.
    """

    end_s: float | None = None

    def __init__(self, make: Callable[[int, int], np.ndarray]) -> None:
        self.make = make

    def read(self, start_s: float, duration_s: float) -> AudioStretch:
        """Make the samples of a stretch."""
        waveform = self.make(
            round(duration_s * SAMPLE_RATE_HZ), round(start_s * SAMPLE_RATE_HZ)
        )
        return AudioStretch(waveform, SAMPLE_RATE_HZ, float(start_s), 0.0)

    def track(self) -> SoundTrack:
        """Make the same samples, in order and without an end."""
        chunks = (
            self.make(_CHUNK, start)[None]
            for start in itertools.count(0, _CHUNK)
        )
        return SoundTrack(SAMPLE_RATE_HZ, 1, chunks, is_endless=True)

    def __enter__(self) -> MadeSound:
        return self

    def __exit__(self, *error: object) -> None:
        pass


class RepeatedSound:
    """The sound of a file from its beginning, again and again.

    Reads as :class:`mmavs.datasets.videos.VideoSound` does: starts ascend,
    but for a short step back. Memory does not grow with the file.

    Args:
        path: A video or an audio file.

    Raises:
        DataError: If the file has no sound, is silent all through, or (when
            its end is met) is shorter than one patch.
    """

    end_s: float | None = None

    def __init__(self, path: str | os.PathLike) -> None:
        self.path = os.fspath(path)
        if is_silent(self.path, limits=LIMITS):
            raise DataError(
                f'{self.path} is silent all through: a sound that replaces '
                "another must be heard; sound='silence' mutes a recording"
            )
        # Seconds from one beginning to the next; known at the end of the
        # first pass. Exact: in the end it repeats as the track does.
        self._period_s: Fraction | None = None
        self._passes: dict[int, VideoSound] = {}

    def read(self, start_s: float, duration_s: float) -> AudioStretch:
        """Read a stretch of the repeated sound."""
        at = round(start_s * SAMPLE_RATE_HZ)
        waveform = np.empty(round(duration_s * SAMPLE_RATE_HZ), np.float32)
        done, silent_s = 0, 0.0
        while done < len(waveform):
            piece = self._piece(at + done, len(waveform) - done)
            waveform[done:][: len(piece.waveform)] = piece.waveform
            done += len(piece.waveform)
            silent_s += piece.silent_s
        return AudioStretch(waveform, SAMPLE_RATE_HZ, float(start_s), silent_s)

    def _piece(self, at: int, num_samples: int) -> AudioStretch:
        """Read from ``at`` on, up to the end of the pass at the most."""
        number, place_s = 0, Fraction(at, SAMPLE_RATE_HZ)
        if self._period_s is not None:
            number, place_s = divmod(place_s, self._period_s)
            left_s = self._period_s - place_s
            num_samples = min(num_samples, math.ceil(left_s * SAMPLE_RATE_HZ))
        sound = self._open(number)
        # The latest sample that is there, lest one lies behind the end.
        place = math.floor(place_s * SAMPLE_RATE_HZ)
        stretch = sound.read(
            Fraction(place, SAMPLE_RATE_HZ),
            Fraction(num_samples, SAMPLE_RATE_HZ),
        )
        if self._period_s is None and sound.end_s is not None:
            # What was read may lie behind the end: read it again.
            self._period_s = self._checked_period_s(sound.end_s)
            return self._piece(at, num_samples)
        return stretch

    def _checked_period_s(self, end_s: float) -> Fraction:
        num_samples = round(end_s * SAMPLE_RATE_HZ)
        if num_samples < MIN_SAMPLES:
            raise DataError(
                f'{self.path} has {num_samples} samples of sound at '
                f'{SAMPLE_RATE_HZ} Hz, a sound that replaces another needs '
                f'at least {MIN_SAMPLES}'
            )
        # A whole number of samples of the file, whatever its rate.
        return Fraction(end_s).limit_denominator(MAX_RATE_HZ)

    def _open(self, number: int) -> VideoSound:
        """The reader of one pass; that of the one before stays open."""
        for old in [old for old in self._passes if old < number - 1]:
            self._passes.pop(old).close()
        if number not in self._passes:
            self._passes[number] = VideoSound(
                self.path, SAMPLE_RATE_HZ, limits=LIMITS
            )
        return self._passes[number]

    def track(self) -> SoundTrack:
        """The sound as it is played, without an end."""
        first = stream_sound(self.path, limits=LIMITS)

        def chunks() -> Iterator[np.ndarray]:
            track = first
            while True:
                num_samples = 0
                for chunk in track.chunks:
                    num_samples += chunk.shape[1]
                    yield chunk
                if num_samples == 0:
                    raise DataError(f'{self.path} has no sound')
                track = stream_sound(self.path, limits=LIMITS)

        return SoundTrack(
            first.sample_rate_hz,
            first.num_channels,
            chunks(),
            is_endless=True,
        )

    def close(self) -> None:
        """Close the file."""
        while self._passes:
            self._passes.popitem()[1].close()

    def __enter__(self) -> RepeatedSound:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()
