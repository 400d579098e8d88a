"""Latents without factorisation."""

from __future__ import annotations

import torch
from mmseg.registry import MODELS
from torch import nn

from mmavs.models.latents.latent_space import Codes, LatentSpace, Samples


@MODELS.register_module()
class UnfactorisedLatents(LatentSpace):
    """One latent per modality and no shared one, mapped to one joint code.

    Args:
        latent_channels: K.
        **kwargs: as in :class:`LatentSpace`.

    Equation:
        z = L [z_v; z_a] serves as both codes, Fig. 1 of the supplement.
    """

    names = ('visual_specific', 'audio_specific')

    def __init__(self, *, latent_channels: int = 16, **kwargs) -> None:
        super().__init__(latent_channels=latent_channels, **kwargs)
        self.prior_fusion, self.posterior_fusion = (
            nn.Linear(2 * latent_channels, latent_channels) if wanted else None
            for wanted in (True, self.posterior)
        )

    def prior_codes(self, samples: Samples) -> Codes:
        """The joint code of the prior path, twice."""
        return _fuse(self.prior_fusion, samples)

    def posterior_codes(self, samples: Samples) -> Codes:
        """The joint code of the posterior path, twice."""
        return _fuse(self.posterior_fusion, samples)


def _fuse(fusion: nn.Linear, samples: Samples) -> Codes:
    code = fusion(
        torch.cat(
            [samples['visual_specific'], samples['audio_specific']], dim=1
        )
    )
    return code, code
