"""Orthogonality and mutual information of the latent codes."""

from __future__ import annotations

import torch
from torch import Tensor


def orthogonality(a: Tensor, b: Tensor, eps: float = 1e-6) -> Tensor:
    """How much two sets of samples share, as a scalar >= 0.

    Both are centred over the batch, each row is divided by its L2 norm
    (a constant to the gradient), and the squared entries of ``a.T @ b`` are
    averaged: a soft subspace-orthogonality constraint. With a single frame
    the centred samples are zero, and so is the value.

    Shapes:
        - a, b: (N, K).
        - returns: scalar.
    """
    a, b = _centre_and_normalise(a, eps), _centre_and_normalise(b, eps)
    return (a.transpose(0, 1) @ b).square().mean()


def _centre_and_normalise(x: Tensor, eps: float) -> Tensor:
    x = x - x.mean(dim=0, keepdim=True)
    norm = torch.linalg.vector_norm(x, dim=1, keepdim=True).detach()
    return x / (norm + eps)


def gaussian_log_likelihood(
    target: Tensor, mean: Tensor, log_var: Tensor, normalised: bool = True
) -> Tensor:
    """Log-likelihood of each row, up to a constant.

    Args:
        target: what is to be likely.
        mean: location of the Gaussian.
        log_var: logarithm of its variance.
        normalised: include ``-0.5 * log_var``. The published bound leaves it
            out, and can then grow by widening the Gaussian alone.

    Shapes:
        - target, mean, log_var: (N, D).
        - returns: (N,), summed over D; ``log(2 pi)`` is left out.

    Equation:
        sum_d [ -0.5 (target - mean)^2 / exp(log_var) - 0.5 log_var ]: the
        variational lower bound of the mutual information (Barber and
        Agakov, 2003) up to the constant entropy of the target.
    """
    value = -0.5 * (target - mean).square() * torch.exp(-log_var)
    if normalised:
        value = value - 0.5 * log_var
    return value.sum(1)
