"""Kinds of sounds that nothing in a clip makes, and how likely each is."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

# What takes the place of a sound; no object makes it.
FOREIGN = ('silence', 'white_noise', 'pink_noise', 'off_screen')
NEGATIVE_KINDS = (*FOREIGN, 'mixed', 'partial')
DEFAULT_KINDS = dict(
    silence=1, white_noise=1, pink_noise=1, off_screen=2, mixed=1, partial=2
)


def check_kinds(kinds: Mapping[str, float]) -> dict[str, float]:
    """Return how likely each kind of negative is.

    Args:
        kinds: kind -> weight; those of weight 0 are not asked for.

    Returns:
        dict[str, float]: those asked for, in the order of
        ``NEGATIVE_KINDS``; the weights sum to 1.

    Raises:
        ValueError: If a kind is unknown, a weight is none, or ``mixed`` or
            ``partial`` has nothing to put in.
    """
    unknown = sorted(set(kinds) - set(NEGATIVE_KINDS))
    if unknown:
        raise ValueError(
            f'kinds must be among {NEGATIVE_KINDS}, got {unknown}'
        )
    if not all(0 <= weight < math.inf for weight in kinds.values()) or not (
        any(kinds.values())
    ):
        raise ValueError(
            'kinds must have finite weights of at least 0, not all of them '
            f'0, got {dict(kinds)}'
        )
    total = sum(kinds.values())
    asked = {
        kind: kinds[kind] / total for kind in NEGATIVE_KINDS if kinds.get(kind)
    }
    for kind in ('mixed', 'partial'):
        if kind in asked and not foreign_weights(kind, asked):
            raise ValueError(
                f'kind {kind!r} puts in what the other kinds are, so it '
                f'needs one of {FOREIGN[kind == "mixed" :]} besides, got '
                f'{sorted(asked)}'
            )
    return asked


def foreign_weights(kind: str, kinds: Mapping[str, float]) -> dict[str, float]:
    """What a kind of negative may put in, with its weight."""
    if kind in FOREIGN:
        return {kind: 1.0}
    # Silence added to a sound would leave it as it is.
    usable = FOREIGN[1:] if kind == 'mixed' else FOREIGN
    return {name: kinds[name] for name in usable if name in kinds}


def draw_name(weights: Mapping[str, float], value: float) -> str:
    """Name at a place in [0, 1) of the weights laid end to end."""
    ends = np.cumsum(list(weights.values()))
    index = np.searchsorted(ends, value * ends[-1], side='right')
    return list(weights)[min(index, len(ends) - 1)]
