"""Structure loss: boundary-weighted cross-entropy and IoU."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def structure_loss(
    logits: Tensor,
    target: Tensor,
    valid: Tensor | None = None,
    weighted_bce: bool = True,
    boundary_window: int = 31,
    boundary_weight: float = 5.0,
    label_smoothing: float = 0.001,
) -> Tensor:
    """Structure loss of each frame.

    Pixels near a boundary of the mask, where a local average differs from
    the mask itself, weigh up to six times as much.

    Args:
        logits: scores before the sigmoid.
        target: masks of 0 and 1.
        valid: 1 where a pixel is labelled; None for everywhere.
        weighted_bce: apply the boundary weight to the cross-entropy. False
            gives the published form, in which the cross-entropy was averaged
            over all frames and pixels before weighting, so that the weight
            cancels.
        boundary_window: side of the averaging window in pixels, odd.
        boundary_weight: largest extra weight of a boundary pixel.
        label_smoothing: total smoothing of the target of the cross-entropy.

    Shapes:
        - logits, target, valid: (N, 1, H, W).
        - returns: (N,); a frame without a valid pixel adds nothing of its
          own.

    Equation:
        w = 1 + 5 |avgpool(y) - y|; sum(w bce) / sum(w)
        + 1 - (I + 1) / (S - I + 1), I = sum(w p y), S = sum(w (p + y)).
    """
    local_mean = _local_mean(target, boundary_window)
    weight = 1 + boundary_weight * (local_mean - target).abs()
    if valid is not None:
        weight = weight * valid
    smooth = (1 - label_smoothing) * target + 0.5 * label_smoothing
    bce = F.binary_cross_entropy_with_logits(logits, smooth, reduction='none')
    if weighted_bce:
        bce = _sum(weight * bce) / _sum(weight).clamp(min=1e-6)
    elif valid is None:
        bce = bce.mean()
    else:
        bce = (valid * bce).sum() / valid.sum().clamp(min=1e-6)
    probability = logits.sigmoid()
    intersection = _sum(weight * probability * target)
    total = _sum(weight * (probability + target))
    iou = (intersection + 1) / (total - intersection + 1)
    return bce + 1 - iou


def _local_mean(x: Tensor, window: int) -> Tensor:
    """Average over a square window, with zeros beyond the border.

    One axis after the other: 2 * 31 additions a pixel instead of 31 * 31.
    """
    half = window // 2
    x = F.avg_pool2d(x, (window, 1), stride=1, padding=(half, 0))
    return F.avg_pool2d(x, (1, window), stride=1, padding=(0, half))


def _sum(x: Tensor) -> Tensor:
    """Sum of each frame, (N, 1, H, W) to (N,), in float32 at least."""
    dtype = torch.promote_types(x.dtype, torch.float32)
    return torch.sum(x, dim=(1, 2, 3), dtype=dtype)
