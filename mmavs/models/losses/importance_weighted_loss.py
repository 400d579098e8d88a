"""Minus the importance-weighted bound."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from mmseg.registry import MODELS
from torch import Tensor, nn

from mmavs.functional.importance_weighted import (
    bernoulli_log_likelihood,
    importance_weighted_bound,
    sum_over_clips,
)
from mmavs.structures import FrameLabels


@MODELS.register_module()
class ImportanceWeightedLoss(nn.Module):
    """Reconstruction and latent term in one, for draws of any proposal.

    The bound of log p(y | X) takes the place of a segmentation loss and a
    divergence where the latter has no closed form, as between mixtures.

    A weight belongs to a clip, not to a frame: the temporal fusion makes the
    likelihood of a frame depend on the codes of every frame of its clip.

    Args:
        temperature: tau of the likelihood; None for 1 / (H * W), see
            :func:`mmavs.functional.importance_weighted.bernoulli_log_likelihood`.
        beta: factor on the log-ratio of prior and posterior, as that of
            Eq. 14.
        loss_weight: factor on the value.
        loss_name: name in the log.

    Raises:
        ValueError: if the temperature is not positive.

    Equation:
        log w = sum over the labelled frames of a clip of
        log p(y | X, z) + beta [ log p(z | X) - log q(z | X, y) ];
        loss = - 1/M sum over clips of the bound of Burda et al. (2016), mean
        over strata, M the number of labelled frames.
        With ``temperature=1, beta=1`` the sum bounds the log-likelihood of
        the masks from below; every other choice is a tempered surrogate.
    """

    def __init__(
        self,
        temperature: float | None = None,
        beta: float = 0.01,
        loss_weight: float = 1.0,
        loss_name: str = 'loss_bound',
    ) -> None:
        super().__init__()
        if temperature is not None and temperature <= 0:
            raise ValueError(
                'temperature must be positive, or None for 1 / (H * W), got '
                f'{temperature}'
            )
        self.temperature = temperature
        self.beta = beta
        self.loss_weight = loss_weight
        self.loss_name = loss_name

    def forward(
        self,
        logits: Sequence[Sequence[Tensor]],
        labels: FrameLabels,
        log_ratio: Tensor,
        num_frames: int,
        num_strata: int,
        likelihood_factor: float = 1.0,
        beta_factor: float = 1.0,
    ) -> Tensor:
        """Scalar from D = R * L draws of the codes.

        Args:
            logits: the decodings of each draw at the labelled frames. Those
                of one draw add up their log-likelihoods (Eq. 11).
            labels: the masks of the labelled frames.
            log_ratio: log p(z | X) - log q(z | X, y) of each draw at the
                labelled frames. An unlabelled frame is drawn from the prior,
                so its ratio is 0 and not asked for.
            num_frames: T, frames per clip.
            num_strata: R; the draws are stratum-major, d = r * L + l.
            likelihood_factor: further factor on the log-likelihood: gamma
                of Eq. 11.
            beta_factor: further factor on beta: the warm-up.

        Shapes:
            - logits: D x decodings x (M, 1, H, W).
            - log_ratio: (D, M).

        Raises:
            ValueError: if the draws are not as many as ``log_ratio`` has, or
                not a multiple of the strata.
        """
        num_draws = len(logits)
        expected = (num_draws, len(labels.index))
        if log_ratio.shape != expected or num_draws % num_strata:
            raise ValueError(
                f'{num_draws} draws of {expected[1]} labelled frames need a '
                f'log_ratio of shape {expected} and a divisor of {num_draws} '
                f'as num_strata, got {tuple(log_ratio.shape)} and '
                f'{num_strata}'
            )
        log_likelihood = torch.stack(
            [self._log_likelihood(decodings, labels) for decodings in logits]
        )
        factor = self.beta * beta_factor
        log_weights = sum_over_clips(
            likelihood_factor * log_likelihood + factor * log_ratio,
            labels.index,
            num_frames,
        )
        bound = importance_weighted_bound(
            log_weights.unflatten(0, (num_strata, -1))
        )
        return -self.loss_weight * bound.sum() / len(labels.index)

    def _log_likelihood(
        self, decodings: Sequence[Tensor], labels: FrameLabels
    ) -> Tensor:
        """Log-likelihood of the masks under all decodings of a draw, (M,)."""
        values = [
            bernoulli_log_likelihood(
                logits, labels.labels, self.temperature, labels.ignore_index
            )
            for logits in decodings
        ]
        return torch.stack(values).sum(0)
