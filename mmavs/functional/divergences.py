"""Divergences between diagonal Gaussians, in closed form."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from mmavs.structures.gaussian import DiagonalGaussian


def gaussian_kl(q: DiagonalGaussian, p: DiagonalGaussian) -> Tensor:
    """Kullback-Leibler divergence KL(q || p) per frame.

    Shapes:
        - q, p: (N, K).
        - returns: (N,), summed over K, in nats.

    Equation:
        0.5 * sum_k [ log_var_p - log_var_q - 1
        + (var_q + (mean_q - mean_p)^2) / var_p ].
    """
    # exp(log_var_q - log_var_p) instead of a ratio of exponentials: it does
    # not turn into inf / inf at extreme log-variances.
    difference = q.mean - p.mean
    per_dimension = (
        p.log_var
        - q.log_var
        - 1
        + torch.exp(q.log_var - p.log_var)
        + difference.square() * torch.exp(-p.log_var)
    )
    return 0.5 * per_dimension.sum(1)


def geometric_mean(
    gaussians: Sequence[DiagonalGaussian], weights: Sequence[float]
) -> DiagonalGaussian:
    """Normalised weighted geometric mean of Gaussians, again a Gaussian.

    Shapes:
        - gaussians: each (N, K).
        - returns: (N, K).

    Raises:
        ValueError: if the weights are not as many as the Gaussians, not
            positive, or do not sum to 1.

    Equation:
        f ~ prod_i g_i^{w_i}: precision_f = sum_i w_i precision_i,
        mean_f = var_f * sum_i w_i precision_i mean_i (Sutter et al., 2020).
    """
    _check_weights(len(gaussians), weights)
    means = torch.stack([g.mean for g in gaussians])
    shape = (-1,) + (1,) * (means.dim() - 1)
    log_weights = means.new_tensor(weights).log().view(shape)
    # In the log domain, so that a variance of e^-20 beside one of e^20
    # neither overflows nor vanishes.
    log_terms = log_weights - torch.stack([g.log_var for g in gaussians])
    log_precision = torch.logsumexp(log_terms, dim=0)
    mean = (torch.exp(log_terms - log_precision) * means).sum(0)
    return DiagonalGaussian(mean, -log_precision)


def geometric_jsd(
    q: DiagonalGaussian,
    p: DiagonalGaussian,
    weights: Sequence[float] = (0.5, 0.5),
) -> Tensor:
    """Geometric Jensen-Shannon divergence per frame.

    The arithmetic mixture of the Jensen-Shannon divergence is replaced by
    the geometric mean, which keeps it in closed form. Zero at equality,
    never negative, symmetric for equal weights.

    Shapes:
        - q, p: (N, K).
        - returns: (N,), summed over K, in nats.

    Equation:
        JSD_G = w_0 KL(q || f) + w_1 KL(p || f), f the geometric mean of q
        and p (Eq. 10 and 13 of the supplement; Sutter et al., 2020).
    """
    mean = geometric_mean((q, p), weights)
    return weights[0] * gaussian_kl(q, mean) + weights[1] * gaussian_kl(
        p, mean
    )


def _check_weights(count: int, weights: Sequence[float]) -> None:
    if len(weights) != count:
        raise ValueError(
            f'{count} Gaussians need {count} weights, got {tuple(weights)}'
        )
    if min(weights) <= 0 or abs(sum(weights) - 1) > 1e-6:
        raise ValueError(
            'weights must be positive and sum to 1, got '
            f'{tuple(weights)} with sum {sum(weights)}'
        )
