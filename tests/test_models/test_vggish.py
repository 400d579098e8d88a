"""VGGish: names, layout, freezing."""

from copy import deepcopy

import pytest
import torch
import torch.nn.functional as F
from mmengine.runner import load_checkpoint, load_state_dict
from mmengine.runner.checkpoint import _load_checkpoint_to_model
from mmseg.registry import MODELS
from torch._dynamo.testing import CompileCounter

from mmavs.models.backbones import VGGish
from mmavs.models.backbones.vggish import cast_audio_networks

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


def test_embeddings_in_bfloat16():
    network, patches = VGGish(width=0.25), torch.randn(3, 1, 96, 64)
    expected = network(patches)
    trained = VGGish(width=0.25, frozen=False)
    cast_audio_networks(
        torch.nn.ModuleList([network, trained]), torch.bfloat16
    )
    assert {x.dtype for x in network.embeddings.parameters()} == {
        torch.bfloat16
    }
    rest = (network.features, trained)
    assert {x.dtype for part in rest for x in part.parameters()} == {
        torch.float32
    }
    with torch.autocast('cpu', torch.bfloat16):
        value = network(patches)
    assert value.dtype == torch.bfloat16
    error = (value.float() - expected).norm() / expected.norm()
    assert 0 < error < 0.01
    with pytest.raises(ValueError, match='frozen'):
        trained.cast_embeddings(torch.bfloat16)


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


class Model(torch.nn.Module):
    """Where a segmentor has the audio network; it is to be pretrained."""

    def __init__(self, path='vggish.pth', **kwargs):
        super().__init__()
        self.audio_backbone = make_small(
            init_cfg=dict(type='Pretrained', checkpoint=str(path)), **kwargs
        )
        self.head = torch.nn.Linear(128, 2)

    def forward(self):
        return self.head(self.audio_backbone(torch.zeros(1, 1, 96, 64)))


def weights(**changes):
    """State dict of a model, with the audio network of another seed."""
    state = Model().state_dict()
    state['audio_backbone.features.0.bias'] = torch.ones(2)
    return state | changes


def is_random(model):
    """Whether a model refuses to hear."""
    try:
        model()
    except RuntimeError as error:
        assert 'the audio network is random' in str(error)
        return True
    return False


@pytest.mark.parametrize('frozen', [False, True])
def test_a_network_to_be_pretrained_is_not_used_random(frozen):
    """Else a test of a checkpoint without it would give a score."""
    model = Model('the_weights.pth', frozen=frozen)
    with pytest.raises(RuntimeError) as error:
        model()
    message = str(error.value)
    for text in ('the_weights.pth', 'audio_backbone.*', '--vggish'):
        assert text in message
    # An error about the patches would hide it.
    with pytest.raises(RuntimeError, match='is random'):
        model.audio_backbone(torch.zeros(1, 96, 64))


def test_without_init_cfg_it_may_be_random():
    network = make_small(init_cfg=None)
    assert network(torch.zeros(1, 1, 96, 64)).shape == (1, 128)
    network.init_weights()
    assert network(torch.zeros(1, 1, 96, 64)).shape == (1, 128)


def test_init_weights_makes_it_usable(tmp_path):
    path = tmp_path / 'vggish.pth'
    torch.save(make_small().state_dict(), path)
    model = Model(path)
    model.audio_backbone.init_weights()
    assert not is_random(model)

    path.unlink()
    model = Model(path)
    with pytest.raises(FileNotFoundError):
        model.audio_backbone.init_weights()
    assert is_random(model)


def load_with_torch(model, state, path):
    model.load_state_dict(state)


def load_with_mmengine(model, state, path):
    load_state_dict(model, state)


def load_file(model, state, path):
    torch.save(dict(state_dict=state), path)
    load_checkpoint(model, str(path))


def load_as_a_runner(model, state, path):
    _load_checkpoint_to_model(model, dict(state_dict=state))


MMENGINE = [load_with_mmengine, load_file, load_as_a_runner]


@pytest.mark.parametrize('load', [load_with_torch, *MMENGINE])
def test_a_checkpoint_makes_it_usable(tmp_path, load):
    model = Model()
    load(model, weights(), tmp_path / 'model.pth')
    assert not is_random(model)
    assert (model.audio_backbone.features[0].bias == 1).all()


@pytest.mark.parametrize('strict', [False, True])
def test_alone_it_takes_its_own_names(strict):
    network = Model().audio_backbone
    network.load_state_dict(make_small().state_dict(), strict=strict)
    network(torch.zeros(1, 1, 96, 64))


@pytest.mark.parametrize('kind', ['none', 'some', 'shape', 'unprefixed'])
@pytest.mark.parametrize('load', MMENGINE)
def test_a_checkpoint_without_all_of_it_does_not(tmp_path, load, kind):
    """mmengine goes on with a warning."""
    state = weights()
    audio = [key for key in state if key.startswith('audio_backbone.')]
    if kind == 'some':
        del state[audio[-1]]
    elif kind == 'shape':
        state[audio[-1]] = torch.zeros(5)
    else:
        for key in audio:
            value = state.pop(key)
            if kind == 'unprefixed':
                state[key.removeprefix('audio_backbone.')] = value
    model = Model()
    load(model, state, tmp_path / 'model.pth')
    assert is_random(model)


def test_a_checkpoint_without_it_takes_nothing_away(tmp_path):
    """Training on from a converted checkpoint: init_cfg has loaded it."""
    path = tmp_path / 'vggish.pth'
    torch.save(make_small().state_dict(), path)
    model = Model(path)
    model.audio_backbone.init_weights()
    load_state_dict(model, {'head.bias': torch.zeros(2)})
    assert not is_random(model)


def test_a_copy_knows_it_too():
    """As the averaged model of a training."""
    model = Model()
    assert is_random(deepcopy(model))
    model.load_state_dict(weights())
    assert not is_random(deepcopy(model))


# ------------------------------------------------------------------- cache

KEYS = ('a' * 40, 'b' * 40)


def test_a_cache_is_for_frozen_networks(tmp_path):
    with pytest.raises(ValueError, match=r"'here' with frozen=False"):
        make_small(cache_dir='here', frozen=False)
    with pytest.raises(ValueError, match='cache_dir must be the folder'):
        make_small(cache_dir='')
    config = dict(type='VGGish', width=0.03, cache_dir=str(tmp_path / 'new'))
    assert MODELS.build(config).embedding_cache.folder == tmp_path / 'new'
    # Nothing is written before there is something to keep.
    assert not (tmp_path / 'new').exists()


def test_without_a_cache_keys_change_nothing():
    network, log_mel = make_small(), torch.randn(4, 1, 96, 64)
    assert network.embedding_cache is None
    expected = network(log_mel)
    for keys in (KEYS, (None, None)):
        assert torch.equal(network.embed_clips(log_mel, keys), expected)


def test_a_random_network_is_not_cached_either(tmp_path):
    """Nor does it serve what a network of the same weights had kept."""
    known = make_small(cache_dir=tmp_path)
    log_mel = torch.randn(4, 1, 96, 64)
    known.embed_clips(log_mel, KEYS)
    network = Model(cache_dir=tmp_path).audio_backbone
    with pytest.raises(RuntimeError, match='is random'):
        network.embed_clips(log_mel, KEYS)


def test_wrong_clips_are_refused_with_a_cache(tmp_path):
    network = make_small(cache_dir=tmp_path)
    with pytest.raises(ValueError, match=r'\(N, 1, 96, 64\)'):
        network.embed_clips(torch.zeros(4, 96, 64), KEYS)
    with pytest.raises(ValueError, match='2 audio_keys.*got 5 patches'):
        network.embed_clips(torch.zeros(5, 1, 96, 64), KEYS)


@pytest.mark.parametrize('cached', [False, True])
def test_compiles_and_exports_as_one_graph(tmp_path, cached):
    network = make_small(cache_dir=tmp_path if cached else None)
    log_mel = torch.randn(4, 1, 96, 64)
    expected = network(log_mel)
    compiled = torch.compile(network, backend='eager', fullgraph=True)
    torch.testing.assert_close(compiled(log_mel), expected)
    exported = torch.export.export(network, (log_mel,)).module()
    torch.testing.assert_close(exported(log_mel), expected)
    # Other keys are no other graph.
    counter = CompileCounter()
    embed = torch.compile(
        lambda x, keys: network.embed_clips(x + 0, keys), backend=counter
    )
    for rows, keys in (([0, 1, 2, 3], KEYS), ([2, 3, 0, 1], KEYS[::-1])):
        torch.testing.assert_close(embed(log_mel[rows], keys), expected[rows])
    assert counter.frame_count == 1
