"""What the tests of whole runs share."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.logging import MMLogger
from mmengine.registry import init_default_scope

import mmavs  # noqa: F401 (registers the components)
from mmavs.compat.checkpoints import load_checkpoint_safely
from mmavs.datasets.synthetic import write_synthetic_avsbench

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = dict(s4='Single-source', ms3='Multi-sources')


@pytest.fixture(autouse=True)
def _no_logs_of_the_past():
    """A log in a folder that an earlier test removed cannot be written."""
    for logger in MMLogger._instance_dict.values():
        for handler in list(logger.handlers):
            path = getattr(handler, 'baseFilename', None)
            if path is not None and not Path(path).parent.exists():
                logger.removeHandler(handler)


@pytest.fixture(autouse=True)
def _mmseg_scope():
    """Names in configs mean components of mmseg."""
    init_default_scope('mmseg')


@pytest.fixture(scope='session')
def synthetic_root(tmp_path_factory) -> Path:
    """A small synthetic AVSBench with both subsets."""
    root = tmp_path_factory.mktemp('synthetic')
    for subset in FOLDERS:
        write_synthetic_avsbench(
            root, subset, dict(train=5, val=4, test=4), seed=3
        )
    return root


@pytest.fixture
def tiny_config(synthetic_root, tmp_path):
    """Make the tiny config of a subset, cut down to a test's budget.

    Two iterations of two clips at 64 px, validation and a checkpoint after
    each, random weights, no worker processes.
    """

    def make(subset: str = 's4', **changes) -> Config:
        config = Config.fromfile(ROOT / f'configs/mmvae_tiny_{subset}.py')
        config.merge_from_dict(
            tiny_options(synthetic_root / FOLDERS[subset], config)
        )
        config.work_dir = str(tmp_path / 'work')
        config.merge_from_dict(changes)
        return config

    return make


@pytest.fixture
def check_reload():
    """Check that a checkpoint predicts what its run does, bit for bit."""

    def check(runner, fresh, checkpoint: Path, num_frames: int) -> None:
        """Load ``checkpoint`` into ``fresh``; both predict a batch."""
        batch = next(iter(runner.val_dataloader))
        fresh.load_state_dict(load_checkpoint_safely(checkpoint)['state_dict'])
        runner.model.eval()
        with torch.no_grad():
            expected, value = (
                [sample.seg_logits.data for sample in model.test_step(batch)]
                for model in (runner.model, fresh)
            )
        assert len(value) == num_frames
        for ours, theirs in zip(value, expected):
            assert ours.shape == (1, 224, 224)
            assert torch.equal(ours, theirs)

    return check


def tiny_options(data_root: Path, config: Config) -> dict:
    """Settings that make a run of the tiny configs small."""
    options = {
        'model.audio_backbone.init_cfg': None,
        'model.audio_backbone.width': 0.05,
        'model.backbone.base_channels': 8,
        'model.neck.in_channels': (8, 16, 32, 64),
        'train_cfg.max_iters': 2,
        'train_cfg.val_interval': 1,
        'default_hooks.checkpoint.interval': 1,
        'default_hooks.checkpoint.max_keep_ckpts': 3,
        'default_hooks.logger.interval': 1,
        'param_scheduler': [],
    }
    for loader in ('train', 'val', 'test'):
        name = f'{loader}_dataloader'
        pipeline = config[name].dataset.pipeline
        for step in pipeline[0].transforms:
            if step.type == 'Resize':
                step.scale = (64, 64)
        options.update(
            {
                f'{name}.dataset.data_root': str(data_root),
                f'{name}.dataset.pipeline': pipeline,
                f'{name}.batch_size': 2,
                f'{name}.num_workers': 0,
                f'{name}.persistent_workers': False,
            }
        )
    return options
