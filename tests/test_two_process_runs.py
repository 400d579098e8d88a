"""Whole runs in two processes, and from one to two and back."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.dist import get_rank
from mmengine.runner import Runner
from two_processes import in_two_processes

import mmavs  # noqa: F401 (registers the components)
from mmavs.compat.checkpoints import load_checkpoint_safely

ROOT = Path(__file__).resolve().parent.parent
# So little trained, it predicts no more than 0.5 anywhere.
THRESHOLD = 0.35
CLIPS_TO_TEST = 3  # of two processes, one has a clip twice


def statistics(state: dict) -> torch.Tensor:
    """All running statistics in a row."""
    return torch.cat(
        [x for name, x in state.items() if name.endswith('running_mean')]
    )


def train(config):
    """Train as a config says, in every process."""
    os.environ['LOCAL_RANK'] = str(get_rank())
    runner = Runner.from_cfg(Config.fromfile(config))
    runner.train()
    return dict(
        iterations=runner.iter,
        lr=runner.optim_wrapper.get_lr()['lr'],
        wrapper=type(runner.model).__name__,
        score=runner.message_hub.get_scalar('val/mIoU').current(),
        statistics=statistics(runner.model.module.state_dict()),
    )


def dist_test(config: Path, checkpoint: Path) -> dict:
    """Scores that tools/dist_test.sh writes, of two processes."""
    result = subprocess.run(
        ['bash', ROOT / 'tools/dist_test.sh', config.name, checkpoint.name]
        + ['2', '--work-dir', config.parent / 'scores'],
        cwd=config.parent,
        env={**os.environ, 'PYTHON': sys.executable, 'OMP_NUM_THREADS': '1'},
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert result.returncode == 0, result.stderr[-3000:]
    (path,) = (config.parent / 'scores').glob('*/*.json')
    return json.loads(path.read_text())


def steps_of(checkpoint: Path) -> set[int]:
    """How often the optimiser has moved each parameter."""
    state = load_checkpoint_safely(checkpoint)['optimizer']['state']
    return {int(values['step']) for values in state.values()}


def trained_by_one(tiny_config, folder):
    """Runner and checkpoint of two iterations in one process."""
    config = tiny_config('s4', work_dir=str(folder / 'one'))
    config.experiment_name = 'one'
    config.test_dataloader.dataset.indices = CLIPS_TO_TEST
    config.test_evaluator.threshold = THRESHOLD
    runner = Runner.from_cfg(config)
    runner.train()
    return runner, folder / 'one/iter_2.pth'


def test_launcher_gives_the_scores_of_one_process(tiny_config, tmp_path):
    runner, checkpoint = trained_by_one(tiny_config, tmp_path)
    expected = runner.test()
    assert expected['mIoU'] > 0
    # Names that begin with a dash.
    runner.cfg.dump(tmp_path / '-one.py')
    shutil.copy(checkpoint, tmp_path / '-one.pth')
    scores = dist_test(tmp_path / '-one.py', tmp_path / '-one.pth')
    assert {name: scores[name] for name in expected} == pytest.approx(
        expected, abs=1e-6
    )


def train_in_two(config, folder):
    """What each of two processes tells of a training."""
    config.merge_from_dict(
        {
            'launcher': 'pytorch',
            'auto_scale_lr': dict(enable=True, base_batch_size=2),
        }
    )
    config.dump(folder / 'two.py')
    return in_two_processes(train, folder, folder / 'two.py')


def test_one_process_then_two_then_one(tiny_config, tmp_path):
    runner, checkpoint = trained_by_one(tiny_config, tmp_path)
    assert steps_of(checkpoint) == {2}

    two = tiny_config('s4', work_dir=str(tmp_path / 'two'))
    two.merge_from_dict(
        {
            'load_from': str(checkpoint),
            'resume': True,
            'train_cfg.max_iters': 4,
        }
    )
    ranks = train_in_two(two, tmp_path)
    for rank in ranks:
        assert rank['iterations'] == 4
        assert rank['wrapper'] == 'MMDistributedDataParallel'
        # That of the checkpoint: a resumed training is not rescaled.
        assert rank['lr'] == [runner.cfg.optim_wrapper.optimizer.lr]
    # Without a hook that averages them, each has statistics of its own.
    first, second = (rank['statistics'] for rank in ranks)
    assert not torch.equal(first, second)
    last = tmp_path / 'two/iter_4.pth'
    assert steps_of(last) == {4}

    again = tiny_config('s4', work_dir=str(tmp_path / 'again'))
    again.merge_from_dict(
        {
            'load_from': str(last),
            'resume': True,
            'experiment_name': 'again',
            'train_cfg.max_iters': 5,
        }
    )
    runner = Runner.from_cfg(again)
    runner.train()
    assert runner.iter == 5
    assert steps_of(tmp_path / 'again/iter_5.pth') == {5}


@pytest.mark.slow
def test_what_was_validated_is_what_is_saved(tiny_config, tmp_path):
    """With the hook of mmengine, in a training by epochs."""
    config = tiny_config('s4', work_dir=str(tmp_path / 'epoch'))
    config.merge_from_dict(
        {
            'custom_hooks': [dict(type='SyncBuffersHook')],
            'default_hooks.checkpoint.by_epoch': True,
            'log_processor.by_epoch': True,
            'train_dataloader.sampler.type': 'DefaultSampler',
            'val_evaluator.threshold': THRESHOLD,
        }
    )
    config.train_cfg = dict(by_epoch=True, max_epochs=1)
    ranks = train_in_two(config, tmp_path)
    checkpoint = tmp_path / 'epoch/epoch_1.pth'
    saved = load_checkpoint_safely(checkpoint)['state_dict']

    tested = tiny_config('s4', work_dir=str(tmp_path / 'tested'))
    tested.load_from = str(checkpoint)
    tested.experiment_name = 'tested'
    tested.test_dataloader = tested.val_dataloader
    tested.test_evaluator = dict(type='AVSMetric', threshold=THRESHOLD)
    score = Runner.from_cfg(tested).test()['mIoU']
    assert score > 0
    for rank in ranks:
        # 5 clips, 2 of them to a batch of each process.
        assert rank['iterations'] == 2
        assert rank['lr'] == [2 * config.optim_wrapper.optimizer.lr]
        assert torch.equal(rank['statistics'], statistics(saved))
        assert rank['score'] == pytest.approx(score, abs=1e-6)
