"""Products of diagonal Gaussians, and divergences between them."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
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
    # The ratio of the variances from the difference of their logarithms: no
    # inf / inf at extreme ones. expm1 keeps the digits of nearly equal ones.
    log_ratio = q.log_var - p.log_var
    distance = (q.mean - p.mean).square() * torch.exp(-p.log_var)
    per_dimension = torch.expm1(log_ratio) - log_ratio + distance
    return 0.5 * per_dimension.sum(1)


def product_of_experts(
    gaussians: Sequence[DiagonalGaussian],
    weights: Sequence[float] | None = None,
    unit_expert: bool = False,
) -> DiagonalGaussian:
    """Normalised product of Gaussians, again a Gaussian.

    Args:
        gaussians: the experts.
        weights: factor on the precision of each expert; None for 1. They
            need not sum to 1: every expert adds certainty.
        unit_expert: multiply with N(0, I) too, with a weight of 1. It bounds
            the variance from above.

    Shapes:
        - gaussians: each (N, K).
        - returns: (N, K).

    Raises:
        ValueError: without an expert, or if the weights are not as many as
            the experts or not positive.

    Equation:
        f ~ prod_i g_i^{w_i}: precision_f = sum_i w_i precision_i,
        mean_f = var_f * sum_i w_i precision_i mean_i (Eq. 9 of the
        supplement; the weights are those of Cao and Fleet, 2014).
    """
    experts = list(gaussians)
    weights = [1.0] * len(experts) if weights is None else list(weights)
    check_weights(len(experts), weights)
    if unit_expert:
        zero = torch.zeros_like(experts[0].mean)
        experts.append(DiagonalGaussian(zero, zero))
        weights.append(1.0)
    means = torch.stack([g.mean for g in experts])
    shape = (-1,) + (1,) * (means.dim() - 1)
    log_weights = means.new_tensor(weights).log().view(shape)
    # In the log domain, so that a variance of e^-20 beside one of e^20
    # neither overflows nor vanishes.
    log_terms = log_weights - torch.stack([g.log_var for g in experts])
    log_precision = torch.logsumexp(log_terms, dim=0)
    mean = (torch.exp(log_terms - log_precision) * means).sum(0)
    return DiagonalGaussian(mean, -log_precision)


def geometric_mean(
    gaussians: Sequence[DiagonalGaussian], weights: Sequence[float]
) -> DiagonalGaussian:
    """Normalised weighted geometric mean of Gaussians, again a Gaussian.

    The product of experts whose weights sum to 1: the mean of equal
    Gaussians is that Gaussian, their product is narrower.

    Shapes:
        - gaussians: each (N, K).
        - returns: (N, K).

    Raises:
        ValueError: if the weights are not as many as the Gaussians, not
            positive, or do not sum to 1.

    Equation:
        f ~ prod_i g_i^{w_i}, sum_i w_i = 1 (Sutter et al., 2020); see
        :func:`product_of_experts`.
    """
    check_weights(len(gaussians), weights, normalised=True)
    return product_of_experts(gaussians, weights)


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


def monte_carlo_jsd(
    q: DiagonalGaussian, p: DiagonalGaussian, num_samples: int = 1
) -> Tensor:
    """Jensen-Shannon divergence per frame, estimated without a bias.

    The divergence against the arithmetic mixture m = (q + p) / 2, which has
    no closed form. It is the information that a sample of the mixture gives
    about the fair coin that chose q or p to draw it from: log 2 minus the
    entropy H(w) that is left, w the probability of q given the sample. The
    usual average of log q - log m over samples of q, and the same for p,
    uses which density drew the sample; H(w) is the expectation over just
    that, so the estimate is Rao-Blackwellised over the coin. It is also
    stratified: as many samples of q as of p, each evaluated under both
    densities.

    Every sample's value therefore lies in [0, log 2], and is 0 at equality.
    The samples are reparametrised, so the gradient is unbiased too; it
    vanishes where q and p do not overlap, as that of the divergence does.

    Args:
        q: one Gaussian.
        p: the other.
        num_samples: samples of each of the two.

    Shapes:
        - q, p: (N, K).
        - returns: (N,), of the joint densities over K, in nats.

    Raises:
        ValueError: if ``num_samples`` is less than 1.

    Equation:
        JSD = E_m[ log 2 - H(w(z)) ], w = sigmoid(log q(z) - log p(z)),
        H(w) = -w log w - (1 - w) log(1 - w) (Lin, 1991; Eq. 10 and 13 of the
        supplement before the geometric mean).
    """
    if num_samples < 1:
        raise ValueError(f'num_samples must be 1 or more, got {num_samples}')
    samples = [g.rsample() for g in (q, p) for _ in range(num_samples)]
    log_ratios = torch.stack([q.log_prob(z) - p.log_prob(z) for z in samples])
    return _information_of_coin(log_ratios).mean(0)


def _information_of_coin(logit: Tensor) -> Tensor:
    """log 2 - H(sigmoid(logit)) in nats, elementwise."""
    # H is even in the logit. Of the positive one, no term grows, so that the
    # difference keeps its digits.
    logit = logit.abs()
    value = math.log(2) + F.logsigmoid(logit) - logit * torch.sigmoid(-logit)
    # Near 0 the rounding can leave -1e-7.
    return value.clamp(min=0)


def check_weights(
    count: int, weights: Sequence[float], normalised: bool = False
) -> None:
    """Check the weights of the experts of a product.

    Args:
        count: number of experts.
        weights: one for each.
        normalised: whether they must sum to 1, as in a geometric mean.

    Raises:
        ValueError: if the weights are not as many as the experts, not
            positive, or do not sum to 1 where they must.
    """
    if count == 0 or len(weights) != count:
        raise ValueError(
            'as many weights as Gaussians are needed, and one or more, got '
            f'{count} Gaussians and the weights {tuple(weights)}'
        )
    if min(weights) <= 0:
        raise ValueError(f'weights must be positive, got {tuple(weights)}')
    if normalised and abs(sum(weights) - 1) > 1e-6:
        raise ValueError(
            'weights of a geometric mean must sum to 1, got '
            f'{tuple(weights)} with sum {sum(weights)}'
        )
