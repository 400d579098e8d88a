"""The neck of a model without latents."""

from __future__ import annotations

from collections.abc import Sequence

from mmengine.model import BaseModule
from mmseg.registry import MODELS
from torch import Tensor, nn

from mmavs.structures import AVFeatures, CodeDraw, FrameLabels, LatentPath


@MODELS.register_module()
class AVMappingNeck(BaseModule):
    """Maps backbone levels and audio to the channels they are fused in.

    There are no latents and no posterior: the one path is called prior,
    because it sees frames and sound.

    Args:
        in_channels: channels of the backbone levels, finest first.
        out_channels: C, channels of every mapped level.
        audio_channels: size of the audio embedding.
        mapping: config of the channel mapping of one level.
        init_cfg: initialisation, as everywhere in mmengine.
    """

    def __init__(
        self,
        in_channels: Sequence[int],
        out_channels: int = 128,
        audio_channels: int = 128,
        mapping: dict | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg)
        self.in_channels = tuple(in_channels)
        self.out_channels = out_channels
        self.audio_channels = audio_channels
        self._mapping_cfg = mapping or dict(type='BasicMapping')
        self.prior_mapping = self._build_mapping()
        # The fusion and the matching compare sound and pixels channel by
        # channel. The published model has 128 of both and needs no mapping.
        self.audio_mapping = (
            nn.Identity()
            if audio_channels == out_channels
            else nn.Linear(audio_channels, out_channels)
        )

    def _build_mapping(self) -> nn.ModuleList:
        """Channel mapping of every level."""
        return nn.ModuleList(
            MODELS.build(
                dict(
                    self._mapping_cfg,
                    in_channels=channels,
                    out_channels=self.out_channels,
                )
            )
            for channels in self.in_channels
        )

    def forward(
        self,
        levels: Sequence[Tensor],
        frames: Tensor,
        audio: Tensor,
        num_frames: int,
        labels: FrameLabels | None = None,
        num_samples: int = 0,
    ) -> AVFeatures:
        """Build the paths of a batch.

        Args:
            levels: backbone levels, finest first.
            frames: normalised frames, clip-major.
            audio: audio embedding of each frame.
            num_frames: T, frames per clip.
            labels: masks of the labelled frames; with them the posterior
                path is built, where there is one.
            num_samples: how often the prior path draws its codes; 0 for one
                sample in training and the means otherwise.

        Shapes:
            - levels: L x (N, C_l, h_l, w_l).
            - frames: (N, 3, H, W); audio: (N, audio_channels).

        Raises:
            ValueError: if the levels are not as many as ``in_channels``, or
                have other channels; if the sound has others than
                ``audio_channels``; if samples are asked for and there are
                no latents.
        """
        channels = tuple(level.shape[1] for level in levels)
        if channels != self.in_channels:
            raise ValueError(
                f'the backbone gave {len(channels)} levels of {channels} '
                f'channels, but the neck has in_channels={self.in_channels}: '
                'set model.neck.in_channels to the channels of the backbone, '
                'finest level first'
            )
        if audio.shape[1] != self.audio_channels:
            raise ValueError(
                f'the audio backbone gave {audio.shape[1]} channels, but the '
                f'neck has audio_channels={self.audio_channels}'
            )
        prior = self._prior_path(levels, frames, audio, num_samples)
        return AVFeatures(
            prior=prior,
            posterior=self._posterior_path(
                levels, frames, audio, labels, prior
            ),
            audio=self.audio_mapping(audio),
            num_frames=num_frames,
            frame_size=tuple(frames.shape[-2:]),
            labels=labels,
        )

    def _prior_path(
        self,
        levels: Sequence[Tensor],
        frames: Tensor,
        audio: Tensor,
        num_samples: int,
    ) -> LatentPath:
        if num_samples:
            raise ValueError(
                f'{num_samples} samples of the codes were asked for '
                '(test_cfg.num_samples), but this model has no latents to '
                'draw'
            )
        *shallow, deepest = map_levels(self.prior_mapping, levels)
        return LatentPath(tuple(shallow), {}, (CodeDraw(((deepest,),), {}),))

    def _posterior_path(
        self,
        levels: Sequence[Tensor],
        frames: Tensor,
        audio: Tensor,
        labels: FrameLabels | None,
        prior: LatentPath,
    ) -> LatentPath | None:
        return None


def map_levels(
    mapping: nn.ModuleList, levels: Sequence[Tensor]
) -> list[Tensor]:
    """L x (N, C_l, h_l, w_l) to L x (N, C, h_l, w_l)."""
    return [f(level) for f, level in zip(mapping, levels, strict=True)]
