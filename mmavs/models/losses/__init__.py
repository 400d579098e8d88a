"""Losses of the conditional multimodal VAE."""

from mmavs.models.losses.av_matching_loss import AVMatchingLoss
from mmavs.models.losses.gaussian_kl_loss import GaussianKLLoss
from mmavs.models.losses.geometric_jsd_loss import GeometricJSDLoss
from mmavs.models.losses.importance_weighted_loss import (
    ImportanceWeightedLoss,
)
from mmavs.models.losses.monte_carlo_jsd_loss import MonteCarloJSDLoss
from mmavs.models.losses.mutual_information_loss import MutualInformationLoss
from mmavs.models.losses.orthogonality_loss import OrthogonalityLoss
from mmavs.models.losses.structure_loss import StructureLoss

__all__ = [
    'AVMatchingLoss',
    'GaussianKLLoss',
    'GeometricJSDLoss',
    'ImportanceWeightedLoss',
    'MonteCarloJSDLoss',
    'MutualInformationLoss',
    'OrthogonalityLoss',
    'StructureLoss',
]
