"""The importance-weighted bound and what it weighs."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor


def importance_weighted_bound(log_weights: Tensor) -> Tensor:
    """Lower bound of log p(y | X) of each clip.

    With L = 1 it is the one-sample ELBO, averaged over the strata. It grows
    with L and reaches log p(y | X) in the limit, provided that each draw of a
    stratum is by itself a sample of the proposal that its weight divides by.
    Where a stratum keeps to one expert of a mixture it stays a bound, but a
    looser one.

    Args:
        log_weights: log [ p(y | X, z) p(z | X) / q(z | X, y) ] of each draw.
            A stratum is one set of L independent draws; the strata may
            depend on each other, as when each frame is proposed to by every
            expert of a mixture in turn.

    Shapes:
        - log_weights: (R, L, B), strata, draws, clips.
        - returns: (B,), in nats.

    Raises:
        ValueError: if ``log_weights`` does not have these three axes.

    Equation:
        1/R sum_r log [ 1/L sum_l w_rl ] (Burda et al., 2016). In Shi et al.
        (2019) a stratum keeps to one expert.
    """
    if log_weights.dim() != 3:
        raise ValueError(
            'log_weights must be (strata, draws, clips), got '
            f'{tuple(log_weights.shape)}'
        )
    num_draws = log_weights.size(1)
    log_mean = torch.logsumexp(log_weights, dim=1) - math.log(num_draws)
    return log_mean.mean(0)


def bernoulli_log_likelihood(
    logits: Tensor,
    labels: Tensor,
    temperature: float | None = None,
    ignore_index: int = 255,
) -> Tensor:
    """Log-likelihood of the mask of each frame, pixels independent.

    Args:
        logits: scores before the sigmoid.
        labels: class indices; every class but 0 is foreground.
        temperature: tau. 1 is the likelihood itself; None stands for
            1 / (H * W), the mean over the pixels of a fully labelled frame,
            beside which a latent term is not lost.
        ignore_index: marks a pixel without a label: it adds nothing.

    Shapes:
        - logits: (M, 1, H, W).
        - labels: (M, H, W) int64.
        - returns: (M,), in nats for a temperature of 1, float32 at least.

    Raises:
        ValueError: if the logits are not one channel of the labels' size.

    Equation:
        log p(y | X, z) = -tau * sum over pixels of BCE(logit, y).
    """
    if logits.shape != labels.unsqueeze(1).shape:
        raise ValueError(
            'a Bernoulli likelihood takes logits (M, 1, H, W) for labels '
            f'(M, H, W), got {tuple(logits.shape)} and {tuple(labels.shape)}'
        )
    logits = logits.squeeze(1)
    logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
    if temperature is None:
        temperature = 1 / labels[0].numel()
    bce = F.binary_cross_entropy_with_logits(
        logits,
        (labels > 0).to(logits.dtype),
        weight=(labels != ignore_index).to(logits.dtype),
        reduction='none',
    )
    return -temperature * bce.sum((1, 2))


def sum_over_clips(values: Tensor, index: Tensor, num_frames: int) -> Tensor:
    """Add the values of the labelled frames of each clip.

    Args:
        values: one value for each draw and labelled frame.
        index: positions of the labelled frames among all, clip-major.
        num_frames: T, frames per clip.

    Shapes:
        - values: (D, M).
        - index: (M,) int64.
        - returns: (D, M): the sum of a clip in the column of its first
          labelled frame, 0 in those of its others, whose log weight that
          leaves the bound as it is. So no shape depends on the data.
    """
    clips = index // num_frames
    first = (clips[:, None] == clips).int().argmax(1)
    return torch.zeros_like(values).index_add(1, first, values)
