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
        injection: config of how the codes enter the deepest levels.
        with_posterior: whether there is a posterior path. Without, nothing
            is inferred from masks: the codes are just another way of the
            sound into the network. A control, which takes ``AVDecodeHead``.
        detach_posterior: whether the posterior path reads the levels of the
            visual backbone without training it.
        **kwargs: as in :class:`AVMappingNeck`.
    """

    def __init__(
        self,
        in_channels: Sequence[int],
        *,
        latent_channels: int = 16,
        latents: dict | None = None,
        injection: dict | None = None,
        with_posterior: bool = True,
        detach_posterior: bool = False,
        **kwargs,
    ) -> None:
        super().__init__(in_channels, **kwargs)
        self.detach_posterior = detach_posterior
        self.posterior_mapping = (
            self._build_mapping() if with_posterior else None
        )
        self.latents = MODELS.build(
            dict(
                latents or dict(type='FactorisedLatents'),
                audio_channels=self.audio_channels,
                latent_channels=latent_channels,
                with_posterior=with_posterior,
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
            if wanted
            else None
            for wanted in (True, with_posterior)
        )
        if self.prior_injection.num_levels > len(in_channels):
            raise ValueError(
                f'neck.injection has num_levels='
                f'{self.prior_injection.num_levels}, but neck.in_channels has '
                f'{len(in_channels)} levels'
            )

    def _prior_path(
        self,
        levels: Sequence[Tensor],
        frames: Tensor,
        audio: Tensor,
        num_samples: int,
    ) -> LatentPath:
        distributions = self.latents.encode_prior(frames, audio)
        mapped = map_levels(self.prior_mapping, levels)
        shared, injected = _split(mapped, self.prior_injection.num_levels)
        draws = []
        for samples in self.latents.draw_prior(distributions, num_samples):
            codes = self.latents.prior_codes(samples)
            decodings = self.prior_injection(injected, *codes)
            draws.append(CodeDraw(decodings, samples, *codes))
        return LatentPath(shared, distributions, tuple(draws))

    def _posterior_path(
        self,
        levels: Sequence[Tensor],
        frames: Tensor,
        audio: Tensor,
        labels: FrameLabels | None,
        prior: LatentPath,
    ) -> LatentPath | None:
        if labels is None or self.posterior_mapping is None:
            return None
        if self.detach_posterior:
            levels = [level.detach() for level in levels]
        index = labels.index
        # Only labelled frames reach the encoders and their batch norms.
        distributions = self.latents.encode_posterior(
            frames[index], audio[index], labels.foreground
        )
        mapped = map_levels(self.posterior_mapping, levels)
        shared, injected = _split(mapped, self.posterior_injection.num_levels)
        draws = []
        for labelled in self.latents.draw_posterior(distributions):
            samples = _fill_in(prior.draws[0].samples, index, labelled)
            codes = self.latents.posterior_codes(samples)
            decodings = self.posterior_injection(injected, *codes)
            draws.append(CodeDraw(decodings, samples, *codes))
        return LatentPath(shared, distributions, tuple(draws))


def _split(
    levels: Sequence[Tensor], num_injected: int
) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
    """The levels without codes, and the deepest ones, which get them."""
    first = len(levels) - num_injected
    return tuple(levels[:first]), tuple(levels[first:])


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
