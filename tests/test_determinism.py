"""The same seed gives the same weights, whoever loads the data."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from interrupted_runs import differences, train
from mmengine.config import Config

from mmavs.datasets.synthetic import write_synthetic_avsbench

ROOT = Path(__file__).resolve().parent.parent
CONFIGS = sorted(
    path.stem for path in (ROOT / 'configs').glob('mmvae_tiny_*.py')
)


@pytest.fixture(scope='module')
def synthetic(tmp_path_factory):
    """Sets in all three layouts, with clips off whose screen others are."""
    root = tmp_path_factory.mktemp('synthetic')
    for layout in ('s4', 'ms3', 'avss'):
        write_synthetic_avsbench(
            root, layout, dict(train=20, val=0, test=0), seed=3
        )
    return root


@pytest.fixture(autouse=True)
def _ordinary_algorithms():
    """The setting of a run is one of the whole process."""
    yield
    torch.use_deterministic_algorithms(False)
    torch.backends.cudnn.deterministic = False


def shrink(value, root: Path):
    """Point a config to the sets, and make its frames smaller."""
    if isinstance(value, dict):
        value = {key: shrink(v, root) for key, v in value.items()}
        for key in ('scale', 'crop_size', 'size'):
            if value.get(key) == (96, 96):
                value[key] = (64, 64)
        if 'data_root' in value:
            value['data_root'] = str(root / Path(value['data_root']).name)
    elif isinstance(value, list):
        value = [shrink(v, root) for v in value]
    return value


@pytest.mark.parametrize('name', CONFIGS)
def test_trainings_of_one_seed_are_equal(name, synthetic, tmp_path):
    """Without worker processes and with two of them."""
    config = Config.fromfile(ROOT / f'configs/{name}.py')
    config = Config(shrink(config.to_dict(), synthetic))
    config.merge_from_dict(
        {
            'model.audio_backbone.init_cfg': None,
            'model.audio_backbone.width': 0.05,
            'model.backbone.base_channels': 8,
            'model.neck.in_channels': (8, 16, 32, 64),
            'train_cfg.max_iters': 3,
            'default_hooks.checkpoint.interval': 3,
            'train_dataloader.batch_size': 2,
            'randomness': dict(seed=5, deterministic=True),
            'load_from': None,
            # Training is what this is about.
            'val_cfg': None,
            'val_dataloader': None,
            'val_evaluator': None,
            'default_hooks.checkpoint.save_best': None,
        }
    )
    for workers in (0, 2):
        config.train_dataloader.update(
            num_workers=workers, persistent_workers=workers > 0
        )
        train(config, tmp_path / str(workers))
    assert not differences(
        tmp_path / '0/iter_3.pth', tmp_path / '2/iter_3.pth'
    )


def test_the_configs_are_found():
    assert len(CONFIGS) >= 8
