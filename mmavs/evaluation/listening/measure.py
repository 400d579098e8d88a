"""The measures of one clip under one sound."""

from __future__ import annotations

import numpy as np
from torch import Tensor

from mmavs.evaluation.functional.binary_iou import binary_iou
from mmavs.evaluation.functional.f_measure import f_measure_curve
from mmavs.evaluation.listening.records import ClipListening

ACTIVE_SHARE = 0.001
"""float: a frame is active if the model marks more of its pixels."""


def measure_clip(
    video_id: str,
    probability: Tensor,
    target: Tensor,
    sounding: Tensor | None,
    *,
    threshold: float = 0.5,
    ignore_index: int = 255,
    beta_squared: float = 0.3,
) -> ClipListening:
    """Measure the labelled frames of a clip.

    Args:
        video_id: the clip.
        probability: of the foreground.
        target: mask of the clip's own sound: 0 background, above 0 sounding,
            ``ignore_index`` left out.
        sounding: which pixels sound with what was played; None where nobody
            knows.
        threshold: a pixel is marked if its probability is above.
        ignore_index: the label of pixels that do not count.
        beta_squared: the weight of the F-measure.

    Shapes:
        - probability, target: (M, H, W).
        - sounding: (M, H, W) bool.

    Raises:
        ValueError: if the shapes differ.
    """
    if sounding is not None and sounding.shape != target.shape:
        raise ValueError(
            f'clip {video_id!r}: the mask of what was played must have the '
            f'shape of its own mask, got {tuple(sounding.shape)} and '
            f'{tuple(target.shape)}'
        )
    valid = target != ignore_index
    foreground = (target > 0) & valid
    marked = (probability > threshold) & valid
    iou = binary_iou(marked, target, ignore_index)
    curve = f_measure_curve(probability, target, ignore_index, beta_squared)
    num_valid = valid.flatten(1).sum(1).double()

    def share(pixels: Tensor) -> np.ndarray:
        return _array(pixels.flatten(1).sum(1) / num_valid)

    false_share = np.full(len(target), np.nan)
    if sounding is not None:
        false_share = share(marked & ~sounding.to(marked.device))
    return ClipListening(
        video_id=video_id,
        iou=_array(iou),
        f_curve=_array(curve.float()),
        non_empty=_array(foreground.flatten(1).any(1)),
        foreground_share=share(marked),
        truth_share=share(foreground),
        active=share(marked) > ACTIVE_SHARE,
        false_share=false_share,
    )


def _array(tensor: Tensor) -> np.ndarray:
    return tensor.cpu().numpy()
