"""Jensen-Shannon divergence of the shared latent."""

from __future__ import annotations

from mmseg.registry import MODELS
from torch import Tensor, nn

from mmavs.functional.divergences import geometric_jsd
from mmavs.structures import DiagonalGaussian


@MODELS.register_module()
class GeometricJSDLoss(nn.Module):
    """Geometric JSD in closed form: sum over K, mean over frames.

    Args:
        weights: pi of the posterior and of the prior; they sum to 1.
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
        loss_weight: float = 0.01,
        loss_name: str = 'loss_jsd',
    ) -> None:
        super().__init__()
        self.weights = tuple(weights)
        self.loss_weight = loss_weight
        self.loss_name = loss_name

    def forward(
        self, posterior: DiagonalGaussian, prior: DiagonalGaussian
    ) -> Tensor:
        """Scalar from two Gaussians of shape (N, K)."""
        value = geometric_jsd(posterior, prior, self.weights)
        return self.loss_weight * value.mean()
