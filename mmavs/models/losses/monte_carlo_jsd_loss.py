"""Jensen-Shannon divergence against the arithmetic mixture."""

from __future__ import annotations

from mmseg.registry import MODELS
from torch import Tensor, nn

from mmavs.functional.divergences import monte_carlo_jsd
from mmavs.structures import DiagonalGaussian


@MODELS.register_module()
class MonteCarloJSDLoss(nn.Module):
    """Estimated JSD of the joint densities over K, mean over frames.

    Unlike :class:`GeometricJSDLoss` it is never more than ``log 2``, whatever
    the size of the code: where the two densities hardly overlap, which K
    dimensions soon make them do, it is flat and pulls no longer. The same
    beta therefore regularises less.

    Args:
        num_samples: samples of the posterior, and of the prior.
        loss_weight: beta of Eq. 14.
        loss_name: prefix of the name in the log; the head appends the name
            of the latent.

    Equation:
        JSD(q(c | X, y), p(c | X)), Eq. 13 and 14 of the supplement, with the
        arithmetic mixture, see
        :func:`mmavs.functional.divergences.monte_carlo_jsd`.
    """

    def __init__(
        self,
        num_samples: int = 1,
        loss_weight: float = 0.01,
        loss_name: str = 'loss_mc_jsd',
    ) -> None:
        super().__init__()
        self.num_samples = num_samples
        self.loss_weight = loss_weight
        self.loss_name = loss_name

    def forward(
        self, posterior: DiagonalGaussian, prior: DiagonalGaussian
    ) -> Tensor:
        """Scalar from two Gaussians of shape (N, K)."""
        value = monte_carlo_jsd(posterior, prior, self.num_samples)
        return self.loss_weight * value.mean()
