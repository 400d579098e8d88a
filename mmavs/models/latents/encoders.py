"""Encoders of the latent codes: inputs to one diagonal Gaussian."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from mmcv.cnn import ConvModule
from mmengine.model import BaseModule
from torch import Tensor, nn

from mmavs.structures import DiagonalGaussian

# Side of the map that is flattened: the identity at 224 px, an average pool
# at every other size.
_POOLED_SIDE = 7
# Where nothing bounds a variance from above, as without a divergence, what is
# normalised after it does not tell when it leaves the range of float32: the
# loss stays finite and the gradient does not. A deviation of e^10 is noise.
_HIGHEST_LOG_VAR = 20.0


class _ConvStack(nn.Sequential):
    """Five strided convolutions, (N, C_in, H, W) to (N, C_out * 49)."""

    def __init__(self, in_channels: int, widths: Sequence[int]) -> None:
        layers = []
        for width in widths:
            layers.append(
                ConvModule(
                    in_channels,
                    width,
                    kernel_size=4,
                    stride=2,
                    padding=1,
                    bias=True,
                    norm_cfg=dict(type='BN'),
                    act_cfg=dict(type='LeakyReLU', negative_slope=0.01),
                )
            )
            in_channels = width
        super().__init__(*layers)
        self.out_features = in_channels * _POOLED_SIDE**2

    def forward(self, x: Tensor) -> Tensor:
        x = super().forward(x)
        return F.adaptive_avg_pool2d(x, _POOLED_SIDE).flatten(1)


class GaussianHead(nn.Module):
    """Two linear maps, (N, D) to a Gaussian (N, K).

    The log-variance is at most 20.
    """

    def __init__(
        self, in_features: int, latent_channels: int, initial_log_var: float
    ) -> None:
        super().__init__()
        self.mean = nn.Linear(in_features, latent_channels)
        self.log_var = nn.Linear(in_features, latent_channels)
        self.log_var.bias.data += initial_log_var

    def forward(self, x: Tensor) -> DiagonalGaussian:
        # float32 also under autocast: the divergences take exponentials.
        log_var = self.log_var(x).float().clamp(max=_HIGHEST_LOG_VAR)
        return DiagonalGaussian(self.mean(x).float(), log_var)


class VisualEncoder(BaseModule):
    """Code of the frames, with the mask as a fourth channel if given.

    Args:
        in_channels: 3 for the prior, 4 for the posterior.
        latent_channels: K.
        initial_log_var: added to the bias of the log-variance at the start.
        widths: channels of the five convolutions.
    """

    def __init__(
        self,
        in_channels: int,
        latent_channels: int,
        initial_log_var: float = 0.0,
        widths: Sequence[int] = (16, 32, 64, 128, 128),
    ) -> None:
        super().__init__()
        self.stack = _ConvStack(in_channels, widths)
        self.head = GaussianHead(
            self.stack.out_features, latent_channels, initial_log_var
        )

    def forward(self, image: Tensor) -> DiagonalGaussian:
        """Gaussian (N, K) from (N, in_channels, H, W)."""
        return self.head(self.stack(image))


class AudioEncoder(BaseModule):
    """Code of the sound alone.

    Args:
        audio_channels: size of the audio embedding.
        latent_channels: K.
        initial_log_var: added to the bias of the log-variance at the start.
    """

    def __init__(
        self,
        audio_channels: int,
        latent_channels: int,
        initial_log_var: float = 0.0,
    ) -> None:
        super().__init__()
        self.head = GaussianHead(
            audio_channels, latent_channels, initial_log_var
        )

    def forward(self, audio: Tensor) -> DiagonalGaussian:
        """Gaussian (N, K) from (N, audio_channels)."""
        return self.head(audio)


class AudioMaskEncoder(BaseModule):
    """Code of the sound together with an image: frame, mask or both.

    Args:
        audio_channels: size of the audio embedding.
        in_channels: channels of the image: 1 for the mask, 3 for the frame,
            4 for both.
        latent_channels: K.
        initial_log_var: added to the bias of the log-variance at the start.
        widths: channels of the five convolutions.
    """

    def __init__(
        self,
        audio_channels: int,
        in_channels: int,
        latent_channels: int,
        initial_log_var: float = 0.0,
        widths: Sequence[int] = (16, 32, 64, 64, 64),
    ) -> None:
        super().__init__()
        self.stack = _ConvStack(in_channels, widths)
        # Size of the summary of the image: C / 4 in the published model,
        # whose audio embedding has C channels.
        image_features = max(1, audio_channels // 4)
        self.image = nn.Linear(self.stack.out_features, image_features)
        self.head = GaussianHead(
            audio_channels + image_features, latent_channels, initial_log_var
        )

    def forward(self, audio: Tensor, image: Tensor) -> DiagonalGaussian:
        """Gaussian (N, K) from (N, audio_channels) and (N, C, H, W)."""
        image = self.image(self.stack(image))
        return self.head(torch.cat([audio, image.to(audio)], dim=1))
