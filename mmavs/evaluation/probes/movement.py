"""How far codes move, and how much they say at all."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mmavs.evaluation.listening.bootstrap import Estimate

# A dimension is active if its means vary by more than this share of its noise.
ACTIVE_SHARE = 0.01
# Samples that say less about their frames say next to nothing; two objects
# are told apart with 0.69.
LITTLE_NATS = 0.1


def code_movement(
    matched: np.ndarray,
    moved: np.ndarray,
    groups: np.ndarray,
    weights: np.ndarray,
) -> Estimate:
    """How far a code moves when the sound is another one.

    Args:
        matched: the code with the clip's own sound.
        moved: with another sound, the frames as before.
        groups: scene of each frame, 0 to G - 1.
        weights: how often each scene counts in each resampling.

    Shapes:
        - matched, moved: (N, K); groups: (N,); weights: (B, G).

    Returns:
        1 where it moves as far as from a frame to a random other one, 0
        where it stays; NaN for a code that is the same everywhere.

    Equation:
        mean_n |moved_n - matched_n|^2 / (2 sum_k Var_n(matched_nk)): the
        expected squared distance of two independent draws is twice the
        variance.
    """
    # Centred first: variances as differences of large squares lose digits.
    centred = (matched - matched.mean(0)).astype(float)
    distance = np.square(moved.astype(float) - matched).sum(1)
    table = np.column_stack(
        [np.ones(len(centred)), distance, np.square(centred).sum(1), centred]
    )
    sums = np.zeros((weights.shape[1], table.shape[1]))
    np.add.at(sums, groups, table)
    scale = np.square(matched, dtype=float).sum(1).mean()

    def ratio(weight: np.ndarray) -> np.ndarray:
        total = weight @ sums
        mean = total[..., 1:] / np.maximum(total[..., :1], 1)
        variance = mean[..., 1] - np.square(mean[..., 2:]).sum(-1)
        return np.divide(
            mean[..., 0],
            2 * variance,
            out=np.full(variance.shape, np.nan),
            where=variance > 1e-12 * scale,
        )

    once = ratio(np.ones(weights.shape[1]))
    return Estimate.of(float(once), ratio(weights))


@dataclass(frozen=True)
class CodeSpread:
    """How the means of a code spread, beside the noise of its samples.

    Attributes:
        size: K.
        mean_variance: variance of the means over frames, averaged over K.
        noise_variance: the variance that the prior gives a sample, averaged
            over frames and K.
        information_nats: what a sample says about the frame it is of, as if
            means were Gaussian: an upper bound of how much a decoder can
            read from it in training.
        active: dimensions whose means vary by more than ``ACTIVE_SHARE`` of
            the noise.
    """

    size: int
    mean_variance: float
    noise_variance: float
    information_nats: float
    active: int

    @property
    def ratio(self) -> float:
        """Variance of the means over that of the noise."""
        return self.mean_variance / self.noise_variance

    @property
    def hardly_varies(self) -> bool:
        """Whether samples of one frame are next to those of any other."""
        return self.information_nats < LITTLE_NATS


def code_spread(means: np.ndarray, variances: np.ndarray) -> CodeSpread:
    """Compare the spread of the means with the variance of the samples.

    Args:
        means: mean of the prior of each frame.
        variances: its variance.

    Shapes:
        - means, variances: (N, K).

    Equation:
        information = 1/2 sum_k log(1 + Var_n(mean_nk) / mean_n(var_nk)),
        the mutual information of a Gaussian channel.
    """
    spread = means.astype(float).var(0)
    noise = variances.astype(float).mean(0)
    return CodeSpread(
        size=means.shape[1],
        mean_variance=float(spread.mean()),
        noise_variance=float(noise.mean()),
        information_nats=float(0.5 * np.log1p(spread / noise).sum()),
        active=int((spread > ACTIVE_SHARE * noise).sum()),
    )
