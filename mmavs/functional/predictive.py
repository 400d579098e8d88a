"""The predictive distribution: several samples of the codes, one map."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from functools import reduce

import torch
import torch.nn.functional as F
from torch import Tensor


def average_logits(logits: Sequence[Tensor]) -> Tensor:
    """Logits of the averaged probabilities.

    Averaging the probabilities is the Monte-Carlo estimate of p(y | X); that
    of the logits would not be one. The result is a logit again, so that
    whatever takes logits takes it.

    Args:
        logits: the scores of each sample.

    Shapes:
        - logits: S x (N, C, H, W); C = 1 is a sigmoid's, else a softmax's.
        - returns: (N, C, H, W), float32 at least; a single sample comes back
          as it is.

    Equation:
        C = 1: log p - log(1 - p), p = 1/S sum_s sigmoid(logits_s); else
        log p, p = 1/S sum_s softmax(logits_s). Both in the log domain: a
        probability that rounds to 0 or 1 keeps its logit.
    """
    if len(logits) == 1:
        return logits[0]
    scores = [at_least_float32(x) for x in logits]
    if scores[0].size(1) == 1:
        # The two means have the same factor 1/S, which cancels.
        log_odds = _log_sum(F.logsigmoid(x) for x in scores)
        return log_odds - _log_sum(F.logsigmoid(-x) for x in scores)
    # One sample after the other: with many classes a stack of them all would
    # be the largest tensor of a prediction.
    log_probs = _log_sum(x.log_softmax(1) for x in scores)
    return log_probs - math.log(len(logits))


def foreground_logits(logits: Tensor) -> Tensor:
    """Log-odds of the foreground, every class but the first.

    Args:
        logits: the scores of each pixel.

    Shapes:
        - logits: (N, C, H, W); C = 1 is a sigmoid's and comes back as it is,
          else a softmax's.
        - returns: (N, 1, H, W).

    Equation:
        log sum_{c > 0} exp(logits_c) - logits_0, whose sigmoid is
        1 - p(background), without the cancellation of that difference.
    """
    if logits.size(1) == 1:
        return logits
    foreground = torch.logsumexp(logits[:, 1:], dim=1, keepdim=True)
    return foreground - logits[:, :1]


def foreground_std(logits: Sequence[Tensor]) -> Tensor:
    """Uncertainty of each pixel: how far the samples disagree.

    The standard deviation over the samples of the probability of foreground,
    in [0, 0.5]; 0 of a single sample.

    Args:
        logits: the scores of each sample.

    Shapes:
        - logits: S x (N, C, H, W); foreground is the one channel, or every
          class but the first.
        - returns: (N, 1, H, W), float32 at least.
    """
    probability = torch.stack(
        [foreground_logits(at_least_float32(x)).sigmoid() for x in logits]
    )
    return probability.std(0, correction=0)


def _log_sum(values: Iterable[Tensor]) -> Tensor:
    """Log of the sum of the exponentials, tensor by tensor."""
    return reduce(torch.logaddexp, values)


def at_least_float32(x: Tensor) -> Tensor:
    """Half precisions become float32, others stay."""
    return x.to(torch.promote_types(x.dtype, torch.float32))
