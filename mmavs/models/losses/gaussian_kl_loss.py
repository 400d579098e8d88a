"""KL divergence between posterior and prior of one latent."""

from __future__ import annotations

from mmseg.registry import MODELS
from torch import Tensor, nn

from mmavs.functional.divergences import gaussian_kl
from mmavs.structures import DiagonalGaussian


@MODELS.register_module()
class GaussianKLLoss(nn.Module):
    """KL(q || p) in closed form: sum over K, mean over frames.

    Args:
        log_std: measure the Gaussians whose standard deviation is
            ``exp(log_var)``, where the samples have ``exp(log_var / 2)``.
        loss_weight: beta of Eq. 14.
        loss_name: prefix of the name in the log; the head appends the name
            of the latent.

    Equation:
        KL(q(s^m | x^m, y) || p(s^m | x^m)), Eq. 12 and 14 of the supplement.
    """

    def __init__(
        self,
        log_std: bool = False,
        loss_weight: float = 0.01,
        loss_name: str = 'loss_kl',
    ) -> None:
        super().__init__()
        self.log_std = log_std
        self.loss_weight = loss_weight
        self.loss_name = loss_name

    def forward(
        self, posterior: DiagonalGaussian, prior: DiagonalGaussian
    ) -> Tensor:
        """Scalar from two Gaussians of shape (N, K)."""
        if self.log_std:
            posterior, prior = posterior.with_log_std(), prior.with_log_std()
        return self.loss_weight * gaussian_kl(posterior, prior).mean()
