"""Where every decision about a clip takes its randomness from."""

import numpy as np

from mmavs.datasets.layout import SPLITS

from .subsets import SUBSETS

__all__ = ['clip_rng']

_STREAMS = (
    'species',
    'scene',
    'sounding',
    'voices',
    'name',
    'swap',
    'off_screen',
)


def clip_rng(seed, subset, split, index, stream):
    """The generator of one kind of decision about one clip.

    Args:
        seed (int): seed of the set, not negative.
        subset (str): a key of :data:`subsets.SUBSETS`.
        split (str): ``train``, ``val`` or ``test``.
        index (int): index of the clip or of its scene.
        stream (str): the kind of decision, one of ``species``, ``scene``,
            ``sounding``, ``voices``, ``name``, ``swap``, ``off_screen``.

    Returns:
        np.random.Generator: independent of every other one.
    """
    key = (
        list(SUBSETS).index(subset),
        SPLITS.index(split),
        index,
        _STREAMS.index(stream),
    )
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=key))
