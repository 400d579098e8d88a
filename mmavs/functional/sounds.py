"""Sounds that take the place of a clip's own, or are mixed into it."""

from __future__ import annotations

import numpy as np

# Each block has a random stream of its own, so that a stretch from the middle
# of a long noise costs no more than its own length.
_BLOCK = 16_384
# colour -> a, the power density falls as 1 / f^a
NOISE_EXPONENTS = dict(white=0.0, pink=1.0)
# Nothing below is heard, nor seen by the front end (125 Hz and up), but most
# of the power of pink noise would lie there and count in the SNR.
LOWEST_HZ = 20.0


def silence(num_samples: int) -> np.ndarray:
    """Make samples that are zero.

    Args:
        num_samples: S.

    Shapes:
        - return: (S,) float32.
    """
    return np.zeros(num_samples, np.float32)


def white_noise(
    num_samples: int, start: int = 0, seed: int = 0, rms: float = 0.1
) -> np.ndarray:
    """Make a stretch of an endless Gaussian noise.

    A sample depends on the seed and on its place in the noise, not on the
    stretch that is asked for: stretches fit together, at any cut.

    Args:
        num_samples: S.
        start: place of the first sample.
        seed: which noise.
        rms: standard deviation of the samples, whose full scale is 1. The
            default is 20 dB below it, about as loud as speech.

    Shapes:
        - return: (S,) float32.

    Raises:
        ValueError: If the start or the number of samples is negative.
    """
    if num_samples < 0 or start < 0:
        raise ValueError(
            'num_samples and start must be at least 0, got '
            f'{num_samples} and {start}'
        )
    first, end = start // _BLOCK, -(-(start + num_samples) // _BLOCK)
    blocks = [
        np.random.default_rng((seed, block)).standard_normal(_BLOCK)
        for block in range(first, end)
    ]
    noise = np.concatenate(blocks or [np.empty(0)])[start - first * _BLOCK :]
    return (rms * noise[:num_samples]).astype(np.float32)


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
    return (noise / root_mean_square(noise)).astype(np.float32)


def root_mean_square(waveform: np.ndarray) -> float:
    """Level of a sound; a full scale is 1.

    Shapes:
        - waveform: (S,)
    """
    return float(np.sqrt(np.mean(np.square(waveform, dtype=np.float64))))


def mix_at_snr(
    waveform: np.ndarray,
    other: np.ndarray,
    snr_db: float,
    floor_dbfs: float = -60.0,
) -> np.ndarray:
    """Add another sound at a signal-to-noise ratio.

    The signal keeps its level. What gets louder than full scale is not
    clipped: clipping would add harmonics that nothing in the clip makes.

    Args:
        waveform: The signal.
        other: What is added; its level plays no part. A shorter one is
            repeated, of a longer one the beginning is taken.
        snr_db: Ratio of their powers over the whole clip.
        floor_dbfs: A sound softer than this counts as this loud, because a
            silent one has no ratio to anything: what is added to a silent
            clip has a level, a very low one, and a silent sound that is
            added stays silent.

    Shapes:
        - waveform, return: (S,) float32.
        - other: (S',) float32.

    Returns:
        np.ndarray: Both.
    """
    other = np.resize(other, len(waveform))
    floor = 10 ** (floor_dbfs / 20)
    level = max(root_mean_square(waveform), floor) * 10 ** (-snr_db / 20)
    gain = level / max(root_mean_square(other), floor)
    return waveform + np.float32(gain) * other


def rotate_sound(waveform: np.ndarray, shift_samples: int) -> np.ndarray:
    """Move a sound in time; what leaves at one end enters at the other.

    Args:
        waveform: Samples.
        shift_samples: How much later each sample comes; earlier if
            negative.

    Shapes:
        - waveform, return: (S,).

    Raises:
        ValueError: If the shift is as long as the sound or longer.
    """
    if abs(shift_samples) >= len(waveform):
        raise ValueError(
            f'a sound of {len(waveform)} samples cannot be moved by '
            f'{shift_samples}, only by fewer than it has'
        )
    return np.roll(waveform, shift_samples)


def draw_derangement(
    num_items: int, generator: np.random.Generator
) -> np.ndarray:
    """Draw an order in which no item keeps its place; all are as likely.

    Args:
        num_items: N, at least 2.
        generator: Where the numbers come from.

    Shapes:
        - return: (N,) int64, the item that comes to each place.

    Raises:
        ValueError: If there is no such order.
    """
    if num_items < 2:
        raise ValueError(
            'at least 2 items are needed for an order in which none keeps '
            f'its place, got {num_items}'
        )
    places = np.arange(num_items)
    while True:  # one permutation in e is one, whatever the number
        order = generator.permutation(num_items)
        if (order != places).all():
            return order


def reorder_blocks(
    waveform: np.ndarray, order: np.ndarray, block_samples: int
) -> np.ndarray:
    """Bring the blocks at the beginning of a sound into another order.

    Args:
        waveform: Samples; those after the last block stay.
        order: For each place the number of the block that comes there.
        block_samples: Length of a block.

    Shapes:
        - waveform, return: (S,), S at least P * block_samples.
        - order: (P,) int.
    """
    end = len(order) * block_samples
    blocks = waveform[:end].reshape(len(order), block_samples)
    return np.concatenate([blocks[order].ravel(), waveform[end:]])
