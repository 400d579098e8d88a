"""Many channels made two."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

# What is at the side, behind or in the middle is heard less.
_ASIDE = 0.5**0.5


def to_stereo(channels: np.ndarray, names: Sequence[str]) -> np.ndarray:
    """Mix channels to left and right.

    Each side is a weighted mean of its channels and those in the middle, so
    that it cannot exceed full scale; low-frequency effects are left out, as
    players do.

    Args:
        channels: Samples of all channels; two are returned as they are.
        names: FFmpeg's names of the channels, ``FL`` or ``LFE`` say.

    Shapes:
        - channels: (C, n)
        - return: (2, n) float64
    """
    if len(channels) == 2:
        return channels
    weights = np.array([_weights(name) for name in names])
    weights[:, weights.sum(axis=0) == 0] = 1
    return (weights / weights.sum(axis=0)).T @ channels


def _weights(name: str) -> tuple[float, float]:
    """Of a channel, for left and right."""
    if name.startswith('LFE'):
        return 0.0, 0.0
    if name in ('FL', 'FR'):
        return float(name == 'FL'), float(name == 'FR')
    # The last letter tells the side, but for those beside the middle.
    side = name.removesuffix('C')[-1:] if name in ('FLC', 'FRC') else name[-1:]
    return _ASIDE * (side != 'R'), _ASIDE * (side != 'L')
