"""The joint latent as a geometric mean."""

from __future__ import annotations

from collections.abc import Sequence

from mmseg.registry import MODELS

from mmavs.functional.divergences import geometric_mean
from mmavs.models.latents.joint_latents import JointLatents
from mmavs.structures import DiagonalGaussian


@MODELS.register_module()
class JointGeometricMeanLatents(JointLatents):
    """The joint distribution is the geometric mean of the two experts.

    Args:
        audio_channels: size of the audio embedding.
        latent_channels: K.
        initial_log_var: see :class:`LatentSpace`.
        weights: pi of the visual and of the audio expert; they sum to 1.

    Equation:
        p(z | X) ~ p(z | x^v)^pi_v p(z | x^a)^pi_a, and q likewise; Eq. 10 of
        the supplement, Sutter et al. (2020).
    """

    def __init__(
        self,
        audio_channels: int = 128,
        latent_channels: int = 16,
        initial_log_var: float = 0.0,
        weights: Sequence[float] = (0.5, 0.5),
    ) -> None:
        super().__init__(audio_channels, latent_channels, initial_log_var)
        self.weights = tuple(weights)

    def join_experts(
        self, experts: tuple[DiagonalGaussian, ...]
    ) -> DiagonalGaussian:
        """Weighted geometric mean of the experts."""
        return geometric_mean(experts, self.weights)
