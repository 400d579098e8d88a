"""The converters as commands: what they write, and when they refuse to."""

import importlib.util
import os
import pickle
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.runner import load_checkpoint
from mmseg.registry import MODELS

from mmavs.converters import build_on_meta, published_name, shapes_of
from mmavs.converters.backbones import original_pvt_name
from mmavs.converters.reference import read_shapes
from mmavs.models.backbones import PVTv2
from mmavs.version import __version__

# Names and shapes are checked on models without memory.
pytestmark = pytest.mark.filterwarnings('ignore:for .*copying from a non-meta')
ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT / 'tests' / 'data'
TOOLS = ROOT / 'tools' / 'model_converters'


def load_tool(name):
    spec = importlib.util.spec_from_file_location(name, TOOLS / f'{name}.py')
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


ecmvae = load_tool('ecmvae_to_mmavs')
backbone = load_tool('backbone_to_mmavs')


class _Hostile:
    """Makes a directory when it is unpickled."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return os.mkdir, (self.path,)


def numbered(shapes):
    """Tensor i is full of i, and takes no room in a file."""
    return {
        key: torch.tensor(float(i)).expand(shape)
        for i, (key, shape) in enumerate(shapes.items())
    }


@pytest.fixture(scope='module')
def states():
    """Published state dicts, by name."""
    names = ('ecmvae_r50', 'av_corr_r50', 'no_factor_r50', 'vggish')
    return {
        name: numbered(read_shapes(DATA / f'{name}_keys.json.gz'))
        for name in names
    }


@pytest.fixture
def files(tmp_path, states):
    """Folder with the state dicts as files, and nothing else."""
    folder = tmp_path / 'published'
    folder.mkdir()
    for name, state in states.items():
        torch.save(state, folder / f'{name}.pth')
    return folder


def run(tool, *arguments):
    return tool.main([str(argument) for argument in arguments])


def commands(output):
    """The commands that a tool proposes."""
    lines = (line.strip() for line in output.splitlines())
    return [shlex.split(line) for line in lines if line.startswith('python')]


def test_from_the_command_line(files, states, tmp_path):
    """As a user starts them; the rest runs in this process."""

    def call(script, *arguments):
        return subprocess.run(
            [sys.executable, TOOLS / f'{script}.py', *arguments],
            cwd=tmp_path,
            env=dict(os.environ, PYTHONPATH=str(ROOT)),
            capture_output=True,
            text=True,
            timeout=120,
        )

    source, target = files / 'vggish.pth', tmp_path / 'ours.pth'
    done = call('backbone_to_mmavs', 'vggish', source, target)
    assert (done.returncode, done.stderr) == (0, '')
    assert 'converted: 18 tensors' in done.stdout and target.is_file()

    source, target = files / 'ecmvae_r50.pth', tmp_path / 'none.pth'
    damage('one missing', source, states, None)
    done = call('ecmvae_to_mmavs', source, target)
    assert (done.returncode, done.stdout) == (1, '')
    assert done.stderr == (
        f'error: {source}: expected the published ECMVAE with ResNet-50, '
        'factorised latents, basic mapping, TPAVI fusion, got 956 tensors: '
        '1 missing\n'
        'missing:\n'
        '  neck_post.conv_list.3.reduce.2.norm.bias\n'
        'nothing was written\n'
    )
    assert not target.exists()


def test_with_vggish(files, states, tmp_path, capsys):
    target = tmp_path / 'new' / 'ecmvae.pth'
    assert (
        run(
            ecmvae,
            files / 'ecmvae_r50.pth',
            target,
            *('--vggish', files / 'vggish.pth'),
        )
        == 0
    )
    captured = capsys.readouterr()
    assert captured.err == ''
    for text in (
        'ECMVAE with ResNet-50, factorised latents, basic mapping, TPAVI',
        '949 tensors of the checkpoint and VGGish',
        'audio_neck.* (2 tensors)',
        'decoder_post.fusion_block_1.resConfUnit1.* (12 tensors)',
    ):
        assert text in captured.out, text
    s4, ms3 = commands(captured.out)
    config = 'configs/mmvae_r50_s4.py'
    assert s4 == ['python', 'tools/test.py', config, str(target)]
    ms3_config = 'configs/mmvae_r50_ms3.py'
    assert ms3 == ['python', 'tools/test.py', ms3_config, str(target)]
    # The same network.
    configs = [Config.fromfile(ROOT / path) for path in (config, ms3_config)]
    assert configs[0].model == configs[1].model

    content = torch.load(target, weights_only=True)
    assert content['meta'] == dict(
        mmavs_version=__version__,
        description='ECMVAE with ResNet-50, factorised latents, basic '
        'mapping, TPAVI fusion',
        layout=dict(
            latents='FactorisedLatents',
            backbone='resnet50',
            mapping='BasicMapping',
            fusion='TPAVI',
        ),
        config=config,
        options={},
        audio_backbone=True,
    )
    model = build_on_meta(ROOT / config)
    load_checkpoint(model, str(target), strict=True)
    state = content['state_dict']
    assert {k: v.shape for k, v in state.items()} == shapes_of(model)
    for name, value in state.items():
        prefix, _, rest = name.partition('.')
        if prefix == 'audio_backbone':
            expected = states['vggish'][rest]
        else:
            expected = states['ecmvae_r50'][published_name(name)]
        assert (value == expected.flatten()[0]).all(), name


def test_the_options_of_the_ms3_command_make_the_ms3_test_set(
    files, tmp_path, capsys
):
    """The ablations have no config for MS3."""
    source, vggish = files / 'no_factor_r50.pth', files / 'vggish.pth'
    target = tmp_path / 'ecmvae.pth'
    assert run(ecmvae, source, target, '--vggish', vggish) == 0
    s4, ms3 = commands(capsys.readouterr().out)
    path = 'configs/ablations/mmvae_r50_s4_no-factor.py'
    assert s4 == ['python', 'tools/test.py', path, str(target)]
    assert ms3[:5] == [*s4, '--cfg-options']
    config = Config.fromfile(ROOT / ms3[2])
    config.merge_from_dict(dict(option.split('=') for option in ms3[5:]))
    expected = Config.fromfile(ROOT / 'configs/mmvae_r50_ms3.py')
    assert config.test_dataloader == expected.test_dataloader
    assert config.model == Config.fromfile(ROOT / path).model


@pytest.mark.parametrize('name', ['av_corr_r50', 'no_factor_r50'])
def test_without_vggish(files, tmp_path, capsys, name):
    target = tmp_path / 'it is.pth'
    assert run(ecmvae, files / f'{name}.pth', target) == 0
    output = capsys.readouterr().out
    assert 'tools/test.py' not in output
    again, train = commands(output)
    assert again == [
        'python',
        'tools/model_converters/ecmvae_to_mmavs.py',
        str(files / f'{name}.pth'),
        str(target),
        '--vggish',
        'FILE',
        '--force',
    ]
    variant = name.removesuffix('_r50').replace('_', '-')
    config = f'configs/ablations/mmvae_r50_s4_{variant}.py'
    assert train == [
        'python',
        'tools/train.py',
        config,
        '--cfg-options',
        f'load_from={target}',
        'model.backbone.init_cfg=None',
    ]
    content = torch.load(target, weights_only=True)
    assert content['meta']['config'] == config
    assert not content['meta']['audio_backbone']
    model = build_on_meta(ROOT / config)
    missing, unexpected = model.load_state_dict(
        content['state_dict'], strict=False
    )
    assert not unexpected
    assert len(missing) == 18
    assert all(name.startswith('audio_backbone.') for name in missing)


def test_the_command_with_vggish_completes_the_file(files, tmp_path, capsys):
    target = tmp_path / 'ours.pth'
    assert run(ecmvae, files / 'ecmvae_r50.pth', target) == 0
    again, *trains = commands(capsys.readouterr().out)
    assert [train[2] for train in trains] == [
        'configs/mmvae_r50_s4.py',
        'configs/mmvae_r50_ms3.py',
    ]
    assert trains[0][3:] == trains[1][3:]
    again[again.index('FILE')] = files / 'vggish.pth'
    assert run(ecmvae, *again[2:]) == 0
    assert torch.load(target, weights_only=True)['meta']['audio_backbone']


def test_a_combination_needs_options(files, tmp_path, capsys):
    """ASPP mapping and AVCorr: no config has both."""
    options = {
        'model.neck.mapping.type': 'ASPPMapping',
        'model.decode_head.fusion.type': 'AVCorr',
    }
    config = ROOT / 'configs' / 'mmvae_r50_s4.py'
    shapes = shapes_of(build_on_meta(config, options))
    state = numbered(
        {
            published_name(name): shape
            for name, shape in shapes.items()
            if not name.startswith('audio_backbone.')
        }
    )
    source = tmp_path / 'both.pth'
    torch.save(dict(model=state), source)
    target = tmp_path / 'ours.pth'
    vggish = files / 'vggish.pth'
    assert run(ecmvae, source, target, '--vggish', vggish) == 0
    for command, data in zip(
        commands(capsys.readouterr().out), ('s4', 'ms3'), strict=True
    ):
        assert command[2] == f'configs/mmvae_r50_{data}.py'
        assert command[5:] == [f'{k}={v}' for k, v in options.items()]
    meta = torch.load(target, weights_only=True)['meta']
    assert meta['options'] == options


@pytest.mark.parametrize('wrapper', ['state_dict', 'model'])
def test_wrapped_weights_of_a_parallel_run(files, states, tmp_path, wrapper):
    state = states['av_corr_r50']
    wrapped = {f'module.{key}': value for key, value in state.items()}
    torch.save({wrapper: wrapped}, tmp_path / 'wrapped.pth')
    results = []
    for source in (tmp_path / 'wrapped.pth', files / 'av_corr_r50.pth'):
        target = tmp_path / f'ours_{source.name}'
        assert run(ecmvae, source, target) == 0
        results.append(torch.load(target, weights_only=True)['state_dict'])
    first, second = results
    assert first.keys() == second.keys()
    assert all(torch.equal(first[key], second[key]) for key in first)


def damage(kind, path, states, witness):
    """Replace a file by one that must be refused; what the error says."""
    state = dict(states['ecmvae_r50'])
    if kind == 'missing file':
        path.unlink()
        return 'does not exist'
    if kind == 'truncated':
        path.write_bytes(path.read_bytes()[:-1000])
        return 'cut short'
    if kind == 'no checkpoint':
        path.write_text('<html>Not found</html>')
        return 'not a checkpoint'
    if kind == 'hostile':
        torch.save(dict(state_dict=state, extra=_Hostile(witness)), path)
        return 'mkdir'
    if kind == 'another model':
        torch.save(states['vggish'], path)
        return 'no published ECMVAE checkpoint'
    if kind == 'not weights':
        torch.save(dict(epoch=3), path)
        return '1 of 1 entries are not tensors:\n  epoch (int)'
    if kind == 'empty':
        path.write_bytes(b'')
        return 'is empty'
    if kind == 'plain pickle':
        path.write_bytes(pickle.dumps(_Hostile(witness)))
        return 'plain pickle, which is not read (nothing in it was run)'
    if kind == 'under another key':
        torch.save(dict(model_state_dict=state, epoch=3), path)
        return 'One seems to be under model_state_dict.'
    if kind == 'converted':
        names = ('backbone.w', 'neck.w', 'decode_head.w')
        torch.save(dict.fromkeys(names, torch.zeros(1)), path)
        return 'converted already'
    if kind == 'one missing':
        del state['neck_post.conv_list.3.reduce.2.norm.bias']
        text = 'missing:\n  neck_post.conv_list.3.reduce.2.norm.bias'
    elif kind == 'one more':
        state['encoder.fc.weight'] = torch.zeros(1000, 2048)
        text = 'without a place:\n  encoder.fc.weight'
    elif kind == 'another shape':
        state['mm_vae_model.enc_vs.fc1.weight'] = torch.zeros(16, 128)
        text = 'mm_vae_model.enc_vs.fc1.weight (16, 128) instead of (16, 6272)'
    torch.save(state, path)
    return text


KINDS = (
    'missing file',
    'truncated',
    'no checkpoint',
    'hostile',
    'another model',
    'not weights',
    'empty',
    'plain pickle',
    'under another key',
    'converted',
    'one missing',
    'one more',
    'another shape',
)


@pytest.mark.parametrize('kind', KINDS)
def test_refused(files, states, tmp_path, capsys, kind):
    source, witness = files / 'ecmvae_r50.pth', tmp_path / 'witness'
    text = damage(kind, source, states, witness)
    target = tmp_path / 'new' / 'ours.pth'
    assert run(ecmvae, source, target) == 1
    captured = capsys.readouterr()
    assert captured.out == ''
    assert captured.err.startswith('error: ')
    assert captured.err.count('error:') == 1
    assert captured.err.endswith('\nnothing was written\n')
    assert str(source) in captured.err and text in captured.err
    assert not target.parent.exists() and not witness.exists()


@pytest.mark.parametrize('kind', ['hostile', 'truncated', 'ecmvae'])
def test_vggish_of_another_kind(files, states, tmp_path, capsys, kind):
    vggish, witness = files / 'vggish.pth', tmp_path / 'witness'
    text = 'features.* and embeddings.*'
    if kind == 'ecmvae':
        torch.save(states['ecmvae_r50'], vggish)
    else:
        text = damage(kind, vggish, states, witness)
    target = tmp_path / 'ours.pth'
    source = files / 'ecmvae_r50.pth'
    assert run(ecmvae, source, target, '--vggish', vggish) == 1
    error = capsys.readouterr().err
    assert str(vggish) in error and text in error
    assert not target.exists() and not witness.exists()


@pytest.mark.parametrize('tool', [ecmvae, backbone])
def test_an_existing_target(files, tmp_path, capsys, tool):
    target = tmp_path / 'ours.pth'
    target.write_text('precious')
    if tool is ecmvae:
        arguments = (files / 'av_corr_r50.pth', target)
    else:
        arguments = ('vggish', files / 'vggish.pth', target)
    assert run(tool, *arguments) == 1
    error = capsys.readouterr().err
    assert str(target) in error and '--force' in error
    assert target.read_text() == 'precious'
    assert run(tool, *arguments, '--force') == 0
    assert torch.load(target, weights_only=True)['state_dict']


def test_a_target_in_the_place_of_a_folder(files, tmp_path, capsys):
    (tmp_path / 'file').write_text('')
    target = tmp_path / 'file' / 'ours.pth'
    assert run(ecmvae, files / 'av_corr_r50.pth', target) == 1
    assert re.match(r'error: .*file', capsys.readouterr().err)


@pytest.mark.parametrize('tool', [ecmvae, backbone])
def test_a_disk_that_is_full(files, tmp_path, capsys, monkeypatch, tool):
    def fail(content, path):
        path.write_bytes(b'the beginning')
        raise RuntimeError('file write failed\nframe 0: somewhere')

    monkeypatch.setattr(torch, 'save', fail)
    target = tmp_path / 'new' / 'folder' / 'ours.pth'
    if tool is ecmvae:
        arguments = (files / 'av_corr_r50.pth', target)
    else:
        arguments = ('vggish', files / 'vggish.pth', target)
    assert run(tool, *arguments) == 1
    captured = capsys.readouterr()
    assert captured.out == ''
    assert captured.err == (
        f'error: {target} cannot be written: file write failed\n'
        'nothing was written\n'
    )
    assert os.listdir(tmp_path) == ['published']


# The second tool.


def test_vggish_file(files, states, tmp_path, capsys):
    target = tmp_path / 'vggish_ours.pth'
    assert run(backbone, 'vggish', files / 'vggish.pth', target) == 0
    (train,) = commands(capsys.readouterr().out)
    assert train[-1] == f'model.audio_backbone.init_cfg.checkpoint={target}'
    content = torch.load(target, weights_only=True)
    assert content['meta'] == dict(
        backbone='vggish', mmavs_version=__version__
    )
    for name, value in states['vggish'].items():
        assert torch.equal(content['state_dict'][name], value)
    with torch.device('meta'):
        network = MODELS.build(
            dict(
                type='VGGish',
                init_cfg=dict(type='Pretrained', checkpoint=str(target)),
            )
        )
    network.init_weights()


def test_pvt_file(tmp_path, capsys):
    """All values, through the initialisation of the real network."""
    with torch.device('meta'):
        shapes = shapes_of(PVTv2('b0').timm_model)
    state = {original_pvt_name(k): v for k, v in numbered(shapes).items()}
    state['head.weight'] = torch.zeros(1000, 256)
    source, target = tmp_path / 'pvt_v2_b0.pth', tmp_path / 'ours.pth'
    torch.save(dict(model=state), source)
    arguments = ('pvt_v2', source, target)
    assert run(backbone, *arguments, '--variant', 'b0') == 0
    output = capsys.readouterr().out
    assert 'dropped:   head.* (1 tensors)' in output
    (train,) = commands(output)
    assert train[-1] == f'model.backbone.init_cfg.checkpoint={target}'
    meta = torch.load(target, weights_only=True)['meta']
    assert meta['backbone'] == 'pvt_v2' and meta['variant'] == 'b0'

    network = MODELS.build(
        dict(
            type='PVTv2',
            variant='b0',
            init_cfg=dict(type='Pretrained', checkpoint=str(target)),
        )
    )
    network.init_weights()
    for i, (name, value) in enumerate(network.timm_model.state_dict().items()):
        assert (value == i).all(), name


@pytest.mark.parametrize('kind', ['missing file', 'truncated', 'hostile'])
def test_a_backbone_file_that_cannot_be_read(
    files, states, tmp_path, capsys, kind
):
    source, witness = files / 'vggish.pth', tmp_path / 'witness'
    text = damage(kind, source, states, witness)
    target = tmp_path / 'new' / 'ours.pth'
    assert run(backbone, 'vggish', source, target) == 1
    error = capsys.readouterr().err
    assert str(source) in error and text in error
    assert not target.parent.exists() and not witness.exists()


def test_a_backbone_of_another_kind(files, tmp_path, capsys):
    target = tmp_path / 'ours.pth'
    for kind, name, text in (
        ('vggish', 'ecmvae_r50', 'missing:\n  features.0.weight'),
        ('pvt_v2', 'vggish', 'weights of PVTv2-B5 (--variant b5)'),
    ):
        assert run(backbone, kind, files / f'{name}.pth', target) == 1
        error = capsys.readouterr().err
        assert f'{name}.pth' in error and text in error
        assert error.endswith('\nnothing was written\n')
        assert not target.exists()
