"""The area under the ROC curve, with an interval over groups of frames."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class PairWins:
    """How often a positive frame scores above a negative one, by group.

    The area under the ROC curve is the share of the pairs of a positive and
    a negative that are in the right order. Counted by group, it can be
    computed again for any weights of the groups without another look at the
    frames: that is what a bootstrap does.

    Attributes:
        wins: pairs with the positive of group g above the negative of
            group h; ties count one half.
        positives: positive frames of each group.
        negatives: negative frames of each group.

    Shapes:
        - wins: (G, G); positives, negatives: (G,).
    """

    wins: np.ndarray
    positives: np.ndarray
    negatives: np.ndarray

    def auc(self, weights: np.ndarray | None = None) -> np.ndarray:
        """Area for every row of weights.

        Args:
            weights: how often each group counts; by default once.

        Shapes:
            - weights: (..., G).
            - returns: (...), NaN where there is no positive or no negative.

        Equation:
            sum_gh w_g w_h wins_gh / (sum_g w_g positives_g
            sum_h w_h negatives_h).
        """
        if weights is None:
            weights = np.ones(len(self.positives))
        pairs = (weights @ self.positives) * (weights @ self.negatives)
        right = ((weights @ self.wins) * weights).sum(-1)
        return np.divide(
            right, pairs, out=np.full(np.shape(pairs), np.nan), where=pairs > 0
        )


def pair_wins(
    scores: np.ndarray, labels: np.ndarray, groups: np.ndarray, num_groups: int
) -> PairWins:
    """Count the pairs in the right order, group by group.

    Args:
        scores: higher means positive.
        labels: True where positive.
        groups: the group of each frame, 0 to ``num_groups`` - 1.
        num_groups: G.

    Shapes:
        - scores, labels, groups: (N,).
    """
    positive, negative = labels, ~labels
    order = np.argsort(groups[negative], kind='stable')
    below = scores[negative][order]
    present, starts = np.unique(groups[negative][order], return_index=True)
    wins = np.zeros((num_groups, num_groups))
    # A group at a time: all pairs at once would not fit into memory.
    for group in np.unique(groups[positive]) if len(starts) else ():
        above = scores[positive & (groups == group), None]
        right = (above > below).sum(0) + 0.5 * (above == below).sum(0)
        wins[group, present] = np.add.reduceat(right, starts)
    return PairWins(
        wins,
        np.bincount(groups[positive], minlength=num_groups).astype(float),
        np.bincount(groups[negative], minlength=num_groups).astype(float),
    )
