"""Log-mel patches around the times of frames."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from mmavs.functional.log_mel import (
    MIN_SAMPLES,
    SAMPLE_RATE_HZ,
    vggish_log_mel,
)
from mmavs.inference.recordings import Sound


class Patch(NamedTuple):
    """A patch, and when it begins in seconds since the first frame.

    Shapes:
        - log_mel: (96, 64) float32.
    """

    log_mel: np.ndarray
    start_s: float


class PatchReader:
    """Reads the patch around each of ascending times.

    A patch is 15,600 samples at 16 kHz, [t - 0.4875, t + 0.4875] s. Where it
    reaches over an end of the sound it is shifted to lie within; behind the
    sound, where nothing of it is left, there is silence.

    The sound is read by the second, and the samples of a patch are those of
    the whole sound at 16 kHz whatever the frame rate. No more than some
    seconds of it are held.

    Args:
        sound: open, at its beginning; one patch long at least.
    """

    def __init__(self, sound: Sound) -> None:
        self._sound = sound
        self._seconds: dict[int, np.ndarray] = {}

    def read(self, time_s: float) -> Patch:
        """The patch around a time.

        Args:
            time_s: seconds since the first frame, no earlier than before.
        """
        centre = round(time_s * SAMPLE_RATE_HZ)
        start = max(centre - MIN_SAMPLES // 2, 0)
        # Held as far back as the patch may have to be shifted.
        held = max(start - MIN_SAMPLES, 0)
        samples = self._hold(held, start + MIN_SAMPLES)
        if self._sound.end_s is not None:
            end = round(self._sound.end_s * SAMPLE_RATE_HZ)
            if start < end:
                start = min(start, end - MIN_SAMPLES)
        patch = samples[start - held :][:MIN_SAMPLES]
        return Patch(vggish_log_mel(patch, 1)[0], start / SAMPLE_RATE_HZ)

    def _hold(self, start: int, stop: int) -> np.ndarray:
        """Samples from ``start`` to ``stop``; earlier ones are forgotten."""
        first, last = start // SAMPLE_RATE_HZ, (stop - 1) // SAMPLE_RATE_HZ
        self._seconds = {
            second: self._seconds[second]
            if second in self._seconds
            else self._sound.read(second, 1).waveform
            for second in range(first, last + 1)
        }
        samples = np.concatenate(list(self._seconds.values()))
        begin = first * SAMPLE_RATE_HZ
        return samples[start - begin : stop - begin]
