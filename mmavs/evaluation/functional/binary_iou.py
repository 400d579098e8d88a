"""Intersection over union of binary masks, as AVSBench defines it."""

import torch
from torch import Tensor


def binary_iou(
    prediction: Tensor, target: Tensor, ignore_index: int = 255
) -> Tensor:
    """Compute one IoU per frame.

    A frame whose target is empty scores the fraction of its pixels that are
    predicted background: painting a tenth of a silent frame costs 0.1.

    Args:
        prediction: True where a pixel is predicted to sound.
        target: 0 background, above 0 sounding, ``ignore_index`` left out.
        ignore_index: The label of pixels that do not count.

    Shapes:
        - prediction: (N, H, W) bool
        - target: (N, H, W)
        - return: (N,) float64; 0 where no pixel counts

    Returns:
        Tensor: The IoU of every frame.

    Raises:
        ValueError: If the shapes differ.

    Equation:
        I / (U + 1e-7) with I = sum(p g), U = sum(max(p, g)); for an empty
        target I = sum((1 - p)(1 - g)), U = the number of pixels (AVSBench,
        Zhou et al. 2022).
    """
    if prediction.shape != target.shape or prediction.ndim != 3:
        raise ValueError(
            'prediction and target must be (N, H, W) alike, got '
            f'{tuple(prediction.shape)} and {tuple(target.shape)}'
        )
    valid = target != ignore_index
    foreground = (target > 0) & valid
    prediction = prediction.bool() & valid

    def count(mask: Tensor) -> Tensor:
        return mask.flatten(1).sum(1).double()

    num_valid, union = count(valid), count(prediction | foreground)
    empty = ~foreground.flatten(1).any(1)
    intersection = torch.where(
        empty, num_valid - union, count(prediction & foreground)
    )
    return intersection / (torch.where(empty, num_valid, union) + 1e-7)
