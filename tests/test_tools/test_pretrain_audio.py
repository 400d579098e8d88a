"""The audio network is taught, written, and loaded by a tiny config."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import torch
from mmengine.config import Config
from mmseg.registry import MODELS

from mmavs.compat.checkpoints import load_checkpoint_safely

ROOT = Path(__file__).resolve().parents[2]


def test_weights_load_into_the_segmentation_model(synthetic_root, tmp_path):
    data = synthetic_root / 'Single-source'
    done = subprocess.run(
        [
            sys.executable,
            'tools/pretrain_audio.py',
            'configs/vggish_tiny_synthetic.py',
            *('--work-dir', str(tmp_path)),
            '--cfg-options',
            f'train_dataloader.dataset.dataset.data_root={data}',
            f'val_dataloader.dataset.data_root={data}',
            'train_dataloader.num_workers=0',
            'train_dataloader.persistent_workers=False',
            'val_dataloader.num_workers=0',
            'train_cfg.max_iters=2',
            'train_cfg.val_interval=2',
        ],
        cwd=ROOT,
        env=dict(os.environ, PYTHONPATH=str(ROOT)),
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, (done.stdout + done.stderr)[-3000:]
    assert 'accuracy:' in done.stdout + done.stderr
    path = tmp_path / 'audio_backbone.pth'

    config = Config.fromfile(ROOT / 'configs/mmvae_tiny_s4.py')
    config.model.audio_backbone.init_cfg.checkpoint = str(path)
    model = MODELS.build(config.model)
    model.init_weights()
    taught = load_checkpoint_safely(path)
    loaded = model.audio_backbone.state_dict()
    assert taught.keys() == loaded.keys()
    assert all(torch.equal(taught[key], loaded[key]) for key in taught)
    assert not any(p.requires_grad for p in model.audio_backbone.parameters())
