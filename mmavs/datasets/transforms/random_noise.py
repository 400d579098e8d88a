"""Clips with noise."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from mmcv.transforms.utils import cache_randomness
from mmseg.registry import TRANSFORMS

from mmavs.datasets.transforms.audio_augmentation import (
    AudioAugmentation,
    check_range,
)

# colour -> a, the power density falls as 1 / f^a
NOISE_EXPONENTS = dict(white=0.0, pink=1.0)
# Nothing below is heard, nor seen by the front end (125 Hz and up), but most
# of the power of pink noise would lie there and count in the SNR.
LOWEST_HZ = 20.0


def coloured_noise(
    num_samples: int,
    sample_rate_hz: float,
    colour: str,
    generator: np.random.Generator,
) -> np.ndarray:
    """Draw Gaussian noise whose power density falls as a power of f.

    Args:
        num_samples: S, at least 2.
        sample_rate_hz: The rate of the samples.
        colour: A name in ``NOISE_EXPONENTS``.
        generator: Where the numbers come from.

    Shapes:
        - return: (S,) float32.

    Returns:
        np.ndarray: Noise of mean 0 and RMS 1, exactly.

    Raises:
        ValueError: If a single sample is asked for: it has no spectrum.

    Equation:
        Inverse FFT of f^(-a/2) times complex normal numbers, for f of at
        least 20 Hz (Timmer and König, 1995).
    """
    if num_samples < 2:
        raise ValueError(f'noise needs at least 2 samples, got {num_samples}')
    frequency_hz = np.fft.rfftfreq(num_samples, 1 / sample_rate_hz)
    amplitude = np.zeros_like(frequency_hz)
    heard = frequency_hz >= LOWEST_HZ
    amplitude[heard] = frequency_hz[heard] ** (-NOISE_EXPONENTS[colour] / 2)
    real, imaginary = generator.standard_normal((2, len(amplitude)))
    noise = np.fft.irfft(amplitude * (real + 1j * imaginary), num_samples)
    return (noise / np.sqrt(np.mean(noise**2))).astype(np.float32)


def add_noise(
    waveform: np.ndarray,
    noise: np.ndarray,
    snr_db: float,
    floor_dbfs: float = -60.0,
) -> np.ndarray:
    """Add noise at a signal-to-noise ratio.

    Args:
        waveform: The signal.
        noise: Noise of RMS 1.
        snr_db: Ratio of their powers over the whole clip.
        floor_dbfs: A signal softer than this counts as this loud, so that
            the noise of a silent clip has a level, a very low one.

    Shapes:
        - waveform, noise, return: (S,) float32.

    Returns:
        np.ndarray: Signal and noise.
    """
    rms = np.sqrt(np.mean(np.square(waveform, dtype=np.float64)))
    level = max(rms, 10 ** (floor_dbfs / 20)) * 10 ** (-snr_db / 20)
    return waveform + np.float32(level) * noise


class NoiseDraw(NamedTuple):
    """What was drawn for one clip; ``seed`` gives the samples."""

    colour: str
    snr_db: float
    seed: int


@TRANSFORMS.register_module()
class RandomNoise(AudioAugmentation):
    """Add white or pink noise to the whole of a clip.

    Between ``LoadAudio`` and ``VGGishLogMel``. Keys as in
    :class:`AudioAugmentation`; also ``sample_rate_hz`` is required.

    Args:
        snr_db (Sequence[float]): The smallest and the largest ratio of the
            signal's power to the noise's; each in between is as likely.
            Defaults to (15, 40).
        colours (Sequence[str]): One of them is drawn: 'white' has the same
            power in every hertz, 'pink' in every octave, as many natural
            backgrounds. Defaults to both.
        floor_dbfs (float): A clip softer than this, in decibels below a full
            scale of RMS 1, gets noise as if it were this loud. Defaults to
            -60.
        prob (float): How likely a clip is changed. Defaults to 0.5.

    Raises:
        ValueError: If a value is out of range, or the clip has no waveform.
    """

    def __init__(
        self,
        snr_db: Sequence[float] = (15.0, 40.0),
        colours: Sequence[str] = ('white', 'pink'),
        floor_dbfs: float = -60.0,
        prob: float = 0.5,
    ) -> None:
        super().__init__(prob)
        self.snr_db = check_range('snr_db', snr_db)
        unknown = set(colours) - NOISE_EXPONENTS.keys()
        if isinstance(colours, str) or unknown or not colours:
            raise ValueError(
                f'colours must be a list of {sorted(NOISE_EXPONENTS)}, got '
                f'{colours!r}'
            )
        self.colours = tuple(colours)
        self.floor_dbfs, _ = check_range('floor_dbfs', (floor_dbfs, 0))

    @cache_randomness
    def _draw(self, results: dict) -> NoiseDraw | None:
        if not self._is_chosen():
            return None
        return NoiseDraw(
            colour=self.colours[np.random.randint(len(self.colours))],
            snr_db=np.random.uniform(*self.snr_db),
            seed=np.random.randint(2**31),
        )

    def _augment(self, results: dict, drawn: NoiseDraw) -> np.ndarray:
        noise = coloured_noise(
            len(results['waveform']),
            results['sample_rate_hz'],
            drawn.colour,
            np.random.default_rng(drawn.seed),
        )
        return add_noise(
            results['waveform'], noise, drawn.snr_db, self.floor_dbfs
        )

    def __repr__(self) -> str:
        return (
            f'{self.__class__.__name__}(snr_db={self.snr_db}, '
            f'colours={self.colours}, floor_dbfs={self.floor_dbfs}, '
            f'prob={self.prob})'
        )
