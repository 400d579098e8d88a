"""TPAVI fusion in its exact linear form."""

from __future__ import annotations

import torch
from mmengine.model import BaseModule
from mmseg.registry import MODELS
from torch import Tensor, nn

from mmavs.functional.l2_normalise import l2_normalise, wide_sum


@MODELS.register_module()
class TPAVI(BaseModule):
    """Temporal pixel-wise audio-visual interaction of one level.

    The published form multiplies a P x P matrix over the P = T h w positions
    of a clip. It has no softmax, so the product re-associates exactly: with
    projections theta and g of the pixels, phi of the sound and W of the
    output,

        Y = theta^T (phi g^T) / P,    phi g^T = sum_t phi_t (sum_hw g_t)^T,

    because the sound is constant over a frame. All that the pixels of a clip
    need is then one C x C matrix, ``theta^T (phi g^T) W^T / P``. Time and
    memory grow linearly with T h w, and T and the size are free.

    Args:
        channels: C of the level and of the audio embedding.
        inter_channels: size of the projections; C / 2 by default.
        init_cfg: initialisation, as everywhere in mmengine.

    Equation:
        Z = LayerNorm(BN(W Y) + v), v the L2-normalised visual feature
        (Zhou et al., «Audio-Visual Segmentation», ECCV 2022).
    """

    def __init__(
        self,
        channels: int,
        inter_channels: int | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg)
        inter_channels = inter_channels or channels // 2
        self.theta = nn.Linear(channels, inter_channels)
        self.phi = nn.Linear(channels, inter_channels)
        self.g = nn.Linear(channels, inter_channels)
        self.out = nn.Linear(inter_channels, channels)
        self.out_norm = nn.BatchNorm2d(channels)
        self.norm = nn.LayerNorm(channels)
        # The fusion starts as the identity on the visual feature.
        nn.init.zeros_(self.out_norm.weight)
        nn.init.zeros_(self.out_norm.bias)

    def forward(
        self, visual: Tensor, audio: Tensor, num_frames: int
    ) -> Tensor:
        """Fuse one level with the sound of its clips.

        Args:
            visual: features of the frames, clip-major.
            audio: embedding of the sound of each frame.
            num_frames: T, frames per clip.

        Shapes:
            - visual: (N, C, h, w), N = B T.
            - audio: (N, C).
            - returns: (N, C, h, w).
        """
        n, channels, h, w = visual.shape
        # (N, C, h, w) -> (N, h, w, C): every step below is per pixel.
        visual = l2_normalise(visual.permute(0, 2, 3, 1), dim=-1)
        audio = l2_normalise(audio, dim=-1)

        # Sum of a linear projection = projection of the sum: g is never
        # computed per pixel.
        # The means of a frame and of its clip: in float16 sums would overflow.
        pixels = h * w
        pooled = wide_sum(visual, dim=(1, 2)) / pixels
        g = self.g(pooled)
        phi = self.phi(audio)
        # (B, T, I) x (B, T, I) -> (B, I, I), summed over T and divided by it.
        g, phi = (x.unflatten(0, (-1, num_frames)) for x in (g, phi))
        # bmm, which unlike @ has no case of its own for B = 1 or T = 1: what
        # is exported serves any.
        phi_g = torch.bmm(phi.transpose(1, 2), g.to(phi))
        phi_g = phi_g / num_frames
        value = phi_g @ self.out.weight.t().to(phi_g)

        # theta^T value, folded into one C x C matrix and one bias per clip.
        matrix = self.theta.weight.t().to(value) @ value
        bias = self.theta.bias.to(value) @ value + self.out.bias
        tokens = visual.reshape(-1, num_frames * pixels, channels)
        if not self.training:
            # The norm is one scale and shift for each channel, and the
            # residual is added by the multiplication itself.
            scale, shift = self._affine_norm()
            matrix = matrix * scale
            bias = bias * scale + shift
            fused = torch.baddbmm(tokens, tokens, matrix.to(tokens))
            fused = fused + bias.to(tokens).unsqueeze(1)
            fused = self.norm(fused.view(n, h, w, channels))
            return fused.permute(0, 3, 1, 2)
        fused = torch.baddbmm(
            bias.to(tokens).unsqueeze(1), tokens, matrix.to(tokens)
        )

        # (B, T h w, C) -> (N, C, h, w), channels last in memory.
        fused = fused.view(n, h, w, channels).permute(0, 3, 1, 2)
        fused = self.out_norm(fused).permute(0, 2, 3, 1) + visual
        return self.norm(fused).permute(0, 3, 1, 2)

    def _affine_norm(self) -> tuple[Tensor, Tensor]:
        """Scale and shift (C,) of the batch norm in evaluation mode."""
        norm = self.out_norm
        scale = norm.weight * torch.rsqrt(norm.running_var + norm.eps)
        return scale, norm.bias - norm.running_mean * scale
