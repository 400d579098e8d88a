"""The joint latent as a geometric mean."""

from __future__ import annotations

from collections.abc import Sequence

from mmseg.registry import MODELS

from mmavs.functional.divergences import check_weights, geometric_mean
from mmavs.models.latents.joint_latents import JointLatents
from mmavs.structures import DiagonalGaussian


@MODELS.register_module()
class JointGeometricMeanLatents(JointLatents):
    """The joint distribution is the geometric mean of the two experts.

    Args:
        weights: pi of the visual and of the audio expert; they sum to 1.
        **kwargs: as in :class:`LatentSpace`.

    Equation:
        p(z | X) ~ p(z | x^v)^pi_v p(z | x^a)^pi_a, and q likewise; Eq. 10 of
        the supplement, Sutter et al. (2020).
    """

    def __init__(
        self,
        *,
        weights: Sequence[float] = (0.5, 0.5),
        **kwargs,
    ) -> None:
        super().__init__(**kwargs)
        check_weights(2, weights, normalised=True)
        self.weights = tuple(weights)

    def join_experts(
        self, experts: tuple[DiagonalGaussian, ...]
    ) -> DiagonalGaussian:
        """Weighted geometric mean of the experts."""
        return geometric_mean(experts, self.weights)
