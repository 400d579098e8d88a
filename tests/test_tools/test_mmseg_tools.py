"""mmseg's own, unmodified tools run our configs; so do ours."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import mmseg
import pytest

ROOT = Path(__file__).resolve().parents[2]
MMSEG_TOOLS = Path(mmseg.__file__).parent / '.mim' / 'tools'

SMALL = [
    'model.audio_backbone.init_cfg=None',
    'model.audio_backbone.width=0.05',
    'model.backbone.base_channels=8',
    'model.neck.in_channels=(8,16,32,64)',
    'train_cfg.val_interval=1',
    'default_hooks.checkpoint.interval=1',
    'default_hooks.logger.interval=1',
]


def run(script: Path, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, str(script), *arguments],
        cwd=ROOT,
        env=dict(os.environ, PYTHONPATH=str(ROOT)),
        capture_output=True,
        text=True,
        timeout=300,
    )
    output = done.stdout + done.stderr
    assert done.returncode == 0, output[-3000:]
    return output


@pytest.mark.parametrize('tools', [MMSEG_TOOLS, ROOT / 'tools'])
def test_train_resume_test_and_show(tools, synthetic_root, tmp_path):
    loaders = [
        option
        for loader in ('train', 'val', 'test')
        for option in (
            f'{loader}_dataloader.dataset.data_root='
            f'{synthetic_root / "Single-source"}',
            f'{loader}_dataloader.batch_size=2',
            f'{loader}_dataloader.num_workers=0',
            f'{loader}_dataloader.persistent_workers=False',
        )
    ]
    work, sheets, masks = (tmp_path / n for n in ('work', 'sheets', 'masks'))
    config = 'configs/mmvae_tiny_s4.py'
    common = ['--work-dir', str(work)]
    options = ['--cfg-options', *SMALL, *loaders]

    run(tools / 'train.py', config, *common, *options, 'train_cfg.max_iters=1')
    assert (work / 'iter_1.pth').exists()

    output = run(
        tools / 'train.py',
        config,
        *common,
        '--resume',
        *options,
        'train_cfg.max_iters=2',
    )
    assert 'Iter(train) [2/2]' in output
    assert 'Iter(train) [1/2]' not in output

    output = run(
        tools / 'test.py',
        config,
        str(work / 'iter_2.pth'),
        *common,
        *('--show-dir', str(sheets)),
        *('--out', str(masks)),
        *options,
    )
    assert 'mIoU:' in output
    assert len(list(sheets.rglob('*.png'))) == 4  # one a clip
    assert len(list(masks.rglob('*.png'))) == 20  # one a frame
