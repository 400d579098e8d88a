"""Published ECMVAE checkpoints: which model they are, and our names.

The released code keeps everything but VGGish in one state dict. Which
variant of the paper it is shows in the names alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from torch import Size, Tensor

from mmavs.converters.backbones import original_pvt_name
from mmavs.converters.renaming import (
    Conversion,
    ConversionError,
    Slot,
    listed,
    rename_exactly,
)

# Part of the model -> our component -> how the names of its tensors begin in
# a file that has it. The first that occurs counts.
_MARKS = {
    'latents': {
        'FactorisedLatents': 'mm_vae_model.sc1_',
        'UnfactorisedLatents': 'mm_vae_model.sc_',
        'ProductOfExpertsLatents': 'mm_vae_model.enc_vac',
    },
    'backbone': {
        'pvt_v2_b5': 'encoder.patch_embed1.',
        'resnet50': 'encoder.layer1.',
    },
    'mapping': {
        'BasicMapping': 'neck_prior.conv_list.0.reduce.',
        'ASPPMapping': 'neck_prior.conv_list.0.conv2d_list.',
    },
    'fusion': {
        'TPAVI': 'fusion_modules.0.theta.',
        'AVCorr': 'fusion_modules.0.conv1.',
    },
}
# How the names in the format begin, and those of our models.
_PARTS = {
    'encoder',
    'neck_prior',
    'neck_post',
    'mm_vae_model',
    'fusion_modules',
    'decoder_prior',
    'decoder_post',
    'audio_neck',
}
_OUR_PARTS = {'backbone', 'neck', 'decode_head'}
_WORDS = {
    'FactorisedLatents': 'factorised latents',
    'UnfactorisedLatents': 'latents without factorisation',
    'ProductOfExpertsLatents': 'product-of-experts latents',
    'pvt_v2_b5': 'PVTv2-B5',
    'resnet50': 'ResNet-50',
    'BasicMapping': 'basic mapping',
    'ASPPMapping': 'ASPP mapping',
    'TPAVI': 'TPAVI fusion',
    'AVCorr': 'AVCorr fusion',
}
_CONFIG_NAMES = dict(pvt_v2_b5='pvt', resnet50='r50')
# What differs from the base config -> the ablation config that has it.
_ABLATIONS = {
    'UnfactorisedLatents': 'no-factor',
    'ProductOfExpertsLatents': 'poe',
    'ASPPMapping': 'aspp',
    'AVCorr': 'av-corr',
}
_OPTIONS = {
    'ASPPMapping': ('model.neck.mapping.type', 'ASPPMapping'),
    'AVCorr': ('model.decode_head.fusion.type', 'AVCorr'),
}


@dataclass(frozen=True)
class PublishedLayout:
    """Which of the published models a checkpoint is.

    Attributes:
        latents: our class of the latent space.
        backbone: ``pvt_v2_b5`` or ``resnet50``.
        mapping: our class of the channel mapping.
        fusion: our class of the audio-visual fusion.
    """

    latents: str = 'FactorisedLatents'
    backbone: str = 'pvt_v2_b5'
    mapping: str = 'BasicMapping'
    fusion: str = 'TPAVI'

    def __post_init__(self) -> None:
        for part, choices in _MARKS.items():
            if getattr(self, part) not in choices:
                raise ValueError(
                    f'{part} must be one of {", ".join(choices)}, got '
                    f'{getattr(self, part)!r}'
                )

    @property
    def description(self) -> str:
        """The model in words."""
        parts = (self.backbone, self.latents, self.mapping, self.fusion)
        return f'ECMVAE with {", ".join(_WORDS[part] for part in parts)}'

    @property
    def config(self) -> str:
        """The config that fits, together with :attr:`options`."""
        base = f'mmvae_{_CONFIG_NAMES[self.backbone]}_s4'
        changes = self._changes
        # The latents decide on losses too, so theirs has a config always.
        if changes and (len(changes) == 1 or changes[0] == self.latents):
            return f'configs/ablations/{base}_{_ABLATIONS[changes[0]]}.py'
        return f'configs/{base}.py'

    @property
    def options(self) -> dict[str, str]:
        """What ``--cfg-options`` must set on top of :attr:`config`."""
        changes = self._changes
        if 'ablations' in self.config:
            changes = changes[1:]
        return dict(_OPTIONS[change] for change in changes)

    @property
    def _changes(self) -> list[str]:
        parts = (self.latents, self.mapping, self.fusion)
        return [part for part in parts if part in _ABLATIONS]


def recognise(keys: Iterable[str]) -> PublishedLayout:
    """Tell the published models apart by the names of their tensors.

    Raises:
        ConversionError: if a part of the model is none of those known, or
            the names are ours already.
    """
    keys = list(keys)
    if _OUR_PARTS <= {key.split('.')[0] for key in keys}:
        raise ConversionError(
            'these are names of mmavs (backbone.*, neck.*, decode_head.*): '
            'the file was converted already, or written by a training'
        )
    found: dict[str, str] = {}
    unknown = []
    for part, marks in _MARKS.items():
        for component, mark in marks.items():
            if any(key.startswith(mark) for key in keys):
                found[part] = component
                break
        else:
            unknown.append(f'{part} ({" or ".join(marks.values())})')
    if unknown:
        message = (
            'this is no published ECMVAE checkpoint, or a part of one: none '
            f'of its {len(keys)} tensors shows the {" or the ".join(unknown)}'
        )
        strangers = [k for k in keys if k.split('.')[0] not in _PARTS]
        if strangers:
            message += (
                f'\n{len(strangers)} without a place in the format:'
                f'{listed(strangers)}'
            )
        raise ConversionError(message)
    return PublishedLayout(**found)


# Our words -> the published ones, by the name of the group below.
_SPELLING: dict[str, dict[str, str]] = {
    'path': dict(posterior='post'),
    'y': dict(prior='', posterior='_y'),
    'code': dict(visual_specific='vs', audio_specific='as', shared='vac'),
    'layer': dict(bn='norm'),
    'stack': dict(conv='layer'),
    'moment': dict(mean='fc1', log_var='fc2'),
    'side': dict(visual='1', audio='2'),
    'bound': dict(mean='mu', log_var='logvar', target='sc_a'),
    'unit': dict(lateral='1', merge='2'),
    # Blocks count from the deepest level, ours from the finest.
    'block': {str(i): str(4 - i) for i in range(4)},
    'count': {str(i): str(i + 1) for i in range(5)},
    'head': {'reduce': '0', 'head.0': '2', 'head.2': '4'},
    'tpavi': dict(out='W_z.0', out_norm='W_z.1', norm='norm_layer'),
    'corr': dict(reduce='1', spatial='2', expand='3'),
}
_ENCODER = r'neck\.latents\.(?P<y>prior|posterior)\.(?P<code>\w+)\.'
_DECODER = r'decode_head\.(?P<path>prior|posterior)_decoder\.'
_FUSION = r'decode_head\.fusion\.(?P<level>\d)\.'
# (our module, the published one): the groups of the first, spelt the
# published way, fill the second.
_MODULES = (
    (
        r'neck\.(?P<path>\w+)_mapping\.(?P<level>\d)\.(?P<i>\d)\.'
        r'(?P<layer>conv|bn)',
        'neck_{path}.conv_list.{level}.reduce.{i}.{layer}',
    ),
    (
        r'neck\.(?P<path>\w+)_mapping\.(?P<level>\d)\.convs\.(?P<i>\d)',
        'neck_{path}.conv_list.{level}.conv2d_list.{i}.conv',
    ),
    (
        r'neck\.(?P<path>\w+)_injection\.conv',
        'mm_vae_model.noise_model_{path}.noise_conv',
    ),
    (
        r'neck\.latents\.(?P<full>\w+)_fusion\.(?P<side>visual|audio)',
        'mm_vae_model.sc{side}_{full}',
    ),
    (r'neck\.latents\.(?P<full>\w+)_fusion', 'mm_vae_model.sc_{full}'),
    (
        _ENCODER + r'stack\.(?P<count>\d)\.(?P<stack>conv|bn)',
        'mm_vae_model.enc_{code}{y}.{stack}{count}',
    ),
    (
        _ENCODER + r'head\.(?P<moment>mean|log_var)',
        'mm_vae_model.enc_{code}{y}.{moment}',
    ),
    (_ENCODER + 'image', 'mm_vae_model.enc_{code}{y}.fc_gt_vector'),
    (
        r'decode_head\.loss_mutual_information\.(?P<path>\w+)\.(?P<bound>\w+)',
        'mm_vae_model.ba_lower_bound_{bound}_{path}',
    ),
    (
        _DECODER + r'(?P<unit>lateral|merge)\.(?P<block>\d)\.'
        r'convs\.(?P<count>\d)\.(?P<layer>conv|bn)',
        'decoder_{path}.fusion_block_{block}.resConfUnit{unit}.'
        'ConvBNReLU{count}.{layer}',
    ),
    (
        _DECODER + r'(?P<head>reduce|head\.\d)',
        'decoder_{path}.head_up_2.output_conv.{head}',
    ),
    (
        _FUSION + '(?P<corr>reduce|spatial|expand)',
        'fusion_modules.{level}.conv{corr}.conv',
    ),
    (_FUSION + r'(?P<tpavi>\w+)', 'fusion_modules.{level}.{tpavi}'),
)
# In the format, but nothing enters them.
_UNUSED = (
    'audio_neck',
    'decoder_prior.fusion_block_1.resConfUnit1',
    'decoder_post.fusion_block_1.resConfUnit1',
)
# TPAVI's projections are written as convolutions over T x h x w.
_TPAVI_LINEAR = r'decode_head\.fusion\.\d\.(g|theta|phi|out)\.weight'


def published_name(name: str) -> str:
    """Name in the published format of a tensor of our model.

    Raises:
        ValueError: if the format has no such tensor.
    """
    timm, backbone = 'backbone.timm_model.', 'backbone.'
    if name.startswith(timm):
        return f'encoder.{original_pvt_name(name.removeprefix(timm))}'
    if name.startswith(backbone):
        return f'encoder.{name.removeprefix(backbone)}'
    module, _, leaf = name.rpartition('.')
    for pattern, published in _MODULES:
        match = re.fullmatch(pattern, module)
        if match:
            words = {
                group: _SPELLING.get(group, {}).get(word, word)
                for group, word in match.groupdict().items()
            }
            return f'{published.format(**words)}.{leaf}'
    raise ValueError(f'the published format has no tensor for {name}')


def convert(
    state: Mapping[str, Tensor], shapes: Mapping[str, Size]
) -> Conversion:
    """Rename a published state dict for our model of the same layout.

    Args:
        state: the published weights, plain (see
            :func:`mmavs.converters.renaming.unwrap`).
        shapes: name and shape of each tensor of our model. Those of
            ``audio_backbone.`` are no part of the format.

    Raises:
        ConversionError: unless every tensor of either side has its partner,
            or is known to be unused.
    """
    layout = recognise(state)
    slots = {}
    for name, shape in shapes.items():
        if name.startswith('audio_backbone.'):
            continue
        source_shape = None
        if layout.fusion == 'TPAVI' and re.fullmatch(_TPAVI_LINEAR, name):
            source_shape = (*shape, 1, 1, 1)
        slots[published_name(name)] = Slot(name, tuple(shape), source_shape)
    return rename_exactly(
        state, slots, f'the published {layout.description}', _UNUSED
    )
