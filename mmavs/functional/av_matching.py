"""Audio-visual matching: the masked region should sound like the audio."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor


def av_matching_kl(
    logits: Tensor, levels: Sequence[Tensor], audio: Tensor
) -> Tensor:
    """Divergence between the sound and the predicted region, per frame.

    Args:
        logits: segmentation scores before the sigmoid.
        levels: fused visual features, finest first.
        audio: audio embedding.

    Shapes:
        - logits: (N, 1, H, W).
        - levels: L x (N, C, h_l, w_l).
        - audio: (N, C).
        - returns: (N,), summed over channels, mean over levels, in nats.

    Equation:
        KL(softmax(a) || softmax(v_l)), v_l the L2-normalised mean over h w
        of sigmoid(avgpool(logits)) * level_l, a the L2-normalised audio.
    """
    log_audio = F.log_softmax(F.normalize(audio.float(), dim=1), dim=1)
    probability = log_audio.exp()
    total = torch.zeros_like(log_audio[:, 0])
    for level in levels:
        size = (level.shape[-2], level.shape[-1])
        mask = F.adaptive_avg_pool2d(logits, size).sigmoid()
        # (N, 1, h, w) x (N, C, h, w) -> (N, C) without the (N, C, h, w)
        # product in memory.
        visual = torch.einsum('nhw,nchw->nc', mask[:, 0], level.to(mask))
        visual = visual.float() / (size[0] * size[1])
        log_visual = F.log_softmax(F.normalize(visual, dim=1), dim=1)
        total = total + (probability * (log_audio - log_visual)).sum(1)
    return total / len(levels)
