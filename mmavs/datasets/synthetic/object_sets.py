"""The sets of objects of a scene, and how often each of them sounds."""

from __future__ import annotations

from functools import cache

import numpy as np

from .sounding import ONLY_SHARE, draw_sounding
from .subsets import SUBSETS

__all__ = ['object_sets', 'set_indices', 'sounding_distribution']

# Leaves an error of about 0.003 in a share.
_NUM_DRAWS = 5000


def object_sets(num_objects: int) -> np.ndarray:
    """Every set of the objects of a scene.

    Args:
        num_objects: n.

    Returns:
        bool (2^n, n): object i is in set j where bit i of j is 1, so set 0
        is empty and the last one has all objects.
    """
    sets = np.arange(2**num_objects)[:, None]
    return (sets >> np.arange(num_objects)) % 2 == 1


def set_indices(sounding: np.ndarray) -> np.ndarray:
    """Find which of the sets of :func:`object_sets` sounds.

    Args:
        sounding: bool (n, T).

    Returns:
        int (T,).
    """
    return 2 ** np.arange(len(sounding)) @ sounding


@cache
def _size_shares(
    subset: str, num_objects: int, silent_share: float
) -> tuple[float, ...]:
    """Share of the seconds in which so many objects sound, (n + 1)."""
    kind, rng = SUBSETS[subset], np.random.default_rng(0)
    num_frames = kind.layout.num_frames[subset]
    counts = np.zeros(num_objects + 1)
    for _ in range(_NUM_DRAWS):
        for sounding in draw_sounding(
            kind.changes, num_objects, num_frames, silent_share, rng
        ):
            counts += np.bincount(sounding.sum(0), minlength=len(counts))
    return tuple(counts / counts.sum())


def sounding_distribution(
    subset: str, num_objects: int, silent_share: float, off_screen: str
) -> np.ndarray:
    """How often each set of the objects in view sounds, for who cannot hear.

    Found by drawing as the generator does, with a fixed seed. Objects are
    exchangeable, so sets of one size are equally likely.

    Args:
        subset: ``s4`` or ``ms3``.
        num_objects: n, objects in view.
        silent_share: share of the seconds without any sounding object.
        off_screen: one of :data:`subsets.OFF_SCREEN_KINDS`.

    Returns:
        float64 (2^n,), the probabilities of the sets of
        :func:`object_sets`.
    """
    shares = np.array(_size_shares(subset, num_objects, silent_share))
    sizes = object_sets(num_objects).sum(1)
    probabilities = (shares / np.bincount(sizes))[sizes]
    if off_screen == 'only':
        probabilities *= 1.0 - ONLY_SHARE
        probabilities[0] += ONLY_SHARE
    return probabilities
