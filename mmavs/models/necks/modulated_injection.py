"""How the codes enter several levels: they scale and shift the channels."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from mmseg.registry import MODELS
from torch import Tensor, nn

from mmavs.models.necks.code_injection import Decodings


def modulate(
    linear: nn.Linear, feature: Tensor, codes: tuple[Tensor, ...]
) -> Tensor:
    """Scale and shift the channels by what a linear map makes of the codes.

    Shapes:
        - feature: (N, C, h, w); codes: each (N, K).
        - returns: (N, C, h, w).

    Equation:
        (1 + a) feature + b with (a, b) = L codes: FiLM (Perez et al., 2018).
    """
    factors = linear(torch.cat(codes, dim=1)).to(feature)[..., None, None]
    scale, shift = factors.chunk(2, dim=1)
    return feature * (1 + scale) + shift


@MODELS.register_module()
class ModulatedInjection(nn.Module):
    """Both codes condition one decoding, at several levels.

    It begins without an effect: the levels pass as they are. The published
    injection adds the codes to the deepest level only, where a position
    stands for 32 x 32 pixels.

    Args:
        channels: C of every level.
        latent_channels: K of a code.
        num_levels: how many of the deepest levels the codes enter.

    Raises:
        ValueError: if ``num_levels`` is below 1.
    """

    def __init__(
        self, channels: int, latent_channels: int, num_levels: int = 4
    ) -> None:
        super().__init__()
        if num_levels < 1:
            raise ValueError(f'num_levels must be 1 or more, got {num_levels}')
        self.num_levels = num_levels
        self.modulations = nn.ModuleList(
            nn.Linear(2 * latent_channels, 2 * channels)
            for _ in range(num_levels)
        )
        for linear in self.modulations:
            nn.init.zeros_(linear.weight)
            nn.init.zeros_(linear.bias)

    def forward(
        self,
        levels: Sequence[Tensor],
        visual_code: Tensor,
        audio_code: Tensor,
    ) -> Decodings:
        """One decoding of n levels (N, C, h_l, w_l) and two codes (N, K)."""
        codes = (visual_code, audio_code)
        return (
            tuple(
                modulate(linear, level, codes)
                for linear, level in zip(self.modulations, levels, strict=True)
            ),
        )
