"""Interrupted and resumed trainings end as uninterrupted ones do."""

from __future__ import annotations

from pathlib import Path

import pytest
from interrupted_runs import differences, train
from mmengine.config import Config
from mmengine.runner import ValLoop

ROOT = Path(__file__).resolve().parents[2]
STRONG = Config.fromfile(
    ROOT / 'configs/_base_/datasets/synthetic_strong.py'
).strong_pipeline


def with_workers(config: Config, workers: int) -> Config:
    """The config with another number of worker processes."""
    config = Config(config.to_dict())
    config.train_dataloader.num_workers = workers
    config.train_dataloader.persistent_workers = workers > 0
    return config


@pytest.fixture
def strong_config(tiny_config):
    """Six iterations with all that could draw: augmentation, sound, noise.

    And with all that has a state: weights, batch norms, their average,
    optimiser, schedules of the rate and of the latent terms.
    """
    config = tiny_config(
        'ms3',
        **{
            'train_cfg.max_iters': 6,
            'train_cfg.val_interval': 3,
            'default_hooks.checkpoint.interval': 2,
            'param_scheduler': [
                dict(type='LinearLR', start_factor=0.1, end=4, by_epoch=False)
            ],
            'custom_hooks': [
                dict(type='EMAHook', momentum=0.1),
                dict(type='LatentWarmupHook', num_iters=6),
            ],
        },
    )
    pipeline = Config(dict(steps=STRONG)).steps
    for step in pipeline[0].transforms:
        for key in ('scale', 'crop_size', 'size'):
            if key in step:
                step[key] = (64, 64)
    config.train_dataloader.dataset = dict(
        type='NegativeSounds',
        share=0.5,
        kinds=dict(white_noise=1, partial=1, mixed=1),
        dataset=dict(config.train_dataloader.dataset, pipeline=pipeline),
    )
    return config


def test_resumed_equals_uninterrupted(strong_config, tmp_path):
    """Also where it goes on with other workers than it began with."""
    train(strong_config, tmp_path / 'whole')
    train(strong_config, tmp_path / 'broken', kill_at=5)
    assert not (tmp_path / 'broken/iter_6.pth').exists()
    runner = train(
        with_workers(strong_config, 2), tmp_path / 'broken', resume=True
    )
    assert runner.iter == 6
    assert not differences(
        tmp_path / 'whole/iter_6.pth', tmp_path / 'broken/iter_6.pth'
    )


@pytest.fixture
def epoch_config(tiny_config):
    """Three epochs of three batches, saved every two iterations."""
    config = tiny_config(
        'ms3',
        **{
            'default_hooks.checkpoint.interval': 2,
            'param_scheduler': [dict(type='StepLR', step_size=1)],
        },
    )
    config.train_cfg = dict(type='ExactEpochBasedTrainLoop', max_epochs=3)
    config.train_dataloader.sampler.type = 'DefaultSampler'
    return config


def test_an_epoch_goes_on_in_its_middle(epoch_config, tmp_path):
    train(epoch_config, tmp_path / 'whole')
    train(epoch_config, tmp_path / 'broken', kill_at=5)
    runner = train(epoch_config, tmp_path / 'broken', resume=True)
    assert (runner.iter, runner.epoch) == (9, 3)
    assert not differences(
        tmp_path / 'whole/iter_9.pth', tmp_path / 'broken/iter_9.pth'
    )


def test_an_epoch_of_other_batches_begins_anew(epoch_config, tmp_path):
    """Nothing is left out, as the iterations of the old run would tell."""
    train(epoch_config, tmp_path, kill_at=5)
    epoch_config.train_dataloader.batch_size = 5
    runner = train(epoch_config, tmp_path, resume=True)
    # Two epochs of one batch, after four iterations of the old run.
    assert (runner.iter, runner.epoch) == (6, 3)


@pytest.mark.parametrize('counts', [1, 2])
def test_epochs_are_whole_after_a_change_of_the_batch_size(
    epoch_config, tmp_path, counts
):
    """Also where the old iterations look like those of a new epoch."""
    epoch_config.default_hooks.checkpoint.by_epoch = True
    epoch_config.default_hooks.checkpoint.interval = 1
    epoch_config.train_cfg.max_epochs = 1
    runner = train(epoch_config, tmp_path)
    assert (runner.iter, runner.epoch) == (3, 1)
    # Of one batch with four clips and one with a single one.
    epoch_config.train_dataloader.batch_size = 4
    epoch_config.train_cfg.max_epochs = 3
    epoch_config.optim_wrapper.accumulative_counts = counts
    runner = train(epoch_config, tmp_path, resume=True)
    assert (runner.iter, runner.epoch) == (7, 3)
    assert runner.train_loop.max_iters == 7


def test_a_kill_in_the_last_validation(epoch_config, tmp_path, monkeypatch):
    """It is made up for, and its best checkpoint is there."""
    epoch_config.default_hooks.checkpoint.by_epoch = True
    epoch_config.default_hooks.checkpoint.interval = 1
    epoch_config.train_cfg.max_epochs = 1
    run = ValLoop.run

    def die(self):
        raise KeyboardInterrupt

    monkeypatch.setattr(ValLoop, 'run', die)
    with pytest.raises(KeyboardInterrupt):
        train(epoch_config, tmp_path)
    monkeypatch.setattr(ValLoop, 'run', run)
    assert not list(tmp_path.glob('best_*.pth'))
    train(epoch_config, tmp_path, resume=True)
    assert [p.name for p in tmp_path.glob('best_*.pth')] == [
        'best_mIoU_epoch_1.pth'
    ]


def test_a_drawn_seed_is_kept(strong_config, tmp_path):
    config = Config(strong_config.to_dict())
    config.randomness = dict(seed=None, diff_rank_seed=True)
    first = train(config, tmp_path / 'broken', kill_at=3)
    second = train(config, tmp_path / 'broken', resume=True)
    assert first.seed == second.seed
    config.randomness = dict(seed=first.seed)
    train(config, tmp_path / 'whole')
    assert not differences(
        tmp_path / 'whole/iter_6.pth', tmp_path / 'broken/iter_6.pth'
    )


def test_other_loops_warn(tiny_config, tmp_path):
    config = tiny_config('s4', **{'train_cfg.type': 'IterBasedTrainLoop'})
    train(config, tmp_path)
    log = next(tmp_path.glob('*/*.log')).read_text()
    assert 'train_cfg.type must be ExactEpochBasedTrainLoop' in log
