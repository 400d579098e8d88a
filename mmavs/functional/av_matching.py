"""Audio-visual matching: the masked region should sound like the audio."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from mmavs.functional.predictive import foreground_logits


def av_matching_kl(
    logits: Tensor, levels: Sequence[Tensor], audio: Tensor
) -> Tensor:
    """Divergence between the sound and the predicted region, per frame.

    Args:
        logits: segmentation scores before the sigmoid, or the softmax. The
            region is the foreground, every class but the first.
        levels: fused visual features, finest first.
        audio: audio embedding.

    Shapes:
        - logits: (N, out_channels, H, W).
        - levels: L x (N, C, h_l, w_l).
        - audio: (N, C).
        - returns: (N,), summed over channels, mean over levels, in nats.

    Equation:
        KL(softmax(a) || softmax(v_l)), v_l the L2-normalised mean over h w
        of sigmoid(avgpool(g)) * level_l, g the log-odds of the foreground
        (the logits themselves for one channel), a the L2-normalised audio.
    """
    log_audio = F.log_softmax(F.normalize(audio.float(), dim=1), dim=1)
    probability = log_audio.exp()
    total = torch.zeros_like(log_audio[:, 0])
    foreground = foreground_logits(logits)
    for level in levels:
        size = (level.shape[-2], level.shape[-1])
        mask = F.adaptive_avg_pool2d(foreground, size).sigmoid()
        # (N, 1, h, w) x (N, C, h, w) -> (N, C) without the (N, C, h, w)
        # product in memory.
        visual = torch.einsum('nhw,nchw->nc', mask[:, 0], level.to(mask))
        visual = visual.float() / (size[0] * size[1])
        log_visual = F.log_softmax(F.normalize(visual, dim=1), dim=1)
        total = total + (probability * (log_audio - log_visual)).sum(1)
    return total / len(levels)
