"""Latent spaces."""

from mmavs.models.latents.dynamic_prior_latents import DynamicPriorLatents
from mmavs.models.latents.encoders import (
    AudioEncoder,
    AudioMaskEncoder,
    VisualEncoder,
)
from mmavs.models.latents.factorised_latents import FactorisedLatents
from mmavs.models.latents.joint_geometric_mean_latents import (
    JointGeometricMeanLatents,
)
from mmavs.models.latents.joint_mixture_latents import JointMixtureLatents
from mmavs.models.latents.joint_product_latents import JointProductLatents
from mmavs.models.latents.latent_space import LatentSpace
from mmavs.models.latents.product_of_experts_latents import (
    ProductOfExpertsLatents,
)
from mmavs.models.latents.unfactorised_latents import UnfactorisedLatents
from mmavs.models.latents.visual_latents import VisualLatents

__all__ = [
    'AudioEncoder',
    'AudioMaskEncoder',
    'DynamicPriorLatents',
    'FactorisedLatents',
    'JointGeometricMeanLatents',
    'JointMixtureLatents',
    'JointProductLatents',
    'LatentSpace',
    'ProductOfExpertsLatents',
    'UnfactorisedLatents',
    'VisualEncoder',
    'VisualLatents',
]
