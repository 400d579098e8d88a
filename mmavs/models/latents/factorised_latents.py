"""Modality-specific and shared latents."""

from __future__ import annotations

import torch
from mmseg.registry import MODELS
from torch import nn

from mmavs.models.latents.latent_space import Codes, LatentSpace, Samples


@MODELS.register_module()
class FactorisedLatents(LatentSpace):
    """The factorised latent space: s_v, s_a and c, prior and posterior.

    Each modality's latent splits into a specific code and one code shared by
    both: q(s, c) = q(s | x^m, y) q(c | X, y), and p likewise without y. The
    code of a side is a linear map of its specific and the shared sample.

    Args:
        latent_channels: K.
        **kwargs: as in :class:`LatentSpace`.

    Equation:
        Eq. 11 to 14 and Fig. 2 of the supplement.
    """

    def __init__(self, *, latent_channels: int = 16, **kwargs) -> None:
        super().__init__(latent_channels=latent_channels, **kwargs)
        k = latent_channels
        self.prior_fusion, self.posterior_fusion = (
            nn.ModuleDict(
                dict(visual=nn.Linear(2 * k, k), audio=nn.Linear(2 * k, k))
            )
            if wanted
            else None
            for wanted in (True, self.posterior)
        )

    def prior_codes(self, samples: Samples) -> Codes:
        """sc_v = L [s_v; c] and sc_a = L [s_a; c] of the prior path."""
        return _fuse(self.prior_fusion, samples)

    def posterior_codes(self, samples: Samples) -> Codes:
        """sc_v = L [s_v; c] and sc_a = L [s_a; c] of the posterior path."""
        return _fuse(self.posterior_fusion, samples)


def _fuse(fusion: nn.ModuleDict, samples: Samples) -> Codes:
    visual, audio = (
        fusion[modality](
            torch.cat(
                [samples[f'{modality}_specific'], samples['shared']], dim=1
            )
        )
        for modality in ('visual', 'audio')
    )
    return visual, audio
