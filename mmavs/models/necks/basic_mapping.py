"""Channel mapping of one backbone level."""

from __future__ import annotations

from mmcv.cnn import ConvModule
from mmseg.registry import MODELS
from torch import nn


@MODELS.register_module()
class BasicMapping(nn.Sequential):
    """One 1x1 and two 3x3 convolutions, each with a norm, no activation.

    Maps (N, in_channels, h, w) to (N, out_channels, h, w).

    Args:
        in_channels: channels of the backbone level.
        out_channels: C of the neck.
        norm_cfg: the normalisation.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        norm_cfg: dict | None = None,
    ) -> None:
        norm_cfg = norm_cfg or dict(type='BN')

        def unit(channels: int, kernel_size: int) -> ConvModule:
            return ConvModule(
                channels,
                out_channels,
                kernel_size,
                padding=kernel_size // 2,
                norm_cfg=norm_cfg,
                act_cfg=None,
            )

        super().__init__(
            unit(in_channels, 1), unit(out_channels, 3), unit(out_channels, 3)
        )
