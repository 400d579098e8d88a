"""Decode head trained with the importance-weighted bound."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from mmseg.registry import MODELS
from torch import Tensor

from mmavs.functional.predictive import average_logits
from mmavs.models.decode_heads.av_decode_head import by_draw
from mmavs.models.decode_heads.vae_decode_head import VAEDecodeHead
from mmavs.structures import AVFeatures, GaussianMixture, LatentPath


@MODELS.register_module()
class IWAEDecodeHead(VAEDecodeHead):
    """The bound takes the place of reconstruction and divergences.

    For a joint latent that is a mixture, whose divergence has no closed
    form. The latents must be ``JointMixtureLatents``, which draw in strata.

    Args:
        in_channels: channels of the levels, one number for each, all equal
            to ``channels``.
        channels: C.
        loss_bound: config of the importance-weighted bound;
            ``posterior_weight`` (gamma) multiplies its log-likelihood.
        **kwargs: as in :class:`VAEDecodeHead`.

    Raises:
        ValueError: for divergences, or more than one channel: the likelihood
            is that of binary masks.

    Equation:
        log p(y | X) >= mean_r E log mean_l p(y | X, z_rl) p(z_rl | X) /
        q(z_rl | X, y), strata r and draws l (Burda et al., 2016; the strata:
        see :class:`JointMixtureLatents`). The unlabelled frames of all draws
        carry one sample of the prior, as elsewhere: still a bound, but with
        them it does not become tight as L grows.
    """

    def __init__(
        self,
        in_channels: Sequence[int],
        channels: int,
        *,
        loss_bound: dict = dict(type='ImportanceWeightedLoss'),  # noqa: B006 (as loss_decode)
        **kwargs,
    ) -> None:
        if kwargs.get('divergences'):
            raise ValueError(
                'IWAEDecodeHead takes no divergences, got '
                f'{sorted(kwargs["divergences"])}: the bound measures the '
                'posterior against the prior by itself'
            )
        super().__init__(in_channels, channels, **kwargs)
        if self.out_channels != 1:
            raise ValueError(
                'IWAEDecodeHead takes out_channels=1, got '
                f'{self.out_channels}: the likelihood of its bound is a '
                'Bernoulli one; several classes take VAEDecodeHead with a '
                'CrossEntropyLoss'
            )
        self.loss_bound = MODELS.build(loss_bound)

    def _check_kinds(self, posterior: LatentPath) -> None:
        """The bound is that of a mixture."""
        joint = posterior.distributions.get('joint')
        if not isinstance(joint, GaussianMixture):
            kinds = {
                name: type(distribution).__name__
                for name, distribution in posterior.distributions.items()
            }
            raise ValueError(
                "IWAEDecodeHead needs a latent 'joint' that is a "
                'GaussianMixture, as model.neck.latents of type '
                f'JointMixtureLatents has: the neck has {kinds}'
            )

    def _posterior_terms(
        self, inputs: AVFeatures, logits: Sequence[Tensor]
    ) -> dict[str, Tensor]:
        """The bound over all draws, and watched IoU of the posterior path."""
        posterior, index = inputs.posterior, inputs.labels.index
        proposal = posterior.distributions['joint']
        prior = inputs.prior.distributions['joint'].select(index)
        samples = [draw.samples['joint'][index] for draw in posterior.draws]
        log_ratio = torch.stack(
            [prior.log_prob(z) - proposal.log_prob(z) for z in samples]
        )
        term = self.loss_bound
        value = term(
            by_draw(logits, posterior),
            inputs.labels,
            log_ratio,
            inputs.num_frames,
            num_strata=len(proposal.experts),
            likelihood_factor=self.posterior_weight,
            beta_factor=self.latent_warmup,
        )
        return {
            term.loss_name: value,
            'iou_posterior': self._foreground_iou(
                average_logits(logits), inputs.labels
            ),
        }
