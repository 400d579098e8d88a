"""The uniform mixture of diagonal Gaussians."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from mmavs.structures.gaussian import DiagonalGaussian


@dataclass(frozen=True)
class GaussianMixture:
    """A batch of mixtures, in which every expert weighs the same.

    The mixture of experts that the text after Eq. 9 names: the joint
    distribution over the modalities is the average of the densities of the
    unimodal ones.

    Args:
        experts: the Gaussians, each of all N frames.

    Shapes:
        - experts: each (N, K).

    Raises:
        ValueError: without an expert, or if the shapes of the experts differ.
    """

    experts: tuple[DiagonalGaussian, ...]

    def __post_init__(self) -> None:
        # Compared, not hashed: the sizes of what is exported have no hash.
        shapes = [tuple(expert.mean.shape) for expert in self.experts]
        if not shapes or any(shape != shapes[0] for shape in shapes):
            raise ValueError(
                'a mixture needs one or more experts of one shape, got '
                f'{len(self.experts)} experts of the shapes '
                f'{sorted(set(shapes))}'
            )

    @property
    def mean(self) -> Tensor:
        """Mean of the mixture: the average of the experts' means, (N, K)."""
        return torch.stack([expert.mean for expert in self.experts]).mean(0)

    def log_prob(self, z: Tensor) -> Tensor:
        """Log-density of each row, in nats.

        Shapes:
            - z: (N, K).
            - returns: (N,).

        Equation:
            log [ mean_e g_e(z) ] over the experts g_e.
        """
        log_probs = torch.stack(
            [expert.log_prob(z) for expert in self.experts]
        )
        return torch.logsumexp(log_probs, dim=0) - math.log(len(self.experts))

    def rsample(self, expert: Tensor | None = None) -> Tensor:
        """Draw one reparametrised sample.

        The gradient flows into the Gaussian that was drawn from. The choice
        of it has no parameters, so nothing of the gradient is missing.

        Args:
            expert: position of the expert of each frame; None draws it
                uniformly. A stratified estimate chooses it.

        Shapes:
            - expert: (N,) int64.
            - returns: (N, K).

        Raises:
            ValueError: if ``expert`` does not hold one expert for each frame.
        """
        means = torch.stack([g.mean for g in self.experts])
        log_vars = torch.stack([g.log_var for g in self.experts])
        count, num_frames, _ = means.shape
        if expert is None:
            expert = torch.randint(count, (num_frames,), device=means.device)
        if expert.shape != (num_frames,):
            raise ValueError(
                f'expert must be ({num_frames},), one for each frame, got '
                f'{tuple(expert.shape)}'
            )
        frame = torch.arange(num_frames, device=means.device)
        chosen = DiagonalGaussian(
            means[expert, frame], log_vars[expert, frame]
        )
        return chosen.rsample()

    def select(self, index: Tensor) -> GaussianMixture:
        """Keep the rows of ``index`` (M,), as mixtures of shape (M, K)."""
        return GaussianMixture(
            tuple(expert.select(index) for expert in self.experts)
        )
