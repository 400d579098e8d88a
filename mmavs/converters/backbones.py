"""Public weights of the two backbones of the paper's configs."""

from __future__ import annotations

import re
from collections.abc import Mapping

from torch import Size, Tensor

from mmavs.converters.renaming import Conversion, Slot, rename_exactly

Shapes = Mapping[str, Size]

# timm's names of PVTv2 -> those of the original release. The embeddings and
# the blocks count from 1 there, and every patch embedding has one name.
_STAGE_PARTS = dict(blocks='block', norm='norm', downsample='patch_embed')


def original_pvt_name(name: str) -> str:
    """Name in the original PVTv2 release of a tensor of timm's model."""
    name = name.replace('.dwconv.', '.dwconv.dwconv.')
    if name.startswith('patch_embed.'):
        return name.replace('patch_embed.', 'patch_embed1.', 1)
    return re.sub(
        r'^stages\.(\d)\.(blocks|norm|downsample)\.',
        lambda m: f'{_STAGE_PARTS[m[2]]}{int(m[1]) + 1}.',
        name,
    )


def convert_pvt_v2(
    state: Mapping[str, Tensor], shapes: Shapes, variant: str
) -> Conversion:
    """Name ImageNet weights of PVTv2 as timm does; drop the classifier.

    Args:
        state: weights in the naming of the original release or of timm.
        shapes: name and shape of each tensor of timm's model without its
            classifier.
        variant: of that model, as ``--variant`` names it.

    Raises:
        ConversionError: unless every tensor has a place and fills it.
    """
    naming = 'timm' if 'patch_embed.proj.weight' in state else 'original'
    slots = {
        name if naming == 'timm' else original_pvt_name(name): Slot(
            name, tuple(shape)
        )
        for name, shape in shapes.items()
    }
    return rename_exactly(
        state,
        slots,
        f'ImageNet weights of PVTv2-{variant.upper().replace("_", "-")} '
        f'(--variant {variant}) in the {naming} naming',
        ('head',),
    )


def convert_vggish(state: Mapping[str, Tensor], shapes: Shapes) -> Conversion:
    """Check public VGGish weights, whose names are ours.

    Args:
        state: the weights.
        shapes: name and shape of each tensor of our network.

    Raises:
        ConversionError: unless every tensor has a place and fills it.
    """
    slots = {name: Slot(name, tuple(s)) for name, s in shapes.items()}
    return rename_exactly(
        state,
        slots,
        f'the {len(slots)} tensors features.* and embeddings.* of the public '
        'PyTorch VGGish weights',
    )
