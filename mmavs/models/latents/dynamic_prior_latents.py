"""Factorised latents with a dynamic prior of the shared code."""

from __future__ import annotations

from collections.abc import Sequence

from mmseg.registry import MODELS
from torch import Tensor, nn

from mmavs.functional.divergences import check_weights, geometric_mean
from mmavs.models.latents.encoders import AudioEncoder, VisualEncoder
from mmavs.models.latents.factorised_latents import FactorisedLatents
from mmavs.structures import DiagonalGaussian


@MODELS.register_module()
class DynamicPriorLatents(FactorisedLatents):
    """The prior of c is the geometric mean of two unimodal ones.

    p_f(c | X) takes the place of the encoder p(c | X): it is measured
    against the posterior, and it is what prediction draws from.

    Args:
        audio_channels: size of the audio embedding.
        latent_channels: K.
        initial_log_var: see :class:`LatentSpace`.
        weights: pi of p(c | x^v) and p(c | x^a); they sum to 1.
        **kwargs: as in :class:`LatentSpace`.

    Equation:
        p_f(c | X) ~ p(c | x^v)^pi_v p(c | x^a)^pi_a, Eq. 12 and 13 of the
        supplement.
    """

    def __init__(
        self,
        *,
        audio_channels: int = 128,
        latent_channels: int = 16,
        initial_log_var: float = 0.0,
        weights: Sequence[float] = (0.5, 0.5),
        **kwargs,
    ) -> None:
        super().__init__(
            audio_channels=audio_channels,
            latent_channels=latent_channels,
            initial_log_var=initial_log_var,
            **kwargs,
        )
        self.prior['shared'] = _DynamicPrior(
            VisualEncoder(3, latent_channels, initial_log_var),
            AudioEncoder(audio_channels, latent_channels, initial_log_var),
            weights,
        )


class _DynamicPrior(nn.Module):
    """Geometric mean of what frames and sound each say about c."""

    def __init__(
        self,
        visual: VisualEncoder,
        audio: AudioEncoder,
        weights: Sequence[float],
    ) -> None:
        super().__init__()
        check_weights(2, weights, normalised=True)
        self.visual = visual
        self.audio = audio
        self.weights = tuple(weights)

    def forward(self, audio: Tensor, frames: Tensor) -> DiagonalGaussian:
        experts = (self.visual(frames), self.audio(audio))
        return geometric_mean(experts, self.weights)
