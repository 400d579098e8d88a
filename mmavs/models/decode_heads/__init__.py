"""Decode heads."""

from mmavs.models.decode_heads.av_decode_head import AVDecodeHead
from mmavs.models.decode_heads.iwae_decode_head import IWAEDecodeHead
from mmavs.models.decode_heads.residual_pyramid_decoder import (
    ResidualPyramidDecoder,
)
from mmavs.models.decode_heads.vae_decode_head import VAEDecodeHead

__all__ = [
    'AVDecodeHead',
    'IWAEDecodeHead',
    'ResidualPyramidDecoder',
    'VAEDecodeHead',
]
