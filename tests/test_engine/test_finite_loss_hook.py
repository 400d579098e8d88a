"""NaN stops a training, or leaves no trace in it."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from interrupted_runs import differences, same, train
from mmengine.hooks import Hook
from mmengine.optim import OptimWrapper
from mmseg.registry import OPTIM_WRAPPERS
from toy_runs import toy_config

from mmavs.compat.checkpoints import load_checkpoint_safely
from mmavs.engine.checkpoint_files import find_whole_checkpoint
from mmavs.engine.hooks.finite_loss_hook import NotFiniteError

NAN_CLIP = {
    'train_dataloader.dataset.pipeline': [dict(type='ToyLoad', nan=[5])]
}
SKIP = {'default_hooks.finite_loss.max_skipped': 9}


class StateHook(Hook):
    """Notes all that a training has, before and after each iteration."""

    def __init__(self):
        self.before, self.after = [], []

    @staticmethod
    def state(runner):
        """Weights, statistics, optimiser, gradients."""
        optimizer = runner.optim_wrapper.optimizer
        values = dict(
            model=runner.model.state_dict(),
            optimizer=optimizer.state_dict()['state'],
            count=runner.optim_wrapper.inner_count,
        )
        return torch.utils._pytree.tree_map(
            lambda x: x.clone() if isinstance(x, torch.Tensor) else x, values
        )

    def before_train_iter(self, runner, *args, **kwargs):
        self.before.append(self.state(runner))

    def after_train_iter(self, runner, *args, **kwargs):
        self.after.append(self.state(runner))


def has_nan(runner) -> bool:
    return any(
        not v.isfinite().all() for v in runner.model.state_dict().values()
    )


def run(config, work, **kwargs):
    """Train with a StateHook; gives it and what the training raised."""
    from mmengine.runner import Runner

    states, error = StateHook(), None
    build = Runner.from_cfg

    def built(cfg):
        runner = build(cfg)
        runner.register_hook(states)
        run.runner = runner
        return runner

    Runner.from_cfg = built
    try:
        train(config, work, **kwargs)
    except NotFiniteError as raised:
        error = raised
    finally:
        Runner.from_cfg = build
    return run.runner, states, error


def test_a_nan_clip_stops_before_the_weights_change(tmp_path):
    runner, states, error = run(toy_config(**NAN_CLIP), tmp_path)
    text = str(error)
    number = runner.iter + 1
    assert f'iteration {number}: loss_line is nan' in text
    assert 'loss_size' not in text
    assert "'clip5' has values that are not finite in ['inputs']" in text
    assert 'max_skipped=N' in text
    assert f'The last checkpoint is {find_whole_checkpoint(tmp_path)}' in text
    # Only the batch norm has seen the batch.
    weights = [name for name, _ in runner.model.named_parameters()]
    now = runner.model.state_dict()
    for name in weights:
        assert same(now[name], states.before[-1]['model'][name])


def test_a_skipped_batch_leaves_no_trace(tmp_path):
    runner, states, error = run(toy_config(**NAN_CLIP, **SKIP), tmp_path)
    assert error is None
    assert runner.iter == 6
    assert not has_nan(runner)
    report = json.loads((tmp_path / 'skipped_batches.json').read_text())
    assert report
    skipped = [entry['iteration'] for entry in report]
    for i in range(6):
        unchanged = same(
            {**states.before[i], 'count': 0}, {**states.after[i], 'count': 0}
        )
        assert unchanged == (i + 1 in skipped)
        assert states.after[i]['count'] == i + 1
    part = report[0]['processes'][0]
    assert part['terms'] == {'loss_line': 'nan'}
    assert 'clip5' in part['clips']
    assert part['not_finite_inputs'] == {'clip5': ['inputs']}
    # The schedule has gone on.
    clean = train(toy_config(), tmp_path / 'clean')
    assert runner.optim_wrapper.get_lr() == clean.optim_wrapper.get_lr()


def test_a_skip_survives_a_kill(tmp_path):
    config = toy_config(**NAN_CLIP, **SKIP)
    train(config, tmp_path / 'whole')
    train(config, tmp_path / 'broken', kill_at=5)
    train(config, tmp_path / 'broken', resume=True)
    assert not differences(
        tmp_path / 'whole/iter_6.pth', tmp_path / 'broken/iter_6.pth'
    )
    reports = [
        json.loads((tmp_path / name / 'skipped_batches.json').read_text())
        for name in ('whole', 'broken')
    ]
    assert reports[0] == reports[1]


def test_the_limit_holds(tmp_path):
    changes = {
        'train_dataloader.dataset.pipeline': [
            dict(type='ToyLoad', nan=list(range(12)))
        ],
        'default_hooks.finite_loss.max_skipped': 2,
    }
    runner, states, error = run(toy_config(**changes), tmp_path)
    assert runner.iter == 2
    assert '2 batches were left out before' in str(error)


@pytest.mark.parametrize('skip', [False, True])
def test_a_gradient_alone(tmp_path, skip):
    """The loss is finite, its gradient is not."""
    changes = {'model.bad_gradient_at': 3, **(SKIP if skip else {})}
    runner, states, error = run(toy_config(**changes), tmp_path)
    assert not has_nan(runner)
    if skip:
        # The batch norm has not counted the batch, so it never gets over 3.
        assert runner.iter == 6
        assert same(
            {**states.before[2], 'count': 0}, {**states.after[-1], 'count': 0}
        )
        assert states.after[-1]['count'] == 6
    else:
        assert runner.iter == 2
        assert 'gradient of line.weight is not finite' in str(error)


def test_accumulated_gradients_of_a_skipped_batch_go(tmp_path):
    changes = {'optim_wrapper.accumulative_counts': 2, **NAN_CLIP, **SKIP}
    runner, states, error = run(toy_config(**changes), tmp_path)
    assert error is None
    assert not has_nan(runner)
    assert [s['count'] for s in states.after] == [1, 2, 3, 4, 5, 6]


@OPTIM_WRAPPERS.register_module(force=True)
class ScalingOptimWrapper(OptimWrapper):
    """Skips a step as a loss scaler does; real ones need an accelerator."""

    loss_scaler = object()

    def step(self, **kwargs):
        """Step, unless a gradient is not finite."""
        groups = self.optimizer.param_groups
        grads = [p.grad for group in groups for p in group['params']]
        if all(grad.isfinite().all() for grad in grads):
            super().step(**kwargs)


def test_a_loss_scaler_may_skip_steps(tmp_path):
    changes = {
        'model.bad_gradient_at': 3,
        'optim_wrapper.type': 'ScalingOptimWrapper',
    }
    runner, states, error = run(toy_config(**changes), tmp_path)
    assert error is None
    assert runner.iter == 6
    assert not has_nan(runner)


def test_other_loops_cannot_skip(tmp_path):
    config = toy_config(**SKIP)
    config.train_cfg.type = 'IterBasedTrainLoop'
    with pytest.raises(ValueError, match='max_skipped=9 needs train_cfg.type'):
        train(config, tmp_path)


def test_other_loops_stop(tmp_path):
    config = toy_config(**NAN_CLIP)
    config.train_cfg.type = 'IterBasedTrainLoop'
    with pytest.raises(NotFiniteError, match='loss_line is nan'):
        train(config, tmp_path)


def test_a_negative_limit_is_an_error():
    from mmavs.engine.hooks import FiniteLossHook

    with pytest.raises(ValueError, match='0 or more, got -1'):
        FiniteLossHook(max_skipped=-1)


@pytest.mark.parametrize('skip', [False, True])
def test_two_processes_agree(tmp_path, skip):
    """One of them has the clip; both stop, or both skip and go on."""
    with socket.socket() as sock:
        sock.bind(('127.0.0.1', 0))
        port = sock.getsockname()[1]
    here = Path(__file__).parent
    result = subprocess.run(
        [
            sys.executable,
            *('-m', 'torch.distributed.run', '--nproc-per-node=2'),
            *('--master-port', str(port), here / 'hook_processes.py'),
            *(tmp_path, str(9 * skip)),
        ],
        env={
            **os.environ,
            'OMP_NUM_THREADS': '1',
            'PYTHONPATH': f'{here}{os.pathsep}{here.parents[1]}',
        },
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert result.returncode == 0, result.stderr[-3000:]
    one, other = (
        load_checkpoint_safely(tmp_path / f'process{i}.pth') for i in range(2)
    )
    assert same(one['weights'], other['weights'])
    assert not any(v.isnan().any() for v in one['weights'].values())
    if skip:
        assert one['iter'] == other['iter'] == 6
        assert one['resumed_at'] == other['resumed_at'] == 4
        report = json.loads((tmp_path / 'skipped_batches.json').read_text())
        assert len(report) >= 1
        assert all(len(entry['processes']) == 1 for entry in report)
    else:
        assert one['error'] == other['error'] != ''
        assert one['error'].count('loss_line is nan') == 1
    # They do not draw the same noise.
    assert not same(one['noise'], other['noise'])
