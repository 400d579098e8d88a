"""Decode head of the conditional multimodal VAE."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from mmseg.registry import MODELS
from torch import Tensor, nn

from mmavs.models.decode_heads.av_decode_head import (
    AVDecodeHead,
    build_optional,
)
from mmavs.models.decode_heads.running_statistics import (
    kept_running_statistics,
)
from mmavs.structures import AVFeatures, GaussianMixture, LatentPath


@MODELS.register_module()
class VAEDecodeHead(AVDecodeHead):
    """Fuses each level with the sound, decodes both paths, and trains them.

    One fusion per level serves the prior and the posterior path; each path
    has its own decoder. At test only the prior path exists.

    Args:
        in_channels: channels of the levels, one number for each, all equal
            to ``channels``.
        channels: C.
        shared_decoder: decode both paths with the decoder of the prior path.
        divergences: name of a latent to the config of the divergence between
            its posterior and its prior; their ``loss_weight`` is beta of Eq.
            14.
        loss_orthogonality: config, or None to leave the term out.
        loss_mutual_information: config, or None to leave the term out.
        posterior_weight: gamma of Eq. 11, weight of the segmentation loss of
            the posterior path.
        **kwargs: as in :class:`AVDecodeHead`.

    Attributes:
        latent_warmup: factor on every latent term, 1 unless
            ``LatentWarmupHook`` sets it.

    Equation:
        Total to minimise: minus Eq. 14 of the supplement plus the
        reconstruction of the prior path (Sohn et al., 2015) and the
        regularisers; see ``docs/architecture.md`` for the names in the log.
    """

    def __init__(
        self,
        in_channels: Sequence[int],
        channels: int,
        *,
        shared_decoder: bool = False,
        divergences: dict[str, dict] | None = None,
        loss_orthogonality: dict | None = None,
        loss_mutual_information: dict | None = None,
        posterior_weight: float = 1.0,
        **kwargs,
    ) -> None:
        super().__init__(in_channels, channels, **kwargs)
        # None for a shared one: a module that is registered twice would be
        # saved twice.
        self.posterior_decoder = (
            None if shared_decoder else MODELS.build(self._decoder_cfg)
        )
        self.divergences = nn.ModuleDict(
            {
                name: MODELS.build(cfg)
                for name, cfg in (divergences or {}).items()
            }
        )
        self.loss_orthogonality = build_optional(loss_orthogonality)
        self.loss_mutual_information = build_optional(loss_mutual_information)
        self.posterior_weight = posterior_weight
        self.latent_warmup = 1.0

    def loss(
        self,
        inputs: AVFeatures,
        batch_data_samples: list,
        train_cfg: dict | None,
    ) -> dict[str, Tensor]:
        """Every loss term and the watched values of a batch.

        Args:
            inputs: features with ``labels`` and the posterior path.
            batch_data_samples: not read: the labels came with the features.
            train_cfg: not used.

        Returns:
            A flat dict of scalars; what starts with ``loss_`` is summed.

        Raises:
            ValueError: if there is no posterior path, a term names a latent
                that does not exist, or a divergence gets a mixture.
        """
        losses = super().loss(inputs, batch_data_samples, train_cfg)
        logits = self.posterior_logits(inputs)
        with torch.autocast(logits[0].device.type, enabled=False):
            return {
                **losses,
                **self._posterior_terms(inputs, [x.float() for x in logits]),
                **self._regularisers(inputs),
            }

    def _check_latents(self, inputs: AVFeatures) -> None:
        if inputs.posterior is None:
            raise ValueError(
                f'{type(self).__name__} trains a posterior path and the neck '
                'gave none: a model without latents takes AVDecodeHead'
            )
        drawn = inputs.posterior.draws[0].samples
        pairs = getattr(self.loss_orthogonality, 'pairs', ())
        for term, wanted, known in (
            (
                'divergences',
                set(self.divergences),
                inputs.posterior.distributions,
            ),
            ('loss_orthogonality', set().union(*pairs), drawn),
        ):
            unknown = wanted - set(known)
            if unknown:
                raise ValueError(
                    f'decode_head.{term} names the latents '
                    f'{sorted(unknown)}, but those of the neck '
                    f'are {sorted(known)}: model.decode_head must fit '
                    'model.neck.latents, as in the configs/ablations/ of '
                    'each latent space'
                )
        self._check_kinds(inputs.posterior)

    def _check_kinds(self, posterior: LatentPath) -> None:
        """A divergence in closed form needs a Gaussian."""
        for name, distribution in posterior.distributions.items():
            if isinstance(distribution, GaussianMixture):
                raise ValueError(
                    f'the latent {name!r} is a mixture, which has no '
                    'divergence in closed form: JointMixtureLatents takes '
                    'IWAEDecodeHead, as in configs/ablations/*_moe.py'
                )

    def posterior_logits(self, inputs: AVFeatures) -> list[Tensor]:
        """Logits of each decoding of the posterior path.

        Its loss is on labelled frames only: in S4 one in five needs
        decoding. What it shares with the prior path keeps the running
        statistics of that: the posterior's features are others, and at test
        there is the prior path alone.

        Shapes:
            - returns: D x (M, out_channels, H, W), M labelled frames.
        """
        decoder, shared = self.posterior_decoder, [self.fusion]
        if decoder is None:
            decoder = self.prior_decoder
            shared.append(decoder)
        index = inputs.labels.index
        with kept_running_statistics(shared):
            return [
                decoder([level[index] for level in levels], inputs.frame_size)
                for levels in self.fuse(inputs.posterior, inputs)
            ]

    def _posterior_terms(
        self, inputs: AVFeatures, logits: Sequence[Tensor]
    ) -> dict[str, Tensor]:
        """Reconstruction of the posterior path, and the divergences."""
        prior, posterior = inputs.prior, inputs.posterior
        index = inputs.labels.index
        divergences = {
            f'{divergence.loss_name}_{name}': self.latent_warmup
            * divergence(
                posterior.distributions[name],
                prior.distributions[name].select(index),
            )
            for name, divergence in self.divergences.items()
        }
        segmentation = self._segmentation(
            'posterior',
            logits,
            inputs.labels,
            self.posterior_weight,
            len(posterior.draws),
        )
        return segmentation | divergences

    def _regularisers(self, inputs: AVFeatures) -> dict[str, Tensor]:
        """Regularisers of the first draw, for the labelled frames."""
        index = inputs.labels.index
        draws = [path.draws[0] for path in (inputs.prior, inputs.posterior)]
        losses = {}
        if self.loss_orthogonality is not None:
            samples = (
                {name: x[index].float() for name, x in draw.samples.items()}
                for draw in draws
            )
            term = self.loss_orthogonality
            losses[term.loss_name] = self.latent_warmup * term(*samples)
        if self.loss_mutual_information is not None:
            codes = (
                (
                    draw.visual_code[index].float(),
                    draw.audio_code[index].float(),
                )
                for draw in draws
            )
            term = self.loss_mutual_information
            losses[term.loss_name] = self.latent_warmup * term(*codes)
        return losses
