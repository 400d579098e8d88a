"""Training with clips whose sound comes from nothing in view."""

from __future__ import annotations

from pathlib import Path

import pytest
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.runner import Runner

ROOT = Path(__file__).resolve().parent.parent
CONFIGS = ROOT / 'configs'
BACKBONES = ('pvt', 'r50', 'tiny')
KINDS = dict(silence=1, white_noise=2, pink_noise=2, off_screen=2, partial=1)
each_subset = pytest.mark.parametrize('subset', ['s4', 'ms3'])


def config_of(name: str) -> Config:
    return Config.fromfile(CONFIGS / f'{name}.py')


def check_wrapped(listening: Config, plain: Config, kinds: dict) -> None:
    """The training clips are those of the plain config, in a wrapper."""
    ours = listening.train_dataloader.to_dict()
    dataset = ours.pop('dataset')
    theirs = plain.train_dataloader.to_dict()
    assert dataset.pop('dataset') == theirs.pop('dataset')
    assert ours == theirs
    assert dataset.pop('type') == 'NegativeSounds'
    assert 0 < dataset.pop('share') < 1
    assert dataset.pop('kinds') == kinds
    # The columns of a synthetic set do not tell what is seen and silent.
    is_synthetic = not plain.data_root.startswith('data/AVSBench')
    tells = dict(clips_file='clips.json') if is_synthetic else {}
    assert dataset == (tells if 'off_screen' in kinds else {})
    for loader in ('val_dataloader', 'test_dataloader'):
        assert listening[loader] == plain[loader]


@pytest.mark.parametrize('backbone', BACKBONES)
@each_subset
def test_what_the_configs_change(backbone, subset):
    name = f'mmvae_{backbone}_{subset}'
    listening, plain = config_of(f'{name}_listening'), config_of(name)
    kinds = dict(KINDS)
    if subset == 'ms3' and backbone != 'tiny':
        del kinds['off_screen']  # real MS3 says nothing of classes
    check_wrapped(listening, plain, kinds)
    for key in ('train_cfg', 'param_scheduler', 'optim_wrapper'):
        assert listening[key] == plain[key]


@each_subset
def test_data_of_the_benchmark(subset):
    folder = CONFIGS / '_base_/datasets'
    listening, plain = (
        Config.fromfile(folder / f'benchmark_{subset}{suffix}.py')
        for suffix in ('_listening', '')
    )
    assert 'benchmark' in plain.data_root
    # A second training with nothing but silence and noise.
    kinds = dict(silence=1, white_noise=3, pink_noise=2)
    check_wrapped(listening, plain, kinds)


@pytest.fixture
def listening_config(tiny_config, synthetic_root):
    """A tiny listening config, cut down as the plain one is in tests."""

    def make(subset: str, kinds: dict) -> Config:
        config = tiny_config(
            subset, **{'train_cfg.max_iters': 1, 'train_cfg.val_interval': 2}
        )
        name = f'mmvae_tiny_{subset}_listening'
        wrapper = config_of(name).train_dataloader.dataset
        wrapper.dataset = config.train_dataloader.dataset
        wrapper.share = 1.0
        wrapper.kinds = kinds  # as a whole; an update would merge them
        config.train_dataloader.dataset = wrapper
        config.experiment_name = f'negatives_{subset}'
        return config

    return make


@each_subset
def test_training_on_nothing_but_silence(listening_config, subset):
    """A batch with nothing to mark, in the whole of it, is no trap."""
    runner = Runner.from_cfg(listening_config(subset, dict(silence=1)))
    runner.train()
    assert runner.iter == 1
    dataset = runner.train_dataloader.dataset
    batch = pseudo_collate([dataset[0], dataset[1]])
    for sample in batch['data_samples']:
        mask = sample.gt_sem_seg.data
        labelled = (mask != 255).flatten(1).all(1).tolist()
        assert labelled == [True] + [subset == 'ms3'] * 4
        assert not (mask == 1).any()
    model = runner.model
    inputs = model.data_preprocessor(batch, training=True)
    total, losses = model.parse_losses(model(**inputs, mode='loss'))
    assert all(loss.isfinite() for loss in losses.values())
    model.zero_grad()
    total.backward()
    gradients = [p.grad for p in model.parameters() if p.grad is not None]
    assert all(g.isfinite().all() for g in gradients)
    assert any(g.any() for g in gradients)


def test_silence_is_learnt(listening_config):
    """Trained on silence, the same frames are marked less and less."""
    config = listening_config('ms3', dict(silence=1))
    runner = Runner.from_cfg(config)
    runner.train()
    dataset = runner.train_dataloader.dataset
    batch = pseudo_collate([dataset[0], dataset[1]])
    losses = [
        runner.model.train_step(batch, runner.optim_wrapper)[
            'decode.loss_structure_prior'
        ].item()
        for _ in range(8)
    ]
    assert max(losses[-2:]) < min(losses[:2]) - 0.05
