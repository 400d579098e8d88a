"""PVTv2: initialisation from either naming, or a clear error."""

import re

import pytest
import torch
from mmseg.registry import MODELS

from mmavs.models.backbones import PVTv2

SMALL = dict(
    variant='b0',
    embed_dims=(8, 16, 24, 32),
    num_heads=(1, 2, 2, 4),
    depths=(1, 2, 1, 1),
)


def make(seed=0, **kwargs):
    torch.manual_seed(seed)
    return PVTv2(**{**SMALL, **kwargs})


def make_state():
    """A state dict with no two equal tensors, in timm's naming."""
    rng = torch.Generator().manual_seed(1)
    return {
        name: torch.randn(value.shape, generator=rng)
        for name, value in make().timm_model.state_dict().items()
    }


def original_names(state):
    """timm's names turned back into those of the original release."""

    def rename(name):
        name = re.sub(r'^patch_embed\.', 'patch_embed1.', name)
        name = re.sub(
            r'^stages\.(\d)\.downsample\.',
            lambda m: f'patch_embed{int(m[1]) + 1}.',
            name,
        )
        name = re.sub(
            r'^stages\.(\d)\.blocks\.',
            lambda m: f'block{int(m[1]) + 1}.',
            name,
        )
        name = re.sub(
            r'^stages\.(\d)\.norm\.', lambda m: f'norm{int(m[1]) + 1}.', name
        )
        return name.replace('.dwconv.', '.dwconv.dwconv.')

    return {rename(name): value for name, value in state.items()}


def load(path, **kwargs):
    network = make(
        seed=7,
        init_cfg=dict(type='Pretrained', checkpoint=str(path)),
        **kwargs,
    )
    network.init_weights()
    return network


@pytest.mark.parametrize('wrapper', [None, 'model', 'state_dict'])
@pytest.mark.parametrize('naming', ['timm', 'original'])
@pytest.mark.parametrize('classifier', [True, False])
def test_every_tensor_is_loaded(tmp_path, naming, wrapper, classifier):
    expected = make_state()
    state = dict(expected)
    if naming == 'original':
        state = original_names(state)
        assert 'block1.0.mlp.dwconv.dwconv.weight' in state
        assert 'patch_embed4.proj.weight' in state and 'norm4.bias' in state
    if classifier:
        state['head.weight'] = torch.randn(1000, 32)
        state['head.bias'] = torch.randn(1000)
    torch.save({wrapper: state} if wrapper else state, tmp_path / 'pvt.pth')
    loaded = load(tmp_path / 'pvt.pth').timm_model.state_dict()
    assert loaded.keys() == expected.keys()
    for name, value in expected.items():
        assert torch.equal(loaded[name], value), name


@pytest.mark.parametrize('naming', ['timm', 'original'])
@pytest.mark.parametrize('damage', ['missing', 'renamed', 'other shape'])
def test_part_of_the_weights_is_an_error(tmp_path, naming, damage):
    state = make_state()
    name = 'stages.1.blocks.1.attn.q.weight'
    if damage == 'missing':
        del state[name]
    elif damage == 'renamed':
        state['backbone.' + name] = state.pop(name)
    else:
        state[name] = state[name][:3]
    if naming == 'original':
        state = original_names(state)
    torch.save(state, tmp_path / 'pvt.pth')
    with pytest.raises(RuntimeError) as error:
        load(tmp_path / 'pvt.pth')
    message = str(error.value)
    assert name in message and str(tmp_path / 'pvt.pth') in message


def test_weights_of_another_variant_are_an_error(tmp_path):
    torch.save(original_names(make_state()), tmp_path / 'pvt_b0.pth')
    with pytest.raises(RuntimeError, match='pvt_b0.pth.*same variant'):
        load(tmp_path / 'pvt_b0.pth', depths=(1, 2, 2, 1))


def test_unreachable_url_says_what_to_do(tmp_path, monkeypatch):
    """The file, the address, a local copy, and from scratch."""
    monkeypatch.setenv('TORCH_HOME', str(tmp_path))
    # Port 9 of this machine: refused at once, no network needed.
    url = 'http://127.0.0.1:9/weights/pvt_v2_b5.pth'
    with pytest.raises(RuntimeError) as error:
        load(url)
    message = str(error.value)
    assert url in message
    assert str(tmp_path / 'hub/checkpoints/pvt_v2_b5.pth') in message
    assert 'model.backbone.init_cfg.checkpoint=' in message
    assert 'model.backbone.init_cfg=None' in message
    assert not list(tmp_path.rglob('*.pth'))


def test_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match='nowhere.pth'):
        load(tmp_path / 'nowhere.pth')


def test_unknown_name_of_the_hub_says_what_to_do():
    """Without a network this is the message for a known name, too."""
    with pytest.raises(RuntimeError) as error:
        load('timm://pvt_v2_b9.in1k')
    message = str(error.value)
    assert 'pvt_v2_b9.in1k' in message
    assert 'model.backbone.init_cfg.checkpoint=FILE' in message
    assert 'model.backbone.init_cfg=None' in message


def test_unknown_variant_and_init_cfg():
    with pytest.raises(ValueError, match="b5.*'b9'"):
        PVTv2('b9')
    with pytest.raises(ValueError, match='Kaiming'):
        make(init_cfg=dict(type='Kaiming'))


def test_without_init_cfg_random_weights_stay():
    network = make(seed=3)
    before = {k: v.clone() for k, v in network.state_dict().items()}
    network.init_weights()
    assert all(
        torch.equal(v, before[k]) for k, v in network.state_dict().items()
    )


def test_levels_are_finest_first():
    network = MODELS.build(dict(type='PVTv2', **SMALL)).eval()
    shapes = [tuple(x.shape) for x in network(torch.randn(2, 3, 64, 96))]
    assert shapes == [
        (2, 8, 16, 24),
        (2, 16, 8, 12),
        (2, 24, 4, 6),
        (2, 32, 2, 3),
    ]
    some = make(out_indices=(1, 3)).eval()(torch.randn(1, 3, 64, 64))
    assert [x.shape[1] for x in some] == [16, 32]


def test_levels_are_those_of_the_stages():
    """Each level is the normalised output of its stage in timm's model."""
    network = make().eval()
    seen = []
    for stage in network.timm_model.stages:
        stage.register_forward_hook(lambda m, i, o: seen.append(o))
    x = torch.randn(1, 3, 64, 64)
    levels = network(x)
    with torch.no_grad():
        seen.clear()
        network.timm_model.forward_features(x)
    for level, expected in zip(levels, seen, strict=True):
        torch.testing.assert_close(level, expected)


def test_drop_path_acts_in_training_only():
    network = make(drop_path_rate=0.9)
    x = torch.randn(2, 3, 64, 64)
    network.train()
    assert not torch.equal(network(x)[-1], network(x)[-1])
    network.eval()
    torch.testing.assert_close(network(x)[-1], network(x)[-1])
    plain = make(drop_path_rate=0.0).train()
    torch.testing.assert_close(plain(x)[-1], plain(x)[-1])


def test_recomputing_activations_changes_nothing():
    x = torch.randn(2, 3, 64, 64)
    results = []
    for with_cp in (False, True):
        network = make(with_cp=with_cp).train()
        levels = network(x)
        sum(level.square().mean() for level in levels).backward()
        results.append(
            [x.detach() for x in levels]
            + [p.grad for p in network.parameters()]
        )
    for plain, recomputed in zip(*results, strict=True):
        torch.testing.assert_close(plain, recomputed)
