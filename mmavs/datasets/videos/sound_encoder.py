"""A sound track as a track of AAC."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import av
import numpy as np

from .sound_track import SoundTrack

# What AAC has and every player decodes.
_RATES_HZ = (
    *(8_000, 11_025, 12_000, 16_000, 22_050),
    *(24_000, 32_000, 44_100, 48_000),
)
# For each channel: at the highest rates, and for each sample at others.
_MAX_BITS_HZ, _BITS_PER_SAMPLE = 128_000, 4
# The noise that was heard, not some other noise of the same spectrum.
_OPTIONS = {'aac_pns': '0'}
# So many samples at once go to the encoder, however long the chunks are.
_BLOCK = 4096


class SoundEncoder:
    """Encodes a sound, as it is needed, into a track of an mp4 file.

    Rates that AAC does not have, or that not every player decodes, become
    the next higher one, or 48 kHz.

    Args:
        container: Open for writing; it gets one more track, unless the sound
            is empty.
        sound: Where the sound comes from.
    """

    def __init__(self, container: Any, sound: SoundTrack) -> None:
        self._container, self._sound = container, sound
        self._num_samples = 0
        self._blocks = _blocks(sound)
        # One ahead: players stumble over a track without a sample.
        self._block = next(self._blocks, None)
        self._stream: Any = None
        if self._block is None:
            return
        higher = [rate for rate in _RATES_HZ if rate >= sound.sample_rate_hz]
        rate_hz = min(higher, default=max(_RATES_HZ))
        bits_hz = min(_BITS_PER_SAMPLE * rate_hz, _MAX_BITS_HZ)
        self._stream = container.add_stream(
            'aac',
            rate=rate_hz,
            layout='mono' if sound.num_channels == 1 else 'stereo',
            bit_rate=sound.num_channels * bits_hz,
            options=_OPTIONS,
        )

    def write(self, until_s: float | Fraction) -> None:
        """Encode the sound up to a time, to the sample, or its end.

        Args:
            until_s: In seconds since it began.
        """
        end = round(until_s * self._sound.sample_rate_hz)
        while self._block is not None and self._num_samples < end:
            self._encode(self._block, end - self._num_samples)

    def finish(self) -> None:
        """Encode what is left of the sound, unless it is endless."""
        if self._stream is None:
            return
        while self._block is not None and not self._sound.is_endless:
            self._encode(self._block, self._block.shape[1])
        self._container.mux(self._stream.encode(None))

    def _encode(self, block: np.ndarray, num_samples: int) -> None:
        """Encode the first samples of the block, and go on behind them."""
        samples, rest = np.split(block, [num_samples], axis=1)
        rate_hz = self._sound.sample_rate_hz
        frame = av.AudioFrame.from_ndarray(
            np.ascontiguousarray(samples, np.float32),
            format='fltp',
            layout=self._stream.layout.name,
        )
        frame.sample_rate = rate_hz
        frame.time_base = Fraction(1, rate_hz)
        frame.pts = self._num_samples
        self._num_samples += frame.samples
        # Where the track has another rate, this resamples.
        self._container.mux(self._stream.encode(frame))
        self._block = rest if rest.size else next(self._blocks, None)


def _blocks(sound: SoundTrack) -> Iterator[np.ndarray]:
    """The sound in short pieces, (channels, n) float32."""
    for chunk in sound.chunks:
        if chunk.ndim != 2 or len(chunk) != sound.num_channels:
            raise ValueError(
                f'a chunk of sound must be ({sound.num_channels}, n), got '
                f'{chunk.shape}'
            )
        for first in range(0, chunk.shape[1], _BLOCK):
            yield chunk[:, first : first + _BLOCK]
