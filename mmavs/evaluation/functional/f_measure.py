"""The F-measure of AVSBench at all its thresholds."""

from functools import cache

import torch
from torch import Tensor

NUM_THRESHOLDS = 255


@cache
def f_measure_thresholds() -> Tensor:
    """Make the 255 thresholds of AVSBench.

    In float32 the last of them, 1 - 1e-10, is 1: the comparison
    ``probability >= threshold`` happens in float32, so it matters.

    Returns:
        Tensor: (255,) float32, ascending.
    """
    return torch.linspace(0, 1 - 1e-10, NUM_THRESHOLDS)


def f_measure_curve(
    probability: Tensor,
    target: Tensor,
    ignore_index: int = 255,
    beta_squared: float = 0.3,
) -> Tensor:
    """Compute the F-measure of every frame at every threshold.

    Each pixel is sorted once into the interval between two thresholds;
    sums over the intervals from the top give what is at or above each
    threshold. This equals comparing 255 times.

    Args:
        probability: Probability that a pixel sounds, in [0, 1].
        target: 0 background, above 0 sounding, ``ignore_index`` left out.
        ignore_index: The label of pixels that do not count.
        beta_squared: The weight of precision against recall.

    Shapes:
        - probability: (N, H, W)
        - target: (N, H, W)
        - return: (N, 255) float64; 0 where the target is empty

    Returns:
        Tensor: The curves.

    Raises:
        ValueError: If the shapes differ or a value is no probability.

    Equation:
        F_t = (1 + beta^2) P R / (beta^2 P + R) with P = tp / (pred + 1e-20),
        R = tp / (gt + 1e-20) and pred = sum(p >= t); 0 where it is 0 / 0
        (AVSBench, Zhou et al. 2022).
    """
    if probability.shape != target.shape or probability.ndim != 3:
        raise ValueError(
            'probability and target must be (N, H, W) alike, got '
            f'{tuple(probability.shape)} and {tuple(target.shape)}'
        )
    probability = probability.detach().float()
    if not ((probability >= 0) & (probability <= 1)).all():
        raise ValueError(
            'probabilities must lie in [0, 1], got '
            f'[{probability.min():.4g}, {probability.max():.4g}]: the '
            'F-measure takes what the sigmoid gives, not logits'
        )
    num_frames = len(probability)
    thresholds = f_measure_thresholds().to(probability.device)
    # 0 .. 255: how many thresholds the pixel reaches.
    reached = torch.bucketize(probability.flatten(1), thresholds, right=True)
    valid = (target != ignore_index).flatten(1)
    foreground = (target > 0).flatten(1) & valid
    # One histogram per frame, of foreground and background apart: bin
    # (frame, foreground, thresholds reached).
    num_bins = NUM_THRESHOLDS + 1
    frame = torch.arange(num_frames, device=probability.device)[:, None]
    bins = (2 * frame + foreground) * num_bins + reached
    histogram = torch.bincount(
        bins[valid], minlength=num_frames * 2 * num_bins
    )
    histogram = histogram.view(num_frames, 2, num_bins)
    # at_or_above[..., i]: pixels that reach threshold i or a higher one.
    at_or_above = histogram.flip(-1).cumsum(-1).flip(-1)[..., 1:].double()
    true_positive = at_or_above[:, 1]
    predicted = at_or_above.sum(1)
    actual = foreground.sum(1, keepdim=True).double()
    precision = true_positive / (predicted + 1e-20)
    recall = true_positive / (actual + 1e-20)
    curve = (
        (1 + beta_squared)
        * precision
        * recall
        / (beta_squared * precision + recall)
    )
    return curve.nan_to_num(nan=0.0)
