"""The tiny configs under mmengine's real Runner."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from mmengine.runner import Runner

from mmavs.compat.checkpoints import load_checkpoint_safely


def state_of(path) -> dict:
    return load_checkpoint_safely(path)['state_dict']


def equal(a: dict, b: dict) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[k], b[k]) for k in a)


@pytest.mark.parametrize('subset', ['s4', 'ms3'])
def test_train_validate_checkpoint_resume_test(tiny_config, subset):
    config = tiny_config(subset)
    work = Path(config.work_dir)
    runner = Runner.from_cfg(config)
    runner.train()
    scores = runner.message_hub.get_scalar('val/mIoU').current()
    assert 0 <= scores <= 1
    assert (work / 'iter_2.pth').exists()
    assert list(work.glob('best_mIoU_iter_*.pth'))

    resumed = tiny_config(subset, **{'train_cfg.max_iters': 3})
    resumed.resume = True
    resumed.experiment_name = f'resumed_{subset}'
    runner = Runner.from_cfg(resumed)
    runner.train()
    assert runner.iter == 3
    before, after = (state_of(work / f'iter_{i}.pth') for i in (2, 3))
    assert not equal(before, after)

    tested = tiny_config(subset)
    tested.load_from = str(work / 'iter_3.pth')
    tested.experiment_name = f'tested_{subset}'
    metrics = Runner.from_cfg(tested).test()
    assert set(metrics) == {'mIoU', 'F'}


def test_log_has_every_term(tiny_config):
    config = tiny_config('s4')
    runner = Runner.from_cfg(config)
    runner.train()
    logged = {
        key.removeprefix('train/decode.')
        for key in runner.message_hub.log_scalars
        if key.startswith('train/decode.')
    }
    assert logged == {
        'loss_structure_prior',
        'loss_structure_posterior',
        'loss_kl_visual_specific',
        'loss_kl_audio_specific',
        'loss_jsd_shared',
        'loss_orthogonality',
        'loss_mutual_information',
        'loss_matching',
        'iou_prior',
        'iou_posterior',
    }


def test_two_trainings_from_one_seed_are_equal(tiny_config, tmp_path):
    """Same data order, same noise, same weights, bit for bit."""
    states = []
    for name in ('one', 'two'):
        config = tiny_config('s4', work_dir=str(tmp_path / name))
        config.experiment_name = name
        Runner.from_cfg(config).train()
        states.append(state_of(tmp_path / name / 'iter_2.pth'))
    assert equal(*states)


def test_prediction_is_the_same_twice(tiny_config):
    config = tiny_config('ms3')
    runner = Runner.from_cfg(config)
    batch = next(iter(runner.test_dataloader))
    model = runner.model.eval()
    with torch.no_grad():
        first, second = (model.test_step(batch) for _ in range(2))
    assert len(first) == 10
    for a, b in zip(first, second):
        assert torch.equal(a.seg_logits.data, b.seg_logits.data)
        assert a.seg_logits.data.shape == (1, 224, 224)


def test_s4_unlabelled_masks_do_not_matter(tiny_config):
    """Whatever lies in frames 2 to 5 of a training clip is not read."""
    runner = Runner.from_cfg(tiny_config('s4'))
    batch = next(iter(runner.train_dataloader))
    labels = batch['data_samples'][0].gt_sem_seg.data
    assert (labels[0] != 255).all()
    assert (labels[1:] == 255).all()
