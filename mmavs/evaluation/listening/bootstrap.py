"""Intervals of means over clips, by drawing the clips again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Estimate:
    """A number and its interval.

    Attributes:
        value: of the clips as they are; NaN where it does not exist.
        low: lower end of the interval of ``CONFIDENCE``.
        high: upper end.
    """

    value: float
    low: float
    high: float

    @classmethod
    def of(cls, value: float, draws: np.ndarray) -> Estimate:
        """Make the percentile interval of what the draws give.

        Args:
            value: of the clips as they are.
            draws: the same number of every resampled set, (R,).
        """
        known = draws[~np.isnan(draws)]
        if np.isnan(value) or not len(known):
            return cls(float(value), np.nan, np.nan)
        tail = (1 - CONFIDENCE) / 2
        low, high = np.quantile(known, [tail, 1 - tail])
        return cls(float(value), float(low), float(high))

    def __str__(self) -> str:
        if np.isnan(self.value):
            return '–'
        return f'{self.value:.2f} [{self.low:.2f}, {self.high:.2f}]'


def number_scenes(
    video_ids: Sequence[str], twins: Mapping[str, str]
) -> np.ndarray:
    """Number the scenes: a clip and its twin show the same one.

    Args:
        video_ids: the C clips.
        twins: clip -> its twin, as far as it has one.

    Shapes:
        - returns: (C,), whole numbers from 0 up without a gap.
    """
    names = [min(name, twins.get(name, name)) for name in video_ids]
    return np.unique(names, return_inverse=True)[1]


def resample_clips(
    scenes: np.ndarray, num_bootstrap: int, seed: int = 0
) -> np.ndarray:
    """Draw sets of clips with replacement, the clips of a scene together.

    Twins show the same frames: drawn apart they would count as two
    independent clips, and intervals would be too narrow.

    Args:
        scenes: the scene of each clip, from 0 up.
        num_bootstrap: R.
        seed: what is drawn.

    Shapes:
        - scenes: (C,).
        - returns: (R, C) float64, how often each clip is in a drawn set.

    Raises:
        ValueError: if there is no clip, or nothing is to be drawn.
    """
    if len(scenes) < 1 or num_bootstrap < 1:
        raise ValueError(
            'the bootstrap needs at least one clip and one draw, got '
            f'{len(scenes)} clips and num_bootstrap={num_bootstrap}'
        )
    return draw_scenes(int(scenes.max()) + 1, num_bootstrap, seed)[:, scenes]


def draw_scenes(num_scenes: int, num_bootstrap: int, seed: int) -> np.ndarray:
    """How often each of G scenes is in each of R sets drawn of them.

    Shapes:
        - returns: (R, G) float64, rows sum to G.
    """
    counts = np.random.default_rng(seed).multinomial(
        num_scenes, np.full(num_scenes, 1 / num_scenes), size=num_bootstrap
    )
    return counts.astype(np.float64)
