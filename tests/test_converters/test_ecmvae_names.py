"""Every tensor of every published layout has one place in our model."""

import re
from functools import cache
from itertools import product
from pathlib import Path

import pytest
import torch
import torchvision
from timm.models.pvt_v2 import checkpoint_filter_fn

from mmavs.converters import (
    ConversionError,
    PublishedLayout,
    build_on_meta,
    convert,
    published_name,
    recognise,
    shapes_of,
    unwrap,
)
from mmavs.converters.reference import read_shapes

ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT / 'tests' / 'data'
FACTORISED, UNFACTORISED = 'FactorisedLatents', 'UnfactorisedLatents'
PRODUCT = 'ProductOfExpertsLatents'
# Stored list of names -> number of tensors, the layout, config that fits.
FILES = {
    'ecmvae_pvt_b5': (1691, {}, 'mmvae_pvt_s4'),
    'ecmvae_r50': (957, dict(backbone='resnet50'), 'mmvae_r50_s4'),
    'no_factor_pvt_b5': (
        1593,
        dict(latents=UNFACTORISED),
        'ablations/mmvae_pvt_s4_no-factor',
    ),
    'no_factor_r50': (
        859,
        dict(latents=UNFACTORISED, backbone='resnet50'),
        'ablations/mmvae_r50_s4_no-factor',
    ),
    'poe_pvt_b5': (1683, dict(latents=PRODUCT), 'ablations/mmvae_pvt_s4_poe'),
    'poe_r50': (
        949,
        dict(latents=PRODUCT, backbone='resnet50'),
        'ablations/mmvae_r50_s4_poe',
    ),
    'aspp_r50': (
        845,
        dict(mapping='ASPPMapping', backbone='resnet50'),
        'ablations/mmvae_r50_s4_aspp',
    ),
    'av_corr_r50': (
        909,
        dict(fusion='AVCorr', backbone='resnet50'),
        'ablations/mmvae_r50_s4_av-corr',
    ),
}
DROPPED = {
    'audio_neck': 2,
    'decoder_prior.fusion_block_1.resConfUnit1': 12,
    'decoder_post.fusion_block_1.resConfUnit1': 12,
}


def numbered(shapes):
    """Tensor i is full of i."""
    return {
        key: torch.tensor(float(i)).expand(shape)
        for i, (key, shape) in enumerate(shapes.items())
    }


def published_state(name):
    """A state dict of the stored shapes."""
    return numbered(read_shapes(DATA / f'{name}_keys.json.gz'))


@cache
def our_shapes(layout):
    return shapes_of(build_on_meta(ROOT / layout.config, layout.options))


def convert_state(state):
    return convert(state, our_shapes(recognise(state)))


@pytest.mark.parametrize('name', FILES)
def test_every_tensor_of_every_list_has_a_place(name):
    count, changes, config = FILES[name]
    state = published_state(name)
    assert len(state) == count
    layout = recognise(state)
    assert layout == PublishedLayout(**changes)
    assert layout.config == f'configs/{config}.py' and layout.options == {}

    result = convert_state(state)
    shapes = {
        key: shape
        for key, shape in our_shapes(layout).items()
        if not key.startswith('audio_backbone.')
    }
    assert {k: v.shape for k, v in result.state_dict.items()} == shapes
    assert result.dropped == DROPPED
    assert len(shapes) == count - sum(DROPPED.values())
    # No published tensor is used twice, and each is where its name says.
    used = [value.flatten()[0].item() for value in result.state_dict.values()]
    assert len(set(used)) == len(used)
    for key, value in result.state_dict.items():
        source = state[published_name(key)]
        assert value.flatten()[0] == source.flatten()[0], key


# Written down by hand.
PAIRS = {
    'ecmvae_pvt_b5': {
        'neck_prior.conv_list.2.reduce.1.norm.running_var': (
            'neck.prior_mapping.2.1.bn.running_var'
        ),
        'neck_post.conv_list.0.reduce.0.conv.weight': (
            'neck.posterior_mapping.0.0.conv.weight'
        ),
        'mm_vae_model.enc_vs.layer1.weight': (
            'neck.latents.prior.visual_specific.stack.0.conv.weight'
        ),
        'mm_vae_model.enc_vac_y.bn5.bias': (
            'neck.latents.posterior.shared.stack.4.bn.bias'
        ),
        'mm_vae_model.enc_as.fc1.bias': (
            'neck.latents.prior.audio_specific.head.mean.bias'
        ),
        'mm_vae_model.enc_as_y.fc2.weight': (
            'neck.latents.posterior.audio_specific.head.log_var.weight'
        ),
        'mm_vae_model.enc_vac.fc_gt_vector.weight': (
            'neck.latents.prior.shared.image.weight'
        ),
        'mm_vae_model.sc1_prior.weight': (
            'neck.latents.prior_fusion.visual.weight'
        ),
        'mm_vae_model.sc2_posterior.bias': (
            'neck.latents.posterior_fusion.audio.bias'
        ),
        'mm_vae_model.noise_model_post.noise_conv.weight': (
            'neck.posterior_injection.conv.weight'
        ),
        'mm_vae_model.ba_lower_bound_sc_a_prior.weight': (
            'decode_head.loss_mutual_information.prior.target.weight'
        ),
        'mm_vae_model.ba_lower_bound_logvar_post.bias': (
            'decode_head.loss_mutual_information.posterior.log_var.bias'
        ),
        'fusion_modules.3.W_z.1.running_mean': (
            'decode_head.fusion.3.out_norm.running_mean'
        ),
        'fusion_modules.0.W_z.0.weight': 'decode_head.fusion.0.out.weight',
        'fusion_modules.1.norm_layer.bias': 'decode_head.fusion.1.norm.bias',
        'decoder_prior.fusion_block_1.resConfUnit2.ConvBNReLU1.conv.weight': (
            'decode_head.prior_decoder.merge.3.convs.0.conv.weight'
        ),
        'decoder_post.fusion_block_4.resConfUnit1.ConvBNReLU2.norm.bias': (
            'decode_head.posterior_decoder.lateral.0.convs.1.bn.bias'
        ),
        'decoder_prior.head_up_2.output_conv.0.bias': (
            'decode_head.prior_decoder.reduce.bias'
        ),
        'decoder_prior.head_up_2.output_conv.4.weight': (
            'decode_head.prior_decoder.head.2.weight'
        ),
        'encoder.patch_embed1.proj.weight': (
            'backbone.timm_model.patch_embed.proj.weight'
        ),
        'encoder.patch_embed3.norm.bias': (
            'backbone.timm_model.stages.2.downsample.norm.bias'
        ),
        'encoder.block3.39.mlp.dwconv.dwconv.weight': (
            'backbone.timm_model.stages.2.blocks.39.mlp.dwconv.weight'
        ),
        'encoder.norm4.weight': 'backbone.timm_model.stages.3.norm.weight',
    },
    'no_factor_r50': {
        'mm_vae_model.sc_prior.weight': 'neck.latents.prior_fusion.weight',
        'mm_vae_model.sc_posterior.bias': 'neck.latents.posterior_fusion.bias',
        'encoder.layer3.5.bn2.bias': 'backbone.layer3.5.bn2.bias',
    },
    'aspp_r50': {
        'neck_post.conv_list.3.conv2d_list.2.conv.weight': (
            'neck.posterior_mapping.3.convs.2.weight'
        ),
    },
    'av_corr_r50': {
        'fusion_modules.2.conv1.conv.weight': (
            'decode_head.fusion.2.reduce.weight'
        ),
        'fusion_modules.0.conv2.conv.weight': (
            'decode_head.fusion.0.spatial.weight'
        ),
        'fusion_modules.3.conv3.conv.weight': (
            'decode_head.fusion.3.expand.weight'
        ),
    },
}


@pytest.mark.parametrize('name', PAIRS)
def test_names_by_hand(name):
    state = published_state(name)
    converted = convert_state(state).state_dict
    for source, target in PAIRS[name].items():
        value = state[source].flatten()[0]
        assert (converted[target] == value).all(), target


def test_pvt_names_are_those_that_timm_reads():
    state = published_state('ecmvae_pvt_b5')
    prefix = 'backbone.timm_model.'
    ours = {
        key.removeprefix(prefix): value
        for key, value in convert_state(state).state_dict.items()
        if key.startswith(prefix)
    }
    theirs = checkpoint_filter_fn(
        {
            key.removeprefix('encoder.'): value
            for key, value in state.items()
            if key.startswith('encoder.')
        },
        None,
    )
    assert len(ours) == 1052 and ours.keys() == theirs.keys()
    assert all(torch.equal(ours[key], theirs[key]) for key in ours)


def test_resnet_names_are_those_of_torchvision():
    state = published_state('ecmvae_r50')
    with torch.device('meta'):
        theirs = shapes_of(torchvision.models.resnet50())
    ours = {
        key.removeprefix('backbone.'): value.shape
        for key, value in convert_state(state).state_dict.items()
        if key.startswith('backbone.')
    }
    assert ours == {k: v for k, v in theirs.items() if not k.startswith('fc.')}


# Part of the published model -> our component -> a stored list that has it.
SOURCES = {
    ('encoder',): dict(resnet50='ecmvae_r50', pvt_v2_b5='ecmvae_pvt_b5'),
    ('mm_vae_model',): {
        FACTORISED: 'ecmvae_r50',
        UNFACTORISED: 'no_factor_r50',
        PRODUCT: 'poe_r50',
    },
    ('neck_prior', 'neck_post'): dict(
        BasicMapping='ecmvae_r50', ASPPMapping='aspp_r50'
    ),
    ('fusion_modules',): dict(TPAVI='ecmvae_r50', AVCorr='av_corr_r50'),
    ('decoder_prior', 'decoder_post', 'audio_neck'): {'': 'ecmvae_r50'},
}
# Channels of the levels: of ResNet-50 and of PVTv2-B5.
PVT_CHANNELS = {256: 64, 512: 128, 1024: 320, 2048: 512}


@cache
def stored_shapes(name):
    return read_shapes(DATA / f'{name}_keys.json.gz')


def assembled_shapes(layout):
    """Published names and shapes of a layout, of parts of stored lists."""
    components = {*vars(layout).values(), ''}
    shapes = {}
    for parts, sources in SOURCES.items():
        (source,) = (sources[c] for c in components & sources.keys())
        for key, shape in stored_shapes(source).items():
            if key.split('.')[0] in parts:
                shapes[key] = shape
    if layout.backbone == 'pvt_v2_b5':
        for key, shape in shapes.items():
            # The first convolution of a mapping, and all of an ASPP.
            if re.match(r'neck_\w+\.conv_list\.\d\.(red\w+\.0|conv2d)', key):
                if key.endswith('conv.weight'):
                    shapes[key] = [
                        shape[0],
                        PVT_CHANNELS[shape[1]],
                        *shape[2:],
                    ]
    return shapes


ALL_LAYOUTS = [
    PublishedLayout(*parts)
    for parts in product(
        (FACTORISED, UNFACTORISED, PRODUCT),
        ('resnet50', 'pvt_v2_b5'),
        ('BasicMapping', 'ASPPMapping'),
        ('TPAVI', 'AVCorr'),
    )
]
STORED_LAYOUTS = {
    PublishedLayout(**changes): name for name, (_, changes, _) in FILES.items()
}
# Not all on PVTv2-B5, which takes longer to build.
ASSEMBLED = [
    layout
    for layout in ALL_LAYOUTS
    if layout not in STORED_LAYOUTS
    and (layout.backbone == 'resnet50' or layout.latents == FACTORISED)
]


def of_layouts(layouts):
    return pytest.mark.parametrize(
        'layout', layouts, ids=lambda layout: layout.description
    )


@of_layouts(STORED_LAYOUTS)
def test_assembling_makes_the_stored_lists(layout):
    """So that the lists assembled below are worth something."""
    expected = stored_shapes(STORED_LAYOUTS[layout])
    assert assembled_shapes(layout) == expected


@of_layouts(ALL_LAYOUTS)
def test_every_combination_is_recognised_and_has_a_config(layout):
    assert recognise(assembled_shapes(layout)) == layout
    assert (ROOT / layout.config).is_file()


@of_layouts(ASSEMBLED)
def test_every_tensor_of_a_combination_has_a_place(layout):
    """In the model of the config that the layout names."""
    state = numbered(assembled_shapes(layout))
    result = convert(state, our_shapes(layout))
    shapes = {
        key: shape
        for key, shape in our_shapes(layout).items()
        if not key.startswith('audio_backbone.')
    }
    assert {k: v.shape for k, v in result.state_dict.items()} == shapes
    assert result.dropped == DROPPED
    assert len(state) == len(shapes) + sum(DROPPED.values())


def test_the_combinations_include_the_paper_on_pvt():
    """No list of these two is stored."""
    layouts = {
        layout.config: layout for layout in ASSEMBLED if not layout.options
    }
    assert {
        'configs/ablations/mmvae_pvt_s4_aspp.py',
        'configs/ablations/mmvae_pvt_s4_av-corr.py',
    } <= layouts.keys()


@pytest.mark.parametrize(
    ('parts', 'config', 'options'),
    [
        ({}, 'configs/mmvae_pvt_s4.py', {}),
        (
            dict(mapping='ASPPMapping', fusion='AVCorr'),
            'configs/mmvae_pvt_s4.py',
            {
                'model.neck.mapping.type': 'ASPPMapping',
                'model.decode_head.fusion.type': 'AVCorr',
            },
        ),
        (
            dict(latents=PRODUCT, mapping='ASPPMapping'),
            'configs/ablations/mmvae_pvt_s4_poe.py',
            {'model.neck.mapping.type': 'ASPPMapping'},
        ),
        (
            dict(latents=UNFACTORISED, fusion='AVCorr'),
            'configs/ablations/mmvae_pvt_s4_no-factor.py',
            {'model.decode_head.fusion.type': 'AVCorr'},
        ),
    ],
)
def test_config_and_options(parts, config, options):
    layout = PublishedLayout(**parts)
    assert (layout.config, layout.options) == (config, options)


def test_a_layout_in_words():
    assert PublishedLayout(latents=PRODUCT).description == (
        'ECMVAE with PVTv2-B5, product-of-experts latents, basic mapping, '
        'TPAVI fusion'
    )
    with pytest.raises(ValueError, match="fusion must be one of.*'Concat'"):
        PublishedLayout(fusion='Concat')


@pytest.mark.parametrize('wrapper', [None, 'state_dict', 'model'])
@pytest.mark.parametrize('prefix', ['', 'module.'])
def test_wrapped_checkpoints(wrapper, prefix):
    state = published_state('av_corr_r50')
    wrapped = {prefix + key: value for key, value in state.items()}
    if wrapper:
        wrapped = {wrapper: wrapped, 'epoch': 15}
    result = convert_state(unwrap(wrapped)).state_dict
    expected = convert_state(state).state_dict
    assert result.keys() == expected.keys()
    assert all(torch.equal(result[k], expected[k]) for k in expected)


def test_a_prefix_of_some_names_is_part_of_them():
    state = published_state('av_corr_r50')
    state['module.extra'] = torch.zeros(1)
    with pytest.raises(ConversionError, match='place:\n  module.extra$'):
        convert_state(unwrap(state))


@pytest.mark.parametrize(
    ('content', 'message'),
    [
        ([1, 2], 'but a list'),
        ({}, 'but an empty dict'),
        (torch.zeros(2), 'but a Tensor'),
        (dict(state_dict={}), 'but an empty dict'),
        (
            dict(epoch=3, lr=0.1),
            '2 of 2 entries are not tensors:\n  epoch (int)\n  lr (float)',
        ),
        (
            dict(model=dict(w=torch.zeros(1), n=3)),
            '1 of 2 entries are not tensors:\n  n (int)',
        ),
        (
            dict(model_state_dict=dict(w=torch.zeros(1)), optimizer={}),
            'One seems to be under model_state_dict. 2 of 2 entries are not '
            'tensors:\n  model_state_dict (dict of tensors)\n'
            '  optimizer (dict)',
        ),
        ({0: torch.zeros(1), 'w': torch.zeros(1)}, '1 are not:\n  0'),
    ],
)
def test_what_is_no_state_dict(content, message):
    with pytest.raises(ConversionError) as error:
        unwrap(content)
    assert str(error.value).endswith(message)
    assert ('One seems' in str(error.value)) == ('One seems' in message)


KEYS = list(read_shapes(DATA / 'ecmvae_r50_keys.json.gz'))
PLACED = [k for k in KEYS if not k.startswith(tuple(DROPPED))]


@pytest.mark.parametrize('key', [*PLACED[::40], 'mm_vae_model.sc1_prior.bias'])
def test_a_missing_tensor_is_named(key):
    state = published_state('ecmvae_r50')
    del state[key]
    with pytest.raises(ConversionError) as error:
        convert_state(state)
    assert str(error.value) == (
        'expected the published ECMVAE with ResNet-50, factorised latents, '
        'basic mapping, TPAVI fusion, got 956 tensors: 1 missing\n'
        f'missing:\n  {key}'
    )


def test_a_tensor_without_a_place_is_named():
    state = published_state('ecmvae_r50')
    state['mm_vae_model.extra.weight'] = torch.zeros(3)
    with pytest.raises(ConversionError) as error:
        convert_state(state)
    assert str(error.value).endswith(
        'got 958 tensors: 1 without a place\n'
        'without a place:\n  mm_vae_model.extra.weight'
    )


@pytest.mark.parametrize(
    ('key', 'shape'),
    [
        ('mm_vae_model.sc1_prior.weight', (16, 16)),
        ('encoder.layer1.0.conv1.weight', (64, 64, 3, 3)),
        # Projections of the fusion are stored as convolutions.
        ('fusion_modules.0.theta.weight', (64, 128)),
        # As many numbers, but another order.
        ('fusion_modules.0.theta.weight', (128, 64, 1, 1, 1)),
    ],
)
def test_a_tensor_of_another_shape_is_named(key, shape):
    state = published_state('ecmvae_r50')
    expected = tuple(state[key].shape)
    state[key] = torch.zeros(shape)
    with pytest.raises(ConversionError) as error:
        convert_state(state)
    assert str(error.value).endswith(
        ': 1 of another shape\n'
        f'of another shape:\n  {key} {shape} instead of {expected}'
    )


def test_all_kinds_of_problems_are_listed_to_the_last_key():
    state = published_state('ecmvae_r50')
    missing = [key for key in state if key.startswith('decoder_prior.')]
    for key in missing:
        del state[key]
    missing = [key for key in missing if not key.startswith(tuple(DROPPED))]
    strangers = [f'extra.{i:02}' for i in range(99)]
    state |= dict.fromkeys(strangers, torch.zeros(1))
    moments = [f'mm_vae_model.enc_{code}.fc1.bias' for code in ('vs', 'as')]
    state |= dict.fromkeys(moments, torch.zeros(3))
    with pytest.raises(ConversionError) as error:
        convert_state(state)
    headline, *lines = str(error.value).splitlines()
    counts = '99 without a place, 2 of another shape, 90 missing'
    assert len(missing) == 90 and headline.endswith(
        f'TPAVI fusion, got {len(state)} tensors: {counts}'
    )
    # What has no place comes first, in the order of the file.
    places = [lines.index('without a place:'), lines.index('missing:')]
    reshaped = lines.index('of another shape:')
    assert places[0] == 0 and lines[1:reshaped] == [
        f'  {key}' for key in strangers
    ]
    assert sorted(lines[reshaped + 1 : places[1]]) == [
        f'  {key} (3,) instead of (16,)' for key in sorted(moments)
    ]
    assert sorted(lines[places[1] + 1 :]) == [
        f'  {key}' for key in sorted(missing)
    ]


@pytest.mark.parametrize(
    'damage',
    ['mm_vae_model.', 'encoder.', 'neck_prior.', 'fusion_modules.'],
)
def test_a_part_that_is_none_of_the_known_ones(damage):
    state = {
        key: value
        for key, value in published_state('ecmvae_r50').items()
        if not key.startswith(damage)
    }
    with pytest.raises(ConversionError) as error:
        recognise(state)
    message = str(error.value)
    assert 'no published ECMVAE checkpoint' in message
    assert 'or a part of one' in message
    assert message.split('tensors shows')[1].count(damage) >= 2
    # Every name that is left is one of the format.
    assert 'without a place' not in message


def test_another_model_is_refused_with_all_of_its_names():
    with torch.device('meta'):
        classifier = list(torchvision.models.resnet50().state_dict())
    keys = [*classifier, 'encoder.layer1.0.conv1.weight']
    with pytest.raises(ConversionError) as error:
        recognise(keys)
    headline, count, *lines = str(error.value).splitlines()
    assert headline.startswith('this is no published ECMVAE checkpoint')
    assert f'none of its {len(keys)} tensors' in headline
    assert count == f'{len(classifier)} without a place in the format:'
    assert lines == [f'  {key}' for key in classifier]


@pytest.mark.parametrize('audio', [False, True])
def test_a_converted_file_is_told_so(audio):
    keys = [
        key
        for key in our_shapes(PublishedLayout(backbone='resnet50'))
        if audio or not key.startswith('audio_backbone.')
    ]
    with pytest.raises(ConversionError) as error:
        recognise(keys)
    message = str(error.value)
    assert message.startswith('these are names of mmavs')
    assert 'converted already' in message and '\n' not in message


def test_a_tensor_of_ours_that_the_format_does_not_have():
    with pytest.raises(ValueError, match='neck.audio_mapping.weight'):
        published_name('neck.audio_mapping.weight')
