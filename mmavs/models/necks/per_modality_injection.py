"""How the codes enter the deepest level: one decoding per modality."""

from __future__ import annotations

from collections.abc import Sequence

from mmseg.registry import MODELS
from torch import Tensor, nn

from mmavs.models.necks.code_injection import Decodings, inject


@MODELS.register_module()
class PerModalityInjection(nn.Module):
    """The code of each modality conditions a decoding of its own.

    Their segmentation losses add up; prediction averages the probabilities.

    Args:
        channels: C of the deepest level.
        latent_channels: K of a code.

    Equation:
        sum_m E log p(y | X, s^m, c): Eq. 11 of the supplement in its codes.
        Frames and sound both enter each decoding, where Eq. 11 has x^m.
    """

    num_levels = 1

    def __init__(self, channels: int, latent_channels: int) -> None:
        super().__init__()
        self.visual, self.audio = (
            nn.Conv2d(channels + latent_channels, channels, 1)
            for _ in range(2)
        )

    def forward(
        self,
        levels: Sequence[Tensor],
        visual_code: Tensor,
        audio_code: Tensor,
    ) -> Decodings:
        """Two decodings of the level (N, C, h, w) and two codes (N, K)."""
        (deepest,) = levels
        return (
            (inject(self.visual, deepest, (visual_code,)),),
            (inject(self.audio, deepest, (audio_code,)),),
        )
