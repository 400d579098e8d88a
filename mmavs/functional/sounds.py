"""Sounds that take the place of a clip's own."""

from __future__ import annotations

import numpy as np

# Each block has a random stream of its own, so that a stretch from the middle
# of a long noise costs no more than its own length.
_BLOCK = 16_384


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
