"""Channel mapping and latent factorisation."""

from mmavs.models.necks.aspp_mapping import ASPPMapping
from mmavs.models.necks.av_mapping_neck import AVMappingNeck
from mmavs.models.necks.basic_mapping import BasicMapping
from mmavs.models.necks.code_injection import CodeInjection
from mmavs.models.necks.latent_factorisation_neck import (
    LatentFactorisationNeck,
)
from mmavs.models.necks.modulated_injection import ModulatedInjection
from mmavs.models.necks.per_modality_injection import PerModalityInjection

__all__ = [
    'ASPPMapping',
    'AVMappingNeck',
    'BasicMapping',
    'CodeInjection',
    'LatentFactorisationNeck',
    'ModulatedInjection',
    'PerModalityInjection',
]
