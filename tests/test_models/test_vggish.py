"""VGGish: names, layout, freezing."""

import pytest
import torch
import torch.nn.functional as F
from mmseg.registry import MODELS

from mmavs.models.backbones import VGGish

# Names and shapes of the public weights: convolutions 64, 128, 256, 256,
# 512, 512 over (1, 96, 64), then 12288 = 6 * 4 * 512 features.
PUBLIC_SHAPES = {
    f'features.{i}.weight': (out, channels, 3, 3)
    for i, channels, out in [
        (0, 1, 64),
        (3, 64, 128),
        (6, 128, 256),
        (8, 256, 256),
        (11, 256, 512),
        (13, 512, 512),
    ]
} | {
    'embeddings.0.weight': (4096, 12288),
    'embeddings.2.weight': (4096, 4096),
    'embeddings.4.weight': (128, 4096),
}
PUBLIC_SHAPES |= {
    name.replace('weight', 'bias'): shape[:1]
    for name, shape in PUBLIC_SHAPES.items()
}


def make_small(**kwargs):
    torch.manual_seed(0)
    return VGGish(width=0.03, **kwargs)


def direct_vggish(state, log_mel):
    """Layer by layer from the state dict, in float64."""
    state = {name: value.double() for name, value in state.items()}
    x = log_mel.double()
    for stage in ([0], [3], [6, 8], [11, 13]):
        for i in stage:
            x = F.conv2d(
                x,
                state[f'features.{i}.weight'],
                state[f'features.{i}.bias'],
                padding=1,
            ).relu()
        x = F.max_pool2d(x, 2)
    # Row, column, channel: the channel runs fastest.
    flat = torch.stack(
        [
            torch.stack(
                [x[n, :, i, j] for i in range(6) for j in range(4)]
            ).reshape(-1)
            for n in range(len(x))
        ]
    )
    for i in (0, 2, 4):
        flat = F.linear(
            flat,
            state[f'embeddings.{i}.weight'],
            state[f'embeddings.{i}.bias'],
        ).relu()
    return flat


def test_names_and_shapes_are_those_of_the_public_weights():
    with torch.device('meta'):
        state = VGGish().state_dict()
    assert {k: tuple(v.shape) for k, v in state.items()} == PUBLIC_SHAPES


def test_against_the_direct_form():
    """Fails if the features were flattened channel first."""
    network = make_small()
    log_mel = torch.randn(3, 1, 96, 64)
    value = network(log_mel)
    assert value.shape == (3, 128)
    assert (value >= 0).all() and (value > 0).any()
    expected = direct_vggish(network.state_dict(), log_mel).float()
    torch.testing.assert_close(value, expected, rtol=1e-4, atol=1e-5)


def test_frozen_against_train():
    """Neither train() of itself nor of a model around it thaws it."""
    network = MODELS.build(dict(type='VGGish', width=0.03))
    torch.nn.Sequential(network).train()
    network.train()
    assert not any(m.training for m in network.modules())
    assert not any(p.requires_grad for p in network.parameters())


def test_no_gradient_when_frozen():
    log_mel = torch.randn(2, 1, 96, 64, requires_grad=True)
    assert not make_small()(log_mel).requires_grad


def test_gradient_when_trained():
    network = make_small(frozen=False).train()
    assert all(m.training for m in network.modules())
    network(torch.randn(4, 1, 96, 64)).sum().backward()
    assert all(p.grad is not None for p in network.parameters())
    assert network.features[0].weight.grad.abs().sum() > 0
    with torch.no_grad():
        assert not network(torch.randn(1, 1, 96, 64)).requires_grad


def test_weights_of_init_cfg_are_loaded(tmp_path):
    source = make_small()
    path = tmp_path / 'vggish.pth'
    torch.save(source.state_dict(), path)
    network = VGGish(
        width=0.03, init_cfg=dict(type='Pretrained', checkpoint=str(path))
    )
    network.init_weights()
    for name, value in source.state_dict().items():
        assert torch.equal(network.state_dict()[name], value)
    assert not any(p.requires_grad for p in network.parameters())


def test_out_channels_and_width():
    network = VGGish(width=0.25, out_channels=10)
    shapes = {k: tuple(v.shape) for k, v in network.state_dict().items()}
    assert shapes['features.0.weight'] == (16, 1, 3, 3)
    assert shapes['embeddings.0.weight'] == (1024, 24 * 128)
    assert shapes['embeddings.4.weight'] == (10, 1024)
    assert network(torch.randn(1, 1, 96, 64)).shape == (1, 10)


@pytest.mark.parametrize(
    'shape', [(5, 96, 64), (5, 1, 64, 96), (5, 2, 96, 64), (5, 1, 100, 64)]
)
def test_wrong_shape_is_refused(shape):
    with pytest.raises(ValueError) as error:
        make_small()(torch.zeros(shape))
    assert str(shape) in str(error.value)
    assert '(N, 1, 96, 64)' in str(error.value)


def test_width_must_be_positive():
    with pytest.raises(ValueError, match='width'):
        VGGish(width=0)


@pytest.mark.parametrize('damage', ['width', 'missing', 'unexpected'])
def test_weights_that_do_not_fit_are_an_error(tmp_path, damage):
    """mmengine would warn, and leave a frozen network random."""
    path = tmp_path / 'other.pth'
    state = VGGish(width=0.06 if damage == 'width' else 0.03).state_dict()
    if damage == 'missing':
        del state['features.0.bias']
    elif damage == 'unexpected':
        state['extra'] = torch.zeros(1)
    torch.save(state, path)
    model = VGGish(
        width=0.03, init_cfg=dict(type='Pretrained', checkpoint=str(path))
    )
    before = {k: v.clone() for k, v in model.state_dict().items()}
    with pytest.raises(RuntimeError, match='other.pth.*pretrain_audio'):
        model.init_weights()
    for key, value in model.state_dict().items():
        assert torch.equal(value, before[key])


def test_missing_file_names_what_writes_it(tmp_path):
    model = VGGish(
        width=0.03,
        init_cfg=dict(type='Pretrained', checkpoint=str(tmp_path / 'no.pth')),
    )
    with pytest.raises(FileNotFoundError, match=r'no\.pth.*pretrain_audio'):
        model.init_weights()
