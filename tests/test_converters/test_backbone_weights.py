"""Public weights of VGGish and PVTv2, in either naming."""

from pathlib import Path

import pytest
import torch
from mmseg.registry import MODELS

from mmavs.converters import (
    ConversionError,
    convert_pvt_v2,
    convert_vggish,
    shapes_of,
)
from mmavs.converters.backbones import original_pvt_name
from mmavs.converters.reference import read_shapes
from mmavs.models.backbones import PVTv2, VGGish

# Names and shapes are checked on networks without memory.
pytestmark = pytest.mark.filterwarnings('ignore:for .*copying from a non-meta')
DATA = Path(__file__).resolve().parents[1] / 'data'


def numbered(shapes):
    """Tensor i is full of i."""
    return {
        key: torch.tensor(float(i)).expand(shape)
        for i, (key, shape) in enumerate(shapes.items())
    }


@pytest.fixture(scope='module')
def pvt_shapes():
    with torch.device('meta'):
        return shapes_of(PVTv2('b5').timm_model)


@pytest.fixture(scope='module')
def original_pvt():
    """The names of the original release, as published ECMVAE has them."""
    shapes = read_shapes(DATA / 'ecmvae_pvt_b5_keys.json.gz')
    state = numbered(
        {
            key.removeprefix('encoder.'): shape
            for key, shape in shapes.items()
            if key.startswith('encoder.')
        }
    )
    return state | {
        'head.weight': torch.zeros(1000, 512),
        'head.bias': torch.zeros(1000),
    }


def test_pvt_of_the_original_release(original_pvt, pvt_shapes):
    result = convert_pvt_v2(original_pvt, pvt_shapes, 'b5')
    assert result.dropped == dict(head=2)
    ours = result.state_dict
    assert {k: v.shape for k, v in ours.items()} == pvt_shapes
    for ours_name, theirs in (
        ('patch_embed.proj.weight', 'patch_embed1.proj.weight'),
        ('stages.1.downsample.norm.bias', 'patch_embed2.norm.bias'),
        ('stages.3.blocks.2.attn.kv.weight', 'block4.2.attn.kv.weight'),
        ('stages.0.norm.weight', 'norm1.weight'),
        (
            'stages.2.blocks.10.mlp.dwconv.bias',
            'block3.10.mlp.dwconv.dwconv.bias',
        ),
    ):
        assert torch.equal(ours[ours_name], original_pvt[theirs])
        assert original_pvt_name(ours_name) == theirs


@pytest.mark.parametrize('classifier', [True, False])
def test_pvt_of_timm(pvt_shapes, classifier):
    state = numbered(pvt_shapes)
    if classifier:
        state |= {'head.weight': torch.zeros(1000, 512)}
    result = convert_pvt_v2(state, pvt_shapes, 'b5')
    assert result.state_dict.keys() == pvt_shapes.keys()
    for name, value in result.state_dict.items():
        assert torch.equal(value, state[name])
    assert result.dropped == (dict(head=1) if classifier else {})


@pytest.mark.parametrize('naming', ['timm', 'original'])
def test_part_of_pvt_is_an_error_in_the_names_of_the_file(
    naming, original_pvt, pvt_shapes
):
    timm = naming == 'timm'
    state = numbered(pvt_shapes) if timm else dict(original_pvt)
    name = 'stages.1.blocks.0.attn.q.weight'
    name = name if timm else original_pvt_name(name)
    del state[name]
    with pytest.raises(ConversionError) as error:
        convert_pvt_v2(state, pvt_shapes, 'b5')
    headline, *lines = str(error.value).splitlines()
    assert headline == (
        'expected ImageNet weights of PVTv2-B5 (--variant b5) in the '
        f'{naming} naming, got {len(state)} tensors: 1 missing'
    )
    assert lines == ['missing:', f'  {name}']


def test_another_variant_is_an_error(original_pvt):
    with torch.device('meta'):
        shapes = shapes_of(PVTv2('b2_li').timm_model)
    with pytest.raises(ConversionError) as error:
        convert_pvt_v2(original_pvt, shapes, 'b2_li')
    headline, first, second, *_ = str(error.value).splitlines()
    assert 'PVTv2-B2-LI (--variant b2_li)' in headline
    assert '720 without a place' in headline
    assert (first, second) == ('without a place:', '  block2.4.norm1.weight')


def test_vggish():
    public = read_shapes(DATA / 'vggish_keys.json.gz')
    with torch.device('meta'):
        shapes = shapes_of(VGGish())
    assert {k: list(v) for k, v in shapes.items()} == public
    state = numbered(public)
    result = convert_vggish(state, shapes)
    assert result.dropped == {} and result.state_dict.keys() == state.keys()
    assert all(torch.equal(result.state_dict[k], state[k]) for k in state)

    del state['embeddings.4.bias']
    state['pproc.pca_means'] = torch.zeros(128, 1)
    with pytest.raises(ConversionError) as error:
        convert_vggish(state, shapes)
    assert str(error.value) == (
        'expected the 18 tensors features.* and embeddings.* of the public '
        'PyTorch VGGish weights, got 18 tensors: 1 without a place, 1 '
        'missing\nwithout a place:\n  pproc.pca_means\n'
        'missing:\n  embeddings.4.bias'
    )


@pytest.mark.parametrize('converted', [False, True])
@pytest.mark.parametrize('kind', ['vggish', 'pvt_v2'])
def test_the_backbones_load_both_the_public_and_the_converted_file(
    tmp_path, kind, converted, original_pvt, pvt_shapes
):
    """By ``init_cfg``, which refuses anything but a complete fit."""
    if kind == 'vggish':
        state = numbered(read_shapes(DATA / 'vggish_keys.json.gz'))
        cfg = dict(type='VGGish')
        if converted:
            with torch.device('meta'):
                shapes = shapes_of(VGGish())
            state = dict(state_dict=convert_vggish(state, shapes).state_dict)
    else:
        state, cfg = original_pvt, dict(type='PVTv2', variant='b5')
        if converted:
            result = convert_pvt_v2(state, pvt_shapes, 'b5')
            state = dict(state_dict=result.state_dict)
    path = tmp_path / 'weights.pth'
    torch.save(state, path)
    cfg['init_cfg'] = dict(type='Pretrained', checkpoint=str(path))
    with torch.device('meta'):
        network = MODELS.build(cfg)
    network.init_weights()
    assert network._is_init

    smaller = dict(state.get('state_dict', state))
    for name in ('embeddings.4.bias', 'norm4.bias', 'stages.3.norm.bias'):
        smaller.pop(name, None)
    torch.save(smaller, path)
    with torch.device('meta'):
        network = MODELS.build(cfg)
    with pytest.raises(RuntimeError, match='weights.pth does not fit'):
        network.init_weights()
