"""A checkpoint that would run code, wherever a command takes one."""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path

import pytest
import timm
import torch
from small_network import write_small_network

from mmavs.apis import AVSInferencer
from mmavs.compat.safe_unpickling import UnsafeCheckpointError

ROOT = Path(__file__).resolve().parents[2]


class _Hostile:
    """Makes a folder when it is unpickled by an unsafe loader."""

    def __init__(self, witness):
        self.witness = witness

    def __reduce__(self):
        return os.mkdir, (str(self.witness),)


@pytest.fixture
def hostile(tmp_path):
    """A checkpoint that makes a folder ``witness`` next to it."""
    path, witness = tmp_path / 'hostile.pth', tmp_path / 'witness'
    content = dict(
        state_dict={}, meta=dict(epoch=0, iter=1), hostile=_Hostile(witness)
    )
    torch.save(content, path)
    yield path
    assert not witness.exists()
    # The file does what it is meant to where nothing stops it.
    torch.load(path, weights_only=False)
    assert witness.exists()


@pytest.fixture
def run(monkeypatch, capsys):
    """Runs the main of a script of tools/ in this process."""

    def main(script, *arguments):
        path = ROOT / 'tools' / f'{script}.py'
        spec = importlib.util.spec_from_file_location(f'tool_{script}', path)
        module = importlib.util.module_from_spec(spec)
        monkeypatch.setitem(sys.modules, spec.name, module)
        spec.loader.exec_module(module)
        command = [path.name, *map(str, arguments)]
        monkeypatch.setattr(sys, 'argv', command)
        monkeypatch.setenv('LOCAL_RANK', '0')
        module.main()

    return main


@pytest.fixture
def config(tiny_config, tmp_path):
    """The tiny config as a file, with a work directory."""
    path = tmp_path / 'tiny.py'
    (tmp_path / 'work').mkdir()
    tiny_config('s4').dump(path)
    return path


@pytest.mark.parametrize(
    'options',
    [
        ['--resume', 'FILE'],
        ['--cfg-options', 'load_from=FILE'],
        ['--cfg-options']
        + ['model.audio_backbone.init_cfg._delete_=True']
        + ['model.audio_backbone.init_cfg.type=Pretrained']
        + ['model.audio_backbone.init_cfg.checkpoint=FILE'],
        ['--cfg-options']
        + ['model.backbone.init_cfg.type=Pretrained']
        + ['model.backbone.init_cfg.checkpoint=FILE'],
    ],
    ids=['resume', 'load_from', 'audio_backbone', 'backbone'],
)
def test_training(run, config, hostile, options):
    options = [text.replace('FILE', str(hostile)) for text in options]
    with pytest.raises(UnsafeCheckpointError, match=r'hostile\.pth.*mkdir'):
        run('train', config, *options)


def test_training_that_looks_for_its_checkpoint(
    run, config, hostile, tmp_path
):
    (tmp_path / 'work/last_checkpoint').write_text(str(hostile))
    with pytest.raises(UnsafeCheckpointError, match=r'hostile\.pth.*mkdir'):
        run('train', config, '--resume')


def test_testing(run, config, hostile):
    with pytest.raises(UnsafeCheckpointError, match=r'hostile\.pth.*mkdir'):
        run('test', config, hostile)


def test_inference(run, hostile, tmp_path, capsys):
    config, _ = write_small_network(tmp_path)
    with pytest.raises(UnsafeCheckpointError, match=r'hostile\.pth.*mkdir'):
        AVSInferencer(str(config), str(hostile))
    (tmp_path / 'a.mp4').write_bytes(b'never read')
    with pytest.raises(SystemExit) as end:
        run(
            'infer',
            tmp_path / 'a.mp4',
            *('--config', config, '--checkpoint', hostile),
            *('--out', tmp_path / 'out'),
        )
    assert end.value.code not in (0, None)
    assert 'hostile.pth was refused' in capsys.readouterr().err
    assert not (tmp_path / 'out').exists()


def test_weights_of_timm(hostile):
    """It reads files of its own; mmseg's TIMMBackbone passes them on."""
    with pytest.raises(Exception, match='weights_only'):
        timm.create_model(
            'pvt_v2_b0',
            pretrained=True,
            pretrained_cfg_overlay=dict(file=str(hostile)),
        )


@pytest.mark.parametrize('script', ['train', 'test'])
def test_a_config_is_a_file_of_this_machine(run, script):
    """It is a program: none is fetched, whatever address is given."""
    address = 'http://127.0.0.1:9/config.py'
    with pytest.raises(FileNotFoundError):
        run(script, address, *(['x.pth'] if script == 'test' else []))
