"""TPAVI as published, to measure what its linear form saves."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from mmavs.functional.l2_normalise import l2_normalise
from mmavs.models.fusion import TPAVI


class DirectTPAVI(TPAVI):
    """The same weights and results, with a P x P matrix for every clip.

    Equation:
        Z = LayerNorm(BN(W A g^T) + v), A = theta^T phi / P over the
        P = T h w positions of a clip (Zhou et al., «Audio-Visual
        Segmentation», ECCV 2022).
    """

    def forward(
        self, visual: Tensor, audio: Tensor, num_frames: int
    ) -> Tensor:
        """Fuse one level with the sound of its clips, as ``TPAVI``."""
        n, channels, h, w = visual.shape
        visual = l2_normalise(visual.permute(0, 2, 3, 1), dim=-1)
        audio = l2_normalise(audio, dim=-1)
        # (N, h, w, C) -> (B, P, C); the sound is repeated over the pixels.
        pixels = visual.reshape(n // num_frames, -1, channels)
        sound = audio[:, None, None].expand(n, h, w, channels)
        sound = sound.reshape(pixels.shape).to(pixels)
        affinity = self.theta(pixels) @ self.phi(sound).transpose(1, 2)
        value = affinity @ self.g(pixels) / pixels.shape[1]
        fused = F.linear(value, self.out.weight, self.out.bias)
        fused = fused.view(n, h, w, channels).permute(0, 3, 1, 2)
        fused = self.out_norm(fused).permute(0, 2, 3, 1) + visual
        return self.norm(fused).permute(0, 3, 1, 2)


def direct_bytes(
    num_frames: int, size: tuple[int, int], stride: int = 4
) -> int:
    """Bytes of the largest P x P matrix of a clip, in float32.

    Args:
        num_frames: T.
        size: (H, W) of the frames.
        stride: of the finest level.
    """
    positions = num_frames * (size[0] // stride) * (size[1] // stride)
    return 4 * positions**2


def use_direct_tpavi(model: torch.nn.Module) -> None:
    """Put the direct form in the place of every ``TPAVI``, weights kept."""
    for module in model.modules():
        if type(module) is TPAVI:
            module.__class__ = DirectTPAVI
