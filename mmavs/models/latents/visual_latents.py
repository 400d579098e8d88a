"""The latent of a conditional VAE on vision alone."""

from __future__ import annotations

from mmseg.registry import MODELS

from mmavs.models.latents.latent_space import Codes, LatentSpace, Samples


@MODELS.register_module()
class VisualLatents(LatentSpace):
    """One latent, of the frames; the sound enters in the fusion only.

    Args:
        audio_channels: not used, the sound has no latent.
        latent_channels: K.
        initial_log_var: see :class:`LatentSpace`.

    Equation:
        Eq. 1 to 8 of the supplement.
    """

    names = ('visual_specific',)

    def prior_codes(self, samples: Samples) -> Codes:
        """The visual sample of the prior path, twice."""
        return samples['visual_specific'], samples['visual_specific']

    def posterior_codes(self, samples: Samples) -> Codes:
        """The visual sample of the posterior path, twice."""
        return samples['visual_specific'], samples['visual_specific']
