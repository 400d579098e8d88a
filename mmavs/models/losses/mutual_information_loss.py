"""Lower bound of the mutual information of the two fused codes."""

from __future__ import annotations

import torch
from mmengine.model import BaseModule
from mmseg.registry import MODELS
from torch import Tensor, nn

from mmavs.functional.latent_terms import gaussian_log_likelihood


@MODELS.register_module()
class MutualInformationLoss(BaseModule):
    """Minus the bound of the information the fused codes share.

    From the visual code a Gaussian over a target that is read from the audio
    code: the better the prediction, the more the codes have in common. The
    bound is to be maximised, so it enters the total with a minus sign.

    Args:
        code_channels: K, size of the fused codes.
        target_channels: size of the target.
        normalised: proper Gaussian log-likelihood. False is the published
            form, which lacks ``-0.5 * log_var``.
        loss_weight: factor on the value.
        loss_name: name in the log.
        init_cfg: initialisation, as everywhere in mmengine.

    Equation:
        I(sc_v; sc_a) >= E log N(target(sc_a); mean(sc_v), var(sc_v)) + const
        (Barber and Agakov, 2003), summed over the paths.
    """

    def __init__(
        self,
        code_channels: int,
        target_channels: int = 6,
        normalised: bool = True,
        loss_weight: float = 0.001,
        loss_name: str = 'loss_mutual_information',
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg)

        def heads():
            return nn.ModuleDict(
                {
                    name: nn.Linear(code_channels, target_channels)
                    for name in ('mean', 'log_var', 'target')
                }
            )

        self.prior, self.posterior = heads(), heads()
        self.normalised = normalised
        self.loss_weight = loss_weight
        self.loss_name = loss_name

    def bound(
        self, heads: nn.ModuleDict, visual_code: Tensor, audio_code: Tensor
    ) -> Tensor:
        """Bound of one path from codes of shape (N, K), as a scalar.

        Raises:
            ValueError: if K is not ``code_channels``.
        """
        if visual_code.shape[1] != heads['mean'].in_features:
            raise ValueError(
                f'the codes have latent_channels={visual_code.shape[1]}, but '
                'loss_mutual_information has code_channels='
                f'{heads["mean"].in_features}: give both the same number'
            )
        value = gaussian_log_likelihood(
            target=torch.tanh(heads['target'](audio_code).float()),
            mean=torch.tanh(heads['mean'](visual_code).float()),
            log_var=torch.tanh(heads['log_var'](visual_code).float()),
            normalised=self.normalised,
        )
        return value.mean()

    def forward(
        self,
        prior: tuple[Tensor, Tensor],
        posterior: tuple[Tensor, Tensor],
    ) -> Tensor:
        """Scalar from (visual code, audio code) of each path, each (N, K)."""
        value = self.bound(self.prior, *prior) + self.bound(
            self.posterior, *posterior
        )
        return -self.loss_weight * value
