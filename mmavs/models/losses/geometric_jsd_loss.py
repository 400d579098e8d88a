"""Jensen-Shannon divergence of the shared latent."""

from __future__ import annotations

from mmseg.registry import MODELS
from torch import Tensor, nn

from mmavs.functional.divergences import check_weights, geometric_jsd
from mmavs.structures import DiagonalGaussian


@MODELS.register_module()
class GeometricJSDLoss(nn.Module):
    """Geometric JSD in closed form: sum over K, mean over frames.

    Args:
        weights: pi of the posterior and of the prior; they sum to 1.
        log_std: measure the Gaussians whose standard deviation is
            ``exp(log_var)``, where the samples have ``exp(log_var / 2)``.
        loss_weight: beta of Eq. 14.
        loss_name: prefix of the name in the log; the head appends the name
            of the latent.

    Equation:
        JSD(q(c | X, y), p(c | X)), Eq. 13 and 14 of the supplement, with the
        geometric mean of Sutter et al. (2020) as the mixture.
    """

    def __init__(
        self,
        weights: tuple[float, float] = (0.5, 0.5),
        log_std: bool = False,
        loss_weight: float = 0.01,
        loss_name: str = 'loss_jsd',
    ) -> None:
        super().__init__()
        check_weights(2, weights, normalised=True)
        self.weights = tuple(weights)
        self.log_std = log_std
        self.loss_weight = loss_weight
        self.loss_name = loss_name

    def forward(
        self, posterior: DiagonalGaussian, prior: DiagonalGaussian
    ) -> Tensor:
        """Scalar from two Gaussians of shape (N, K)."""
        if self.log_std:
            posterior, prior = posterior.with_log_std(), prior.with_log_std()
        value = geometric_jsd(posterior, prior, self.weights)
        return self.loss_weight * value.mean()
