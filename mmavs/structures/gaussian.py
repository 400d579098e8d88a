"""The diagonal Gaussian: the one owner of a mean and a log-variance."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class DiagonalGaussian:
    """A batch of Gaussians with diagonal covariance.

    Whatever is sampled is also what the divergences measure: both read the
    same ``mean`` and ``log_var``, and the standard deviation is
    ``exp(log_var / 2)`` everywhere.

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

    def select(self, index: Tensor) -> DiagonalGaussian:
        """Keep the rows of ``index`` (M,), as Gaussians of shape (M, K)."""
        return DiagonalGaussian(self.mean[index], self.log_var[index])
