"""Channel mapping and latent factorisation."""

from mmavs.models.necks.basic_mapping import BasicMapping
from mmavs.models.necks.factorised_latents import FactorisedLatents
from mmavs.models.necks.latent_encoders import (
    AudioEncoder,
    AudioMaskEncoder,
    VisualEncoder,
)
from mmavs.models.necks.latent_factorisation_neck import (
    LatentFactorisationNeck,
)

__all__ = [
    'AudioEncoder',
    'AudioMaskEncoder',
    'BasicMapping',
    'FactorisedLatents',
    'LatentFactorisationNeck',
    'VisualEncoder',
]
