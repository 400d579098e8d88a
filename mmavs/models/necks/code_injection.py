"""How the codes enter the deepest level: joint reconstruction."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from mmseg.registry import MODELS
from torch import Tensor, nn

# For each decoding the levels with its codes.
Decodings = tuple[tuple[Tensor, ...], ...]


def inject(
    conv: nn.Conv2d, feature: Tensor, codes: tuple[Tensor, ...]
) -> Tensor:
    """Tile codes over the positions and mix them in with a 1x1 conv.

    Shapes:
        - feature: (N, C, h, w); codes: each (N, K).
        - returns: (N, C, h, w).
    """
    size = feature.shape[-2:]
    tiles = [
        code.to(feature)[:, :, None, None].expand(-1, -1, *size)
        for code in codes
    ]
    return conv(torch.cat([feature, *tiles], dim=1))


@MODELS.register_module()
class CodeInjection(nn.Module):
    """Both codes condition one decoding.

    Args:
        channels: C of the deepest level.
        latent_channels: K of a code.

    Equation:
        p(y | x^v, x^a, s^v, s^a, c): the reconstruction as published.
    """

    num_levels = 1

    def __init__(self, channels: int, latent_channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels + 2 * latent_channels, channels, 1)

    def forward(
        self,
        levels: Sequence[Tensor],
        visual_code: Tensor,
        audio_code: Tensor,
    ) -> Decodings:
        """One decoding of the level (N, C, h, w) and two codes (N, K)."""
        (deepest,) = levels
        return ((inject(self.conv, deepest, (visual_code, audio_code)),),)
