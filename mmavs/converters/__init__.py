"""Weights of others under the names of mmavs, checked tensor by tensor."""

from mmavs.converters.backbones import convert_pvt_v2, convert_vggish
from mmavs.converters.ecmvae import (
    PublishedLayout,
    convert,
    published_name,
    recognise,
)
from mmavs.converters.files import (
    check_target,
    naming,
    read_weights,
    write_checkpoint,
)
from mmavs.converters.model_of_config import build_on_meta, shapes_of
from mmavs.converters.renaming import Conversion, ConversionError, unwrap

__all__ = [
    'Conversion',
    'ConversionError',
    'PublishedLayout',
    'build_on_meta',
    'check_target',
    'convert',
    'convert_pvt_v2',
    'convert_vggish',
    'naming',
    'published_name',
    'read_weights',
    'recognise',
    'shapes_of',
    'unwrap',
    'write_checkpoint',
]
