"""A small network with random weights, as files that a command takes."""

from __future__ import annotations

from pathlib import Path

import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmseg.registry import MODELS

ROOT = Path(__file__).resolve().parent.parent


def small_config(name: str, data_root: Path | None = None) -> Config:
    """A tiny config, smaller still: the frames have 64 px."""
    config = Config.fromfile(ROOT / f'configs/{name}.py')
    config.merge_from_dict(
        {
            'model.audio_backbone.width': 0.05,
            'model.backbone.base_channels': 8,
            'model.neck.in_channels': (8, 16, 32, 64),
        }
    )
    if data_root is not None:
        config.test_dataloader.dataset.data_root = str(data_root)
    for step in config.test_dataloader.dataset.pipeline[0].transforms:
        if step.type == 'Resize':
            step.scale = (64, 64)
    return config


def write_small_network(folder: Path, seed: int = 0) -> tuple[Path, Path]:
    """Write the config of a network for S4, and its weights."""
    config = small_config('mmvae_tiny_s4')
    config.model.audio_backbone.init_cfg = None
    paths = folder / 'small.py', folder / 'small.pth'
    config.dump(paths[0])
    init_default_scope('mmseg')
    torch.manual_seed(seed)
    weights = MODELS.build(config.model).state_dict()
    torch.save(dict(state_dict=weights), paths[1])
    return paths
