"""What every latent space of the model shares."""

from __future__ import annotations

from abc import abstractmethod
from functools import partial

import torch
from mmengine.model import BaseModule
from torch import Tensor, nn

from mmavs.models.latents.encoders import (
    AudioEncoder,
    AudioMaskEncoder,
    VisualEncoder,
)
from mmavs.structures import Distributions

Samples = dict[str, Tensor]
Codes = tuple[Tensor, Tensor]


class LatentSpace(BaseModule):
    """Encoders of the latents, how they are drawn, and the two codes.

    A subclass names its latents, combines their distributions in
    :meth:`join` if it has a joint one, and makes the code of the visual and
    that of the audio side from the samples. A latent keeps its name in every
    subclass: ``visual_specific`` is what the frames alone say, whether or not
    something is shared beside it.

    Args:
        audio_channels: size of the audio embedding.
        latent_channels: K.
        initial_log_var: added to the bias of every log-variance at the
            start. 0 starts, as published, near unit variance; below 0 the
            samples carry more of what is encoded from the first step on, and
            the same distance of two means costs more divergence.
        with_posterior: whether there are posterior encoders. Without, only
            the prior is trained, by what is decoded from its samples.
    """

    # The latents that have an encoder; a subclass names a subset.
    names: tuple[str, ...] = ('visual_specific', 'audio_specific', 'shared')

    def __init__(
        self,
        *,
        audio_channels: int = 128,
        latent_channels: int = 16,
        initial_log_var: float = 0.0,
        with_posterior: bool = True,
    ) -> None:
        super().__init__()
        known = LatentSpace.names
        if not set(self.names) <= set(known):
            raise ValueError(
                f'{type(self).__name__}.names must be among {known}, got '
                f'{self.names}'
            )
        start = (latent_channels, initial_log_var)
        prior = dict(
            visual_specific=partial(VisualEncoder, 3),
            audio_specific=partial(AudioEncoder, audio_channels),
            shared=partial(AudioMaskEncoder, audio_channels, 3),
        )
        posterior = dict(
            visual_specific=partial(VisualEncoder, 4),
            audio_specific=partial(AudioMaskEncoder, audio_channels, 1),
            shared=partial(AudioMaskEncoder, audio_channels, 4),
        )
        self.prior, self.posterior = (
            nn.ModuleDict({name: build[name](*start) for name in names})
            for build, names in (
                (prior, self.names),
                (posterior, self.names if with_posterior else ()),
            )
        )

    def encode_prior(self, frames: Tensor, audio: Tensor) -> Distributions:
        """p(s_v | x_v), p(s_a | x_a), p(c | X), as far as they exist.

        Shapes:
            - frames: (N, 3, H, W); audio: (N, audio_channels).
            - returns: name to a distribution over (N, K).
        """
        inputs = dict(
            visual_specific=(frames,),
            audio_specific=(audio,),
            shared=(audio, frames),
        )
        return self.join(
            {
                name: encoder(*inputs[name])
                for name, encoder in self.prior.items()
            }
        )

    def encode_posterior(
        self, frames: Tensor, audio: Tensor, mask: Tensor
    ) -> Distributions:
        """q(s_v | x_v, y), q(s_a | x_a, y), q(c | X, y) of labelled frames.

        Shapes:
            - frames: (M, 3, H, W); audio: (M, audio_channels).
            - mask: (M, 1, H, W) of 0 and 1.
            - returns: name to a distribution over (M, K).
        """
        frames_and_mask = torch.cat([frames, mask.to(frames)], dim=1)
        inputs = dict(
            visual_specific=(frames_and_mask,),
            audio_specific=(audio, frames_and_mask[:, 3:]),
            shared=(audio, frames_and_mask),
        )
        return self.join(
            {
                name: encoder(*inputs[name])
                for name, encoder in self.posterior.items()
            }
        )

    def join(self, distributions: Distributions) -> Distributions:
        """Add the joint distributions to those of the encoders, if any."""
        return distributions

    def draw_prior(
        self, distributions: Distributions, num_samples: int = 0
    ) -> list[Samples]:
        """Draw the latents of the prior path.

        Args:
            distributions: of :meth:`encode_prior`.
            num_samples: how many times to draw. 0 draws once in training and
                takes the means otherwise.
        """
        if num_samples:
            return [_sample(distributions) for _ in range(num_samples)]
        return [self._draw(distributions)]

    def draw_posterior(self, distributions: Distributions) -> list[Samples]:
        """Draw the latents of the posterior path, the means in evaluation."""
        return [self._draw(distributions)]

    def _draw(self, distributions: Distributions) -> Samples:
        if self.training:
            return _sample(distributions)
        return {name: d.mean for name, d in distributions.items()}

    @abstractmethod
    def prior_codes(self, samples: Samples) -> Codes:
        """Visual and audio code of the prior path, each (N, K)."""

    @abstractmethod
    def posterior_codes(self, samples: Samples) -> Codes:
        """Visual and audio code of the posterior path, each (N, K)."""


def _sample(distributions: Distributions) -> Samples:
    return {name: d.rsample() for name, d in distributions.items()}
