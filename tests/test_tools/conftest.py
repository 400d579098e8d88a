"""Scripts as functions; a model and a clip for tools/webdemo.py."""

import importlib.util
import socket
import sys
import warnings
from pathlib import Path

import pytest
from video_files import write_video

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / 'tools'))
SMALL = {
    'model.audio_backbone.init_cfg': None,
    'model.audio_backbone.width': 0.05,
    'model.backbone.base_channels': 8,
    'model.neck.in_channels': (8, 16, 32, 64),
}


@pytest.fixture
def analysis_tool(monkeypatch):
    """Loads a script by name: its main, which takes the arguments."""
    monkeypatch.syspath_prepend(ROOT / 'tools')

    def load(name):
        path = ROOT / 'tools' / 'analysis_tools' / f'{name}.py'
        spec = importlib.util.spec_from_file_location(f'tools_{name}', path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)

        def main(*arguments):
            command = [path.name, *map(str, arguments)]
            monkeypatch.setattr(sys, 'argv', command)
            module.main()

        return main

    return load


@pytest.fixture(scope='session')
def small_inferencer():
    """The tiny model with random weights."""
    from mmavs.apis import AVSInferencer

    with warnings.catch_warnings():
        warnings.simplefilter('ignore')  # they are random
        return AVSInferencer(
            str(ROOT / 'configs/mmvae_tiny_s4.py'), cfg_options=SMALL
        )


@pytest.fixture(scope='session')
def clip(tmp_path_factory):
    """Three seconds, with a name that has to be quoted."""
    return str(write_video(tmp_path_factory.mktemp('clip') / 'a b.mp4', 3))


@pytest.fixture(scope='module')
def free_port():
    """A port that nobody listens on."""
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        return free.getsockname()[1]
