"""Audio-visual matching loss."""

from __future__ import annotations

from collections.abc import Sequence

from mmseg.registry import MODELS
from torch import Tensor, nn

from mmavs.functional.av_matching import av_matching_kl


@MODELS.register_module()
class AVMatchingLoss(nn.Module):
    """Pulls the features of the predicted region towards the sound.

    Args:
        reduction: ``mean`` over the frames, or ``sum``, the published form,
            whose size grows with the batch.
        loss_weight: factor on the value.
        loss_name: name in the log.

    Raises:
        ValueError: if the reduction is neither ``mean`` nor ``sum``.
    """

    def __init__(
        self,
        reduction: str = 'mean',
        loss_weight: float = 0.5,
        loss_name: str = 'loss_matching',
    ) -> None:
        super().__init__()
        if reduction not in ('mean', 'sum'):
            raise ValueError(
                f"reduction must be 'mean' or 'sum', got {reduction!r}"
            )
        self.reduction = reduction
        self.loss_weight = loss_weight
        self.loss_name = loss_name

    def forward(
        self, logits: Tensor, levels: Sequence[Tensor], audio: Tensor
    ) -> Tensor:
        """Scalar from (N, out_channels, H, W), L x (N, C, h, w), (N, C)."""
        value = av_matching_kl(logits, levels, audio)
        value = value.mean() if self.reduction == 'mean' else value.sum()
        return self.loss_weight * value
