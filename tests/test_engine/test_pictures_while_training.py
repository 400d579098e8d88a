"""Sheets while training, switched on by the config alone."""

from __future__ import annotations

import importlib.util
import io
import sys
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from mmengine.runner import Runner
from PIL import Image

CLIPS = 2


@pytest.fixture
def train(tiny_config):
    """Two iterations with a validation after each, two clips drawn."""

    def train(*backends: dict):
        config = tiny_config(
            's4',
            **{
                'default_hooks.visualization.draw': True,
                'default_hooks.visualization.max_clips': CLIPS,
                'model.test_cfg.num_samples': 2,
                'visualizer.vis_backends': list(backends),
                # Visualizers live as long as the process, by their name.
                'visualizer.name': f'pictures {backends}',
            },
        )
        config.experiment_name = f'pictures_{len(backends)}'
        runner = Runner.from_cfg(config)
        runner.train()
        return runner

    return train


class RecordingWandb:
    """What the backend of mmengine calls of the package wandb."""

    def __init__(self):
        self.logged = []
        self.run = SimpleNamespace(log_code=lambda **kwargs: None)
        self.config = SimpleNamespace(update=lambda *args, **kwargs: None)
        self.settings = None
        self.joined = False

    def init(self, **kwargs):
        self.settings = kwargs

    def Image(self, image):
        return np.array(image)

    def log(self, values, commit=True):
        self.logged.append(values)

    def join(self):
        self.joined = True


def test_files_tensorboard_and_wandb(train, monkeypatch):
    """One tag per clip, one step per validation, the same pictures."""
    events = pytest.importorskip(
        'tensorboard.backend.event_processing.event_accumulator'
    )
    wandb = RecordingWandb()
    monkeypatch.setitem(sys.modules, 'wandb', wandb)
    runner = train(
        dict(type='LocalVisBackend'),
        dict(type='TensorboardVisBackend'),
        dict(type='WandbVisBackend', init_kwargs=dict(project='sheets')),
    )
    folder = Path(runner.log_dir) / 'vis_data'
    dataset = runner.val_dataloader.dataset
    ids = [dataset.get_data_info(k)['video_id'] for k in (0, 2)]
    expected = sorted(f'val_{video_id}' for video_id in ids)

    written = events.EventAccumulator(
        str(folder), size_guidance=dict(images=0)
    )
    written.Reload()
    assert sorted(written.Tags()['images']) == expected
    assert 'mIoU' in written.Tags()['scalars']
    shown = {}
    for tag in expected:
        steps = written.Images(tag)
        assert [event.step for event in steps] == [1, 2]
        shown[tag] = [
            np.array(Image.open(io.BytesIO(event.encoded_image_string)))
            for event in steps
        ]
        # Another iteration, another picture of the same size.
        assert shown[tag][0].shape == shown[tag][1].shape
        assert not np.array_equal(*shown[tag])
        for step, picture in enumerate(shown[tag], 1):
            file = cv2.imread(str(folder / f'vis_image/{tag}_{step}.png'))
            assert np.array_equal(file[..., ::-1], picture)
    assert len([*folder.rglob('*.png')]) == 2 * CLIPS

    assert wandb.settings['project'] == 'sheets' and wandb.joined
    for tag in expected:
        pictures = [values[tag] for values in wandb.logged if tag in values]
        assert np.array_equal(pictures, shown[tag])


@pytest.mark.skipif(
    importlib.util.find_spec('wandb') is None, reason='wandb is not installed'
)
def test_wandb_offline(train, tmp_path, monkeypatch):
    """The package itself, without a network."""
    monkeypatch.setenv('WANDB_MODE', 'offline')
    runner = train(dict(type='WandbVisBackend'))
    runner.visualizer.close()
    names = {path.name.rsplit('_', 2)[0] for path in tmp_path.rglob('*.png')}
    assert len(names) == CLIPS
    assert all(name.startswith('val_') for name in names)
