"""The joint latent as a product of experts."""

from __future__ import annotations

from collections.abc import Sequence

from mmseg.registry import MODELS

from mmavs.functional.divergences import check_weights, product_of_experts
from mmavs.models.latents.joint_latents import JointLatents
from mmavs.structures import DiagonalGaussian


@MODELS.register_module()
class JointProductLatents(JointLatents):
    """The joint distribution is the product of the two experts.

    Args:
        unit_expert: multiply by a standard Gaussian too.
        weights: factors on the precision of the visual and of the audio
            expert; None for 1 each.
        **kwargs: as in :class:`LatentSpace`.

    Equation:
        p(z | X) ~ N(0, I) p(z | x^v) p(z | x^a), and q likewise; Eq. 9 of
        the supplement, Wu and Goodman (2018).
    """

    def __init__(
        self,
        *,
        unit_expert: bool = True,
        weights: Sequence[float] | None = None,
        **kwargs,
    ) -> None:
        super().__init__(**kwargs)
        if weights is not None:
            check_weights(2, weights)
        self.unit_expert = unit_expert
        self.weights = weights

    def join_experts(
        self, experts: tuple[DiagonalGaussian, ...]
    ) -> DiagonalGaussian:
        """Product of the experts."""
        return product_of_experts(experts, self.weights, self.unit_expert)
