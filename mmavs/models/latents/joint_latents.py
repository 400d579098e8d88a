"""One latent of both modalities together."""

from __future__ import annotations

from abc import abstractmethod

from mmavs.models.latents.latent_space import Codes, LatentSpace, Samples
from mmavs.structures import (
    DiagonalGaussian,
    Distributions,
    GaussianMixture,
)


class JointLatents(LatentSpace):
    """A joint distribution of the visual and the audio expert.

    One sample of the joint distribution serves as both codes. Subclasses say
    how the experts are joined.

    Args:
        audio_channels: size of the audio embedding.
        latent_channels: K.
        initial_log_var: see :class:`LatentSpace`.
    """

    names = ('visual_specific', 'audio_specific')

    def join(self, distributions: Distributions) -> Distributions:
        """Add the distribution ``joint``."""
        experts = tuple(distributions[name] for name in self.names)
        return distributions | dict(joint=self.join_experts(experts))

    def draw_prior(
        self, distributions: Distributions, num_samples: int = 0
    ) -> list[Samples]:
        """Draw the joint latent, see :class:`LatentSpace`."""
        joint = dict(joint=distributions['joint'])
        return super().draw_prior(joint, num_samples)

    def draw_posterior(self, distributions: Distributions) -> list[Samples]:
        """Draw the joint latent, see :class:`LatentSpace`."""
        return super().draw_posterior(dict(joint=distributions['joint']))

    @abstractmethod
    def join_experts(
        self, experts: tuple[DiagonalGaussian, ...]
    ) -> DiagonalGaussian | GaussianMixture:
        """Joint distribution of the experts of the modalities."""

    def prior_codes(self, samples: Samples) -> Codes:
        """The joint sample of the prior path, twice."""
        return samples['joint'], samples['joint']

    def posterior_codes(self, samples: Samples) -> Codes:
        """The joint sample of the posterior path, twice."""
        return samples['joint'], samples['joint']
