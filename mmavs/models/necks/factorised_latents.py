"""Modality-specific and shared latents."""

from __future__ import annotations

import torch
from mmengine.model import BaseModule
from mmseg.registry import MODELS
from torch import Tensor, nn

from mmavs.models.necks.latent_encoders import (
    AudioEncoder,
    AudioMaskEncoder,
    GaussianHead,
    VisualEncoder,
)
from mmavs.structures import DiagonalGaussian

Gaussians = dict[str, DiagonalGaussian]
Samples = dict[str, Tensor]


@MODELS.register_module()
class FactorisedLatents(BaseModule):
    """The factorised latent space: s_v, s_a and c, prior and posterior.

    Each modality's latent splits into a specific code and one code shared by
    both: q(s, c) = q(s | x^m, y) q(c | X, y), and p likewise without y.

    Args:
        audio_channels: size of the audio embedding.
        latent_channels: K.
        initial_log_var: added to the bias of every log-variance head at the
            start. 0 starts, as published, near unit variance; below 0 the
            samples carry more of what is encoded from the first step on, and
            the same distance of two means costs more divergence.

    Equation:
        Eq. 11 to 14 and Fig. 2 of the supplement.
    """

    names = ('visual_specific', 'audio_specific', 'shared')

    def __init__(
        self,
        audio_channels: int = 128,
        latent_channels: int = 16,
        initial_log_var: float = 0.0,
    ) -> None:
        super().__init__()
        k = latent_channels
        # Width of the image summary: C / 4 in the published model, whose
        # audio embedding has C channels.
        summary = max(1, audio_channels // 4)
        self.prior = nn.ModuleDict(
            dict(
                visual_specific=VisualEncoder(3, k),
                audio_specific=AudioEncoder(audio_channels, k),
                shared=AudioMaskEncoder(audio_channels, 3, k, summary),
            )
        )
        self.posterior = nn.ModuleDict(
            dict(
                visual_specific=VisualEncoder(4, k),
                audio_specific=AudioMaskEncoder(audio_channels, 1, k, summary),
                shared=AudioMaskEncoder(audio_channels, 4, k, summary),
            )
        )
        for module in self.modules():
            if isinstance(module, GaussianHead):
                module.log_var.bias.data += initial_log_var
        self.prior_fusion, self.posterior_fusion = (
            nn.ModuleDict(
                dict(visual=nn.Linear(2 * k, k), audio=nn.Linear(2 * k, k))
            )
            for _ in range(2)
        )

    def encode_prior(self, frames: Tensor, audio: Tensor) -> Gaussians:
        """p(s_v | x_v), p(s_a | x_a), p(c | X).

        Shapes:
            - frames: (N, 3, H, W); audio: (N, audio_channels).
            - returns: name to Gaussian (N, K).
        """
        return dict(
            visual_specific=self.prior['visual_specific'](frames),
            audio_specific=self.prior['audio_specific'](audio),
            shared=self.prior['shared'](audio, frames),
        )

    def encode_posterior(
        self, frames: Tensor, audio: Tensor, mask: Tensor
    ) -> Gaussians:
        """q(s_v | x_v, y), q(s_a | x_a, y), q(c | X, y) of labelled frames.

        Shapes:
            - frames: (M, 3, H, W); audio: (M, audio_channels).
            - mask: (M, 1, H, W) of 0 and 1.
            - returns: name to Gaussian (M, K).
        """
        frames_and_mask = torch.cat([frames, mask.to(frames)], dim=1)
        mask = frames_and_mask[:, 3:]
        return dict(
            visual_specific=self.posterior['visual_specific'](frames_and_mask),
            audio_specific=self.posterior['audio_specific'](audio, mask),
            shared=self.posterior['shared'](audio, frames_and_mask),
        )

    def sample(self, gaussians: Gaussians) -> Samples:
        """One sample per code in training, the mean otherwise."""
        return {
            name: gaussian.rsample() if self.training else gaussian.mean
            for name, gaussian in gaussians.items()
        }

    def fuse_prior(self, samples: Samples) -> tuple[Tensor, Tensor]:
        """Visual and audio code of the prior path, each (N, K)."""
        return self._fuse(self.prior_fusion, samples)

    def fuse_posterior(self, samples: Samples) -> tuple[Tensor, Tensor]:
        """Visual and audio code of the posterior path, each (N, K)."""
        return self._fuse(self.posterior_fusion, samples)

    @staticmethod
    def _fuse(
        fusion: nn.ModuleDict, samples: Samples
    ) -> tuple[Tensor, Tensor]:
        """sc_v = L [s_v; c], sc_a = L [s_a; c]."""
        visual, audio = (
            fusion[modality](
                torch.cat(
                    [samples[f'{modality}_specific'], samples['shared']], dim=1
                )
            )
            for modality in ('visual', 'audio')
        )
        return visual, audio
