"""Fusion by the channel-wise correlation of pixels and sound."""

from __future__ import annotations

from mmengine.model import BaseModule
from mmseg.registry import MODELS
from torch import Tensor, nn

from mmavs.functional.l2_normalise import l2_normalise


@MODELS.register_module()
class AVCorr(BaseModule):
    """Gates the pixels of one level by how they correlate with the sound.

    Every frame is fused with its own sound; there is no exchange between the
    frames of a clip.

    Args:
        channels: C of the level and of the audio embedding.
        inter_channels: width of the gate; C / 4 by default.
        init_cfg: initialisation, as everywhere in mmengine.

    Raises:
        ValueError: if ``inter_channels`` is, or comes out, below 1.

    Equation:
        Z = v (1 + sigmoid(conv1x1(conv3x3(conv1x1(v a))))), v and a the
        L2-normalised visual feature and embedding of the sound; the
        convolutions are linear: no bias, norm or activation between them.
    """

    def __init__(
        self,
        channels: int,
        inter_channels: int | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg)
        if inter_channels is None:
            inter_channels = channels // 4
        if inter_channels < 1:
            raise ValueError(
                f'AVCorr needs inter_channels >= 1, got {inter_channels} for '
                f'channels={channels}; the default is channels // 4'
            )
        self.reduce = nn.Conv2d(channels, inter_channels, 1, bias=False)
        self.spatial = nn.Conv2d(
            inter_channels, inter_channels, 3, padding=1, bias=False
        )
        self.expand = nn.Conv2d(inter_channels, channels, 1, bias=False)

    def forward(
        self, visual: Tensor, audio: Tensor, num_frames: int
    ) -> Tensor:
        """Fuse one level with the sound of its frames.

        Args:
            visual: features of the frames, clip-major.
            audio: embedding of the sound of each frame.
            num_frames: T; not used, as no frame sees another.

        Shapes:
            - visual: (N, C, h, w).
            - audio: (N, C).
            - returns: (N, C, h, w).

        Raises:
            ValueError: if the audio has not one C-vector per frame.
        """
        # A single row or channel would broadcast, and fuse the wrong sound.
        if audio.shape != visual.shape[:2]:
            raise ValueError(
                f'audio must be (N, C) = {tuple(visual.shape[:2])}, as the '
                f'visual feature, got {tuple(audio.shape)}'
            )
        visual = l2_normalise(visual, dim=1)
        audio = l2_normalise(audio, dim=1).to(visual)
        correlation = visual * audio[:, :, None, None]
        gate = self.expand(self.spatial(self.reduce(correlation))).sigmoid()
        return visual * (1 + gate.to(visual))
