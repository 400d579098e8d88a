"""The neck: map channels, encode the latents, inject the codes."""

from __future__ import annotations

from collections.abc import Sequence

from mmseg.registry import MODELS
from torch import Tensor

from mmavs.models.necks.av_mapping_neck import AVMappingNeck, map_levels
from mmavs.structures import CodeDraw, FrameLabels, LatentPath


@MODELS.register_module()
class LatentFactorisationNeck(AVMappingNeck):
    """Turns backbone levels and audio into a prior and a posterior path.

    The two paths have separate mappings, encoders and injections. The
    posterior exists only where masks are given, that is in training. The
    latent space need not be factorised: see ``latents``.

    Args:
        in_channels: channels of the backbone levels, finest first.
        latent_channels: K, size of a latent code.
        latents: config of the latent space, any subclass of
            ``LatentSpace``.
        injection: config of how the codes enter the deepest level.
        **kwargs: as in :class:`AVMappingNeck`.
    """

    def __init__(
        self,
        in_channels: Sequence[int],
        *,
        latent_channels: int = 16,
        latents: dict | None = None,
        injection: dict | None = None,
        **kwargs,
    ) -> None:
        super().__init__(in_channels, **kwargs)
        self.posterior_mapping = self._build_mapping()
        self.latents = MODELS.build(
            dict(
                latents or dict(type='FactorisedLatents'),
                audio_channels=self.audio_channels,
                latent_channels=latent_channels,
            )
        )
        injection = injection or dict(type='CodeInjection')
        self.prior_injection, self.posterior_injection = (
            MODELS.build(
                dict(
                    injection,
                    channels=self.out_channels,
                    latent_channels=latent_channels,
                )
            )
            for _ in range(2)
        )

    def _prior_path(
        self,
        levels: Sequence[Tensor],
        frames: Tensor,
        audio: Tensor,
        num_samples: int,
    ) -> LatentPath:
        distributions = self.latents.encode_prior(frames, audio)
        *shallow, deepest = map_levels(self.prior_mapping, levels)
        draws = []
        for samples in self.latents.draw_prior(distributions, num_samples):
            codes = self.latents.prior_codes(samples)
            injected = self.prior_injection(deepest, *codes)
            draws.append(CodeDraw(injected, samples, *codes))
        return LatentPath(tuple(shallow), distributions, tuple(draws))

    def _posterior_path(
        self,
        levels: Sequence[Tensor],
        frames: Tensor,
        audio: Tensor,
        labels: FrameLabels | None,
        prior: LatentPath,
    ) -> LatentPath | None:
        if labels is None:
            return None
        index = labels.index
        # Only labelled frames reach the encoders and their batch norms.
        distributions = self.latents.encode_posterior(
            frames[index], audio[index], labels.foreground
        )
        *shallow, deepest = map_levels(self.posterior_mapping, levels)
        draws = []
        for labelled in self.latents.draw_posterior(distributions):
            samples = _fill_in(prior.draws[0].samples, index, labelled)
            codes = self.latents.posterior_codes(samples)
            injected = self.posterior_injection(deepest, *codes)
            draws.append(CodeDraw(injected, samples, *codes))
        return LatentPath(tuple(shallow), distributions, tuple(draws))


def _fill_in(
    prior: dict[str, Tensor], index: Tensor, posterior: dict[str, Tensor]
) -> dict[str, Tensor]:
    """Samples (N, K) of the posterior path from those of M labelled frames.

    An unlabelled frame carries its prior sample, so that the temporal fusion
    sees the whole clip.
    """
    return {
        name: prior[name].index_copy(0, index, sample)
        for name, sample in posterior.items()
    }
