"""Channel mapping of one backbone level with several dilations."""

from __future__ import annotations

from collections.abc import Sequence

from mmseg.registry import MODELS
from torch import Tensor, nn


@MODELS.register_module()
class ASPPMapping(nn.Module):
    """The sum of dilated 3x3 convolutions, without bias, norm or activation.

    Maps (N, in_channels, h, w) to (N, out_channels, h, w). It is linear; a
    padding equal to the dilation keeps the size. Where the dilation is not
    smaller than the level, the outer taps read padding only.

    Args:
        in_channels: channels of the backbone level.
        out_channels: C of the neck.
        dilations: of the convolutions, one each.

    Raises:
        ValueError: if there is no dilation, or one below 1.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        dilations: Sequence[int] = (3, 6, 12, 18),
    ) -> None:
        super().__init__()
        if not dilations or min(dilations) < 1:
            raise ValueError(
                'dilations must be one or more numbers >= 1, got '
                f'{tuple(dilations)}'
            )
        self.convs = nn.ModuleList(
            nn.Conv2d(
                in_channels,
                out_channels,
                3,
                padding=dilation,
                dilation=dilation,
                bias=False,
            )
            for dilation in dilations
        )

    def forward(self, x: Tensor) -> Tensor:
        """(N, in_channels, h, w) to (N, out_channels, h, w)."""
        total = self.convs[0](x)
        for conv in self.convs[1:]:
            total = total + conv(x)
        return total
