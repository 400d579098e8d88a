"""Decode heads."""

from mmavs.models.decode_heads.residual_pyramid_decoder import (
    ResidualPyramidDecoder,
)
from mmavs.models.decode_heads.vae_decode_head import VAEDecodeHead

__all__ = ['ResidualPyramidDecoder', 'VAEDecodeHead']
