"""Top-down decoder of the fused levels."""

from __future__ import annotations

from collections.abc import Sequence

import torch.nn.functional as F
from mmcv.cnn import ConvModule
from mmengine.model import BaseModule
from mmseg.registry import MODELS
from torch import Tensor, nn


@MODELS.register_module()
class ResidualPyramidDecoder(BaseModule):
    """Residual units from the deepest level to the finest, then a head.

    Args:
        channels: C of the fused levels.
        num_levels: how many levels there are.
        out_channels: channels of the logits.
        norm_cfg: the normalisation.
        init_cfg: initialisation, as everywhere in mmengine.
    """

    def __init__(
        self,
        channels: int,
        num_levels: int = 4,
        out_channels: int = 1,
        norm_cfg: dict | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg)
        norm_cfg = norm_cfg or dict(type='BN')

        def units(count: int) -> nn.ModuleList:
            return nn.ModuleList(
                _ResidualUnit(channels, norm_cfg) for _ in range(count)
            )

        # Finest first, as the levels; nothing enters the deepest one from
        # the side, so it has no lateral unit.
        self.lateral = units(num_levels - 1)
        self.merge = units(num_levels)
        self.reduce = nn.Conv2d(channels, channels // 2, 3, padding=1)
        self.head = nn.Sequential(
            nn.Conv2d(channels // 2, channels // 4, 3, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(channels // 4, out_channels, 1),
        )

    def forward(
        self, levels: Sequence[Tensor], size: tuple[int, int]
    ) -> Tensor:
        """Logits of every frame.

        Shapes:
            - levels: L x (N, C, h_l, w_l), finest first.
            - size: (H, W) of the logits.
            - returns: (N, out_channels, H, W).
        """
        x = self.merge[-1](levels[-1])
        for i in reversed(range(len(levels) - 1)):
            # To the size of the next level: exactly twice where the frame
            # divides by 32, and right everywhere else.
            x = F.interpolate(x, size=levels[i].shape[-2:], mode='nearest')
            x = self.merge[i](x + self.lateral[i](levels[i]))
        x = self.reduce(F.interpolate(x, scale_factor=2, mode='nearest'))
        x = self.head(F.interpolate(x, scale_factor=2, mode='nearest'))
        if tuple(x.shape[-2:]) != tuple(size):
            x = F.interpolate(
                x, size=size, mode='bilinear', align_corners=False
            )
        return x


class _ResidualUnit(nn.Module):
    """x + (conv3x3, norm, ReLU) twice."""

    def __init__(self, channels: int, norm_cfg: dict) -> None:
        super().__init__()
        self.convs = nn.Sequential(
            *(
                ConvModule(channels, channels, 3, padding=1, norm_cfg=norm_cfg)
                for _ in range(2)
            )
        )

    def forward(self, x: Tensor) -> Tensor:
        y = self.convs(x)
        # Under autocast the convolutions decide the type: levels in float32
        # would keep all that follows in float32.
        return y + x.to(y.dtype)
