"""A model and a clip for the page of tools/webdemo.py."""

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
