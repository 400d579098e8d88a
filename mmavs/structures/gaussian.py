"""The diagonal Gaussian: the one owner of a mean and a log-variance."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class DiagonalGaussian:
    """A batch of Gaussians with diagonal covariance.

    Samples and divergences of it read the same ``mean`` and ``log_var``: the
    standard deviation is ``exp(log_var / 2)`` everywhere.

    Args:
        mean: location.
        log_var: natural logarithm of the variance.

    Shapes:
        - mean, log_var: (N, K).

    Raises:
        ValueError: if the two shapes differ.
    """

    mean: Tensor
    log_var: Tensor

    def __post_init__(self) -> None:
        if self.mean.shape != self.log_var.shape:
            raise ValueError(
                'mean and log_var must have one shape, got '
                f'{tuple(self.mean.shape)} and {tuple(self.log_var.shape)}'
            )

    @property
    def std(self) -> Tensor:
        """Standard deviation, (N, K)."""
        return torch.exp(0.5 * self.log_var)

    def rsample(self) -> Tensor:
        """Draw one reparametrised sample, (N, K).

        Equation: z = mean + std * eps, eps ~ N(0, I) (Kingma and Welling,
        2014).
        """
        return self.mean + self.std * torch.randn_like(self.mean)

    def log_prob(self, z: Tensor) -> Tensor:
        """Log-density of each row, in nats.

        Shapes:
            - z: (N, K).
            - returns: (N,), summed over K.

        Equation:
            -0.5 * sum_k [ (z - mean)^2 / var + log_var + log(2 pi) ].
        """
        # The distance is scaled before it is squared: it stays within range
        # twice as far.
        distance = (z - self.mean) * torch.exp(-0.5 * self.log_var)
        per_dimension = (
            distance.square() + self.log_var + math.log(2 * math.pi)
        )
        return -0.5 * per_dimension.sum(1)

    def with_log_std(self) -> DiagonalGaussian:
        """The Gaussian of which ``log_var`` is the log of the deviation.

        Another Gaussian than the one that :meth:`rsample` draws from; see
        ``log_std`` of the divergences.
        """
        return DiagonalGaussian(self.mean, 2 * self.log_var)

    def select(self, index: Tensor) -> DiagonalGaussian:
        """Keep the rows of ``index`` (M,), as Gaussians of shape (M, K)."""
        return DiagonalGaussian(self.mean[index], self.log_var[index])
