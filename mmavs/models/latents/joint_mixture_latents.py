"""The joint latent as a mixture of experts."""

from __future__ import annotations

import torch
from mmseg.registry import MODELS

from mmavs.models.latents.joint_latents import JointLatents
from mmavs.models.latents.latent_space import Samples
from mmavs.structures import (
    DiagonalGaussian,
    Distributions,
    GaussianMixture,
)


@MODELS.register_module()
class JointMixtureLatents(JointLatents):
    """The joint distribution is the mixture of the two experts.

    It has no closed-form divergence: train it with ``IWAEDecodeHead``. The
    posterior is drawn from in strata: in each of them every frame is
    proposed to by another expert, and which expert comes first is random for
    every frame, so that each draw alone is an exact sample of the mixture
    (Shi et al. keep each stratum to one expert, a looser bound). Prediction
    takes the mean of the mixture, which lies between the experts and may be
    a point that training never decoded; ``test_cfg.num_samples`` draws
    instead.

    Args:
        num_samples: L, draws of the posterior per stratum.
        **kwargs: as in :class:`LatentSpace`.

    Equation:
        q(z | X, y) = sum_m q(z | x^m, y) / M, and p likewise; Shi et al.
        (2019).
    """

    def __init__(
        self,
        *,
        num_samples: int = 2,
        **kwargs,
    ) -> None:
        super().__init__(**kwargs)
        if num_samples < 1:
            raise ValueError(
                f'num_samples must be at least 1, got {num_samples}'
            )
        self.num_samples = num_samples

    def join_experts(
        self, experts: tuple[DiagonalGaussian, ...]
    ) -> GaussianMixture:
        """Uniform mixture of the experts."""
        return GaussianMixture(experts)

    def draw_posterior(self, distributions: Distributions) -> list[Samples]:
        """M L draws, stratum by stratum; samples in evaluation as well."""
        mixture = distributions['joint']
        mean = mixture.experts[0].mean
        num_experts = len(mixture.experts)
        first = torch.randint(
            num_experts, (self.num_samples, len(mean)), device=mean.device
        )
        return [
            dict(joint=mixture.rsample((first[i] + stratum) % num_experts))
            for stratum in range(num_experts)
            for i in range(self.num_samples)
        ]
