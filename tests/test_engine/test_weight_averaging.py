"""mmengine's averaging of weights on the model of mmavs."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from mmengine.runner import Runner
from torch.nn.modules.batchnorm import _BatchNorm

from mmavs.compat.checkpoints import load_checkpoint_safely

MOMENTUM = 0.25
THRESHOLD = 0.35


def averaged(tiny_config, name, tmp_path, **changes):
    """The tiny config with averaging, in a work directory of its own."""
    hook = dict(type='EMAHook', momentum=MOMENTUM)
    hook['update_buffers'] = changes.pop('update_buffers', False)
    config = tiny_config('s4', work_dir=str(tmp_path / name), **changes)
    # So little trained, it predicts no more than 0.5 anywhere.
    config.val_evaluator.threshold = THRESHOLD
    config.custom_hooks = [hook]
    config.experiment_name = name
    return config


def load(tmp_path, name):
    return load_checkpoint_safely(tmp_path / name)


def states(checkpoint):
    """Averaged state, and that of the training itself."""
    own = {
        key.removeprefix('module.'): value
        for key, value in checkpoint['ema_state_dict'].items()
        if key.startswith('module.')
    }
    assert own.keys() == checkpoint['state_dict'].keys()
    return checkpoint['state_dict'], own


def is_statistic(name):
    return name.endswith(('running_mean', 'running_var'))


@pytest.mark.parametrize('update_buffers', [False, True])
def test_train_save_resume_and_test(tiny_config, tmp_path, update_buffers):
    changes = dict(update_buffers=update_buffers)
    runner = Runner.from_cfg(
        averaged(tiny_config, 'first', tmp_path, **changes)
    )
    runner.train()
    assert any(isinstance(m, _BatchNorm) for m in runner.model.modules())
    # After the first iteration the average is that iteration's weights.
    first, second = (load(tmp_path, f'first/iter_{i}.pth') for i in (1, 2))
    (old, start), (mean, own) = states(first), states(second)
    for name in own:
        assert torch.equal(old[name], start[name])
        if name.endswith('num_batches_tracked'):
            continue  # a count of no further use
        expected = own[name]
        if update_buffers or not is_statistic(name):
            expected = torch.lerp(start[name], own[name], MOMENTUM)
        torch.testing.assert_close(mean[name], expected, msg=name)
    moved = [
        name
        for name in own
        if own[name].is_floating_point()
        and not torch.equal(mean[name], own[name])
    ]
    assert 'decode_head.fusion.0.out_norm.weight' in moved
    assert any(map(is_statistic, moved)) == update_buffers
    # The frozen network of the sound stays as it was.
    assert not any(name.startswith('audio_backbone') for name in moved)
    # The training goes on with its own weights, not with the average.
    for name, value in runner.model.state_dict().items():
        assert torch.equal(value, own[name])

    # What validated is what is saved as the weights, and what is tested.
    score = runner.message_hub.get_scalar('val/mIoU').current()
    assert score > 0
    config = averaged(
        tiny_config, 'tested', tmp_path, load_from=path_of(tmp_path, 2)
    )
    config.test_dataloader = config.val_dataloader
    config.test_evaluator = config.val_evaluator
    for hooks in (config.custom_hooks, []):
        config.custom_hooks = hooks
        config.experiment_name = f'tested{len(hooks)}'
        tested = Runner.from_cfg(config)
        metrics = tested.test()
        assert metrics['mIoU'] == pytest.approx(score, abs=1e-6)
        for name, value in tested.model.state_dict().items():
            assert torch.equal(value, mean[name])

    # Average and weights go on from where they were.
    resumed = averaged(tiny_config, 'resumed', tmp_path, **changes)
    resumed.merge_from_dict(
        {
            'load_from': path_of(tmp_path, 2),
            'resume': True,
            'train_cfg.max_iters': 3,
        }
    )
    Runner.from_cfg(resumed).train()
    mean_3, own_3 = states(load(tmp_path, 'resumed/iter_3.pth'))
    for name in moved:
        expected = torch.lerp(mean[name], own_3[name], MOMENTUM)
        torch.testing.assert_close(mean_3[name], expected, msg=name)


def path_of(tmp_path: Path, iteration: int) -> str:
    return str(tmp_path / f'first/iter_{iteration}.pth')
