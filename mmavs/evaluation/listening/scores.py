"""How quiet a model is where nothing sounds, and one score for all of it."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from mmavs.evaluation.listening.clip_sums import ClipSums

QUIET_CONDITIONS = ('silence', 'white_noise', 'swapped')
"""tuple[str]: sounds with which nothing of the picture sounds."""


def quietness(
    conditions: Mapping[str, ClipSums], weights: np.ndarray
) -> np.ndarray:
    """How much less is marked under sounds that nothing of the picture makes.

    Args:
        conditions: ``matched`` and those of ``QUIET_CONDITIONS``.
        weights: of R sets of clips.

    Shapes:
        - weights: (R, C).
        - returns: (R,), from 0 to 1; NaN unless all of them were played.

    Equation:
        mean over the conditions c of max(0, 1 - p_c / min(g, p)), p_c and p
        the shares of the pixels that are marked under c and under the own
        sound, g the share that sounds with the own sound, each over all
        frames that have the sound. 1 if nothing is marked under c; 0 if the
        sound makes no difference, if no less is marked than what sounds
        otherwise, or if nothing is ever marked.
    """
    if not {'matched', *QUIET_CONDITIONS} <= conditions.keys():
        return np.full(len(weights), np.nan)
    values = []
    for name in QUIET_CONDITIONS:
        # Of the same clips, so that a deaf model has exactly 0.
        present = weights * conditions[name].present
        own = conditions['matched'].means(present)
        marked = conditions[name].means(weights)['foreground_share']
        bound = np.minimum(own['truth_share'], own['foreground_share'])
        with np.errstate(invalid='ignore', divide='ignore'):
            ratio = np.where(bound > 0, marked / bound, 1.0)
        values.append(np.maximum(0.0, 1 - ratio))
    return np.mean(values, axis=0)


def listening_score(miou: np.ndarray, quiet: np.ndarray) -> np.ndarray:
    """Harmonic mean of the matched mIoU and the quietness.

    Neither alone is listening: a model that marks all objects always has the
    one, a model that hardly marks anything the other.

    Shapes:
        - miou, quiet: (R,).
        - returns: (R,), 0 where one of them is 0.

    Equation:
        2 m q / (m + q).
    """
    total = miou + quiet
    return np.where(
        total > 0, 2 * miou * quiet / np.where(total > 0, total, 1), total
    )
