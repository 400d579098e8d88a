"""The neck: map channels, encode the latents, inject the codes."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from mmengine.model import BaseModule
from mmseg.registry import MODELS
from torch import Tensor, nn

from mmavs.structures import AVFeatures, FrameLabels, LatentPath


@MODELS.register_module()
class LatentFactorisationNeck(BaseModule):
    """Turns backbone levels and audio into a prior and a posterior path.

    The two paths have separate mappings, encoders and injections. The
    posterior exists only where masks are given, that is in training.

    Args:
        in_channels: channels of the backbone levels, finest first.
        out_channels: C, channels of every mapped level.
        audio_channels: size of the audio embedding.
        latent_channels: K, size of a latent code.
        latents: config of the latent space.
        mapping: config of the channel mapping of one level.

    Raises:
        ValueError: if the number of levels differs from ``in_channels``.
    """

    def __init__(
        self,
        in_channels: Sequence[int],
        out_channels: int = 128,
        audio_channels: int = 128,
        latent_channels: int = 16,
        latents: dict | None = None,
        mapping: dict | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg)
        self.in_channels = tuple(in_channels)
        self.latents = MODELS.build(
            dict(
                latents or dict(type='FactorisedLatents'),
                audio_channels=audio_channels,
                latent_channels=latent_channels,
            )
        )
        mapping = mapping or dict(type='BasicMapping')
        self.prior_mapping, self.posterior_mapping = (
            nn.ModuleList(
                MODELS.build(
                    dict(
                        mapping,
                        in_channels=channels,
                        out_channels=out_channels,
                    )
                )
                for channels in self.in_channels
            )
            for _ in range(2)
        )
        self.prior_injection, self.posterior_injection = (
            nn.Conv2d(out_channels + 2 * latent_channels, out_channels, 1)
            for _ in range(2)
        )
        # The fusion and the matching compare sound and pixels channel by
        # channel. The published model has 128 of both and needs no mapping.
        self.audio_mapping = (
            nn.Identity()
            if audio_channels == out_channels
            else nn.Linear(audio_channels, out_channels)
        )

    def forward(
        self,
        levels: Sequence[Tensor],
        frames: Tensor,
        audio: Tensor,
        num_frames: int,
        labels: FrameLabels | None = None,
    ) -> AVFeatures:
        """Build the paths of a batch.

        Args:
            levels: backbone levels, finest first.
            frames: normalised frames, clip-major.
            audio: audio embedding of each frame.
            num_frames: T, frames per clip.
            labels: masks of the labelled frames; with them the posterior
                path is built.

        Shapes:
            - levels: L x (N, C_l, h_l, w_l).
            - frames: (N, 3, H, W); audio: (N, audio_channels).
        """
        if len(levels) != len(self.in_channels):
            raise ValueError(
                f'the neck has in_channels={self.in_channels}, one per '
                f'level, but the backbone gave {len(levels)} levels'
            )
        prior = self._prior_path(levels, frames, audio)
        posterior = None
        if labels is not None:
            posterior = self._posterior_path(
                levels, frames, audio, labels, prior.samples
            )
        return AVFeatures(
            prior=prior,
            posterior=posterior,
            audio=self.audio_mapping(audio),
            num_frames=num_frames,
            frame_size=tuple(frames.shape[-2:]),
            labels=labels,
        )

    def _prior_path(
        self, levels: Sequence[Tensor], frames: Tensor, audio: Tensor
    ) -> LatentPath:
        gaussians = self.latents.encode_prior(frames, audio)
        samples = self.latents.sample(gaussians)
        codes = self.latents.fuse_prior(samples)
        mapped = _map_levels(self.prior_mapping, levels)
        mapped[-1] = _inject(self.prior_injection, mapped[-1], *codes)
        return LatentPath(tuple(mapped), gaussians, samples, *codes)

    def _posterior_path(
        self,
        levels: Sequence[Tensor],
        frames: Tensor,
        audio: Tensor,
        labels: FrameLabels,
        prior_samples: dict[str, Tensor],
    ) -> LatentPath:
        index = labels.index
        # Only labelled frames reach the encoders and their batch norms.
        gaussians = self.latents.encode_posterior(
            frames[index], audio[index], labels.foreground
        )
        # An unlabelled frame carries its prior sample, so that the temporal
        # fusion sees the whole clip.
        samples = {
            name: prior_samples[name].index_copy(0, index, sample)
            for name, sample in self.latents.sample(gaussians).items()
        }
        codes = self.latents.fuse_posterior(samples)
        mapped = _map_levels(self.posterior_mapping, levels)
        mapped[-1] = _inject(self.posterior_injection, mapped[-1], *codes)
        return LatentPath(tuple(mapped), gaussians, samples, *codes)


def _map_levels(
    mapping: nn.ModuleList, levels: Sequence[Tensor]
) -> list[Tensor]:
    """L x (N, C_l, h_l, w_l) to L x (N, C, h_l, w_l)."""
    return [f(level) for f, level in zip(mapping, levels, strict=True)]


def _inject(
    conv: nn.Conv2d, feature: Tensor, visual_code: Tensor, audio_code: Tensor
) -> Tensor:
    """Tile both codes over (N, C, h, w) and mix them in with a 1x1 conv."""
    size = feature.shape[-2:]
    tiles = [
        code.to(feature)[:, :, None, None].expand(-1, -1, *size)
        for code in (visual_code, audio_code)
    ]
    return conv(torch.cat([feature, *tiles], dim=1))
