"""The predictive distribution: several samples of the codes, one map."""

from __future__ import annotations

import math
from collections.abc import Sequence

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
    scores = _stack(logits)
    if scores.size(2) == 1:
        # The two means have the same factor 1/S, which cancels.
        log_odds = torch.logsumexp(F.logsigmoid(scores), dim=0)
        return log_odds - torch.logsumexp(F.logsigmoid(-scores), dim=0)
    log_probs = torch.logsumexp(scores.log_softmax(2), dim=0)
    return log_probs - math.log(len(logits))


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
    scores = _stack(logits)
    if scores.size(2) == 1:
        foreground = scores.sigmoid()
    else:
        foreground = 1 - scores.softmax(2)[:, :, :1]
    return foreground.std(0, correction=0)


def _stack(logits: Sequence[Tensor]) -> Tensor:
    """All samples, S x (N, C, H, W) to (S, N, C, H, W), float32 at least."""
    scores = torch.stack(list(logits))
    return scores.to(torch.promote_types(scores.dtype, torch.float32))
