"""The joint latent as a product of experts."""

from __future__ import annotations

from collections.abc import Sequence

from mmseg.registry import MODELS

from mmavs.functional.divergences import product_of_experts
from mmavs.models.latents.joint_latents import JointLatents
from mmavs.structures import DiagonalGaussian


@MODELS.register_module()
class JointProductLatents(JointLatents):
    """The joint distribution is the product of the two experts.

    Args:
        audio_channels: size of the audio embedding.
        latent_channels: K.
        initial_log_var: see :class:`LatentSpace`.
        unit_expert: multiply by a standard Gaussian too.
        weights: factors on the precision of the visual and of the audio
            expert; None for 1 each.

    Equation:
        p(z | X) ~ N(0, I) p(z | x^v) p(z | x^a), and q likewise; Eq. 9 of
        the supplement, Wu and Goodman (2018).
    """

    def __init__(
        self,
        audio_channels: int = 128,
        latent_channels: int = 16,
        initial_log_var: float = 0.0,
        unit_expert: bool = True,
        weights: Sequence[float] | None = None,
    ) -> None:
        super().__init__(audio_channels, latent_channels, initial_log_var)
        self.unit_expert = unit_expert
        self.weights = weights

    def join_experts(
        self, experts: tuple[DiagonalGaussian, ...]
    ) -> DiagonalGaussian:
        """Product of the experts."""
        return product_of_experts(experts, self.weights, self.unit_expert)
