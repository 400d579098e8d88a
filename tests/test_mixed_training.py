"""Training on several subsets: MS3 from S4's weights, S4 and MS3 together."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.runner import Runner

from mmavs.compat.checkpoints import load_checkpoint_safely

CONFIGS = Path(__file__).resolve().parent.parent / 'configs'
FOLDERS = ('Single-source', 'Multi-sources')
# One iteration, and nothing else that takes time.
ONE_STEP = {'train_cfg.max_iters': 1, 'train_cfg.val_interval': 2}


def config_of(name: str) -> Config:
    return Config.fromfile(CONFIGS / f'{name}.py')


def changed_keys(name: str, other: str) -> set[str]:
    """Settings at the top of two configs that differ."""
    a, b = config_of(name).to_dict(), config_of(other).to_dict()
    return {key for key in a.keys() | b.keys() if a.get(key) != b.get(key)}


def state_of(path: Path) -> dict:
    return load_checkpoint_safely(path)['state_dict']


@pytest.fixture
def mixed_config(tiny_config, synthetic_root):
    """The tiny config of S4 and MS3, as small as that of MS3 in tests."""

    def make(**changes) -> Config:
        config = tiny_config('ms3', **changes)
        pipeline = config.train_dataloader.dataset.pipeline
        dataset = config_of('mmvae_tiny_s4_ms3').train_dataloader.dataset
        for part, folder in zip(dataset.datasets, FOLDERS):
            assert Path(part.data_root).name == folder
            part.data_root = str(synthetic_root / folder)
            part.pipeline = pipeline
        config.train_dataloader.dataset = dataset
        config.experiment_name = 'mixed'
        return config

    return make


# ---------------------------------------------------- MS3 from S4's weights


@pytest.mark.parametrize('backbone', ['pvt', 'r50', 'tiny'])
def test_fine_tuning_starts_from_what_s4_training_leaves(backbone):
    name = f'mmvae_{backbone}_ms3_from_s4'
    assert changed_keys(name, f'mmvae_{backbone}_ms3') == {'load_from'}
    source = f'mmvae_{backbone}_s4'
    s4 = config_of(source)
    epochs = s4.train_cfg.get('max_epochs')
    last = f'epoch_{epochs}' if epochs else f'iter_{s4.train_cfg.max_iters}'
    # Where tools/train.py writes it.
    assert config_of(name).load_from == f'work_dirs/{source}/{last}.pth'
    # The weights fit: the same model.
    assert config_of(name).model == s4.model


def test_fine_tuning(tiny_config, tmp_path):
    s4 = tiny_config('s4', work_dir=str(tmp_path / 's4'), **ONE_STEP)
    s4.experiment_name = 'from_s4_source'
    Runner.from_cfg(s4).train()
    checkpoint = tmp_path / 's4' / 'iter_1.pth'
    source = state_of(checkpoint)

    config = tiny_config('ms3', load_from=str(checkpoint), **ONE_STEP)
    config.experiment_name = 'from_s4'
    runner = Runner.from_cfg(config)
    runner.train()
    assert runner.iter == 1  # of MS3: the count of S4 does not go on
    tuned = state_of(Path(config.work_dir) / 'iter_1.pth')
    assert tuned.keys() == source.keys()
    moved = {key for key in source if not torch.equal(tuned[key], source[key])}
    assert any(key.startswith('decode_head') for key in moved)
    assert not any(key.startswith('audio_backbone') for key in moved)
    # A step of Adam moves a weight by its learning rate at most: no weight
    # was drawn anew.
    rate = config.optim_wrapper.optimizer.lr
    for name, _ in runner.model.named_parameters():
        assert (tuned[name] - source[name]).abs().max() < 2 * rate


def test_fine_tuning_without_the_weights_of_s4(tiny_config, tmp_path):
    missing = tmp_path / 'mmvae_tiny_s4' / 'iter_280.pth'
    config = tiny_config('ms3', load_from=str(missing), **ONE_STEP)
    with pytest.raises(FileNotFoundError, match=f'{missing} does not exist'):
        Runner.from_cfg(config).train()


# ------------------------------------------------------ S4 and MS3 together


def test_the_sets_of_the_mixed_configs():
    for name in ('pvt', 'tiny'):
        mixed, ms3 = f'mmvae_{name}_s4_ms3', f'mmvae_{name}_ms3'
        # One model; validated and tested on MS3, as long as S4 alone.
        differ = changed_keys(mixed, ms3) - {'train_cfg'}
        assert differ == {'train_dataloader'}
        train = config_of(mixed).train_dataloader
        alone = config_of(ms3).train_dataloader
        s4_alone = config_of(f'mmvae_{name}_s4').train_dataloader
        s4_part, ms3_part = train.dataset.datasets
        for part, dataset in (
            (s4_part, s4_alone.dataset),
            (ms3_part, alone.dataset),
        ):
            assert part == dataset
        assert train.batch_size == alone.batch_size
        assert train.sampler == alone.sampler


def test_mixed_training(mixed_config, tiny_config):
    options = {'train_dataloader.batch_size': 5, 'val_dataloader': None}
    config = mixed_config(**ONE_STEP, **options)
    config.val_cfg = config.val_evaluator = None
    runner = Runner.from_cfg(config)
    dataset = runner.train_dataloader.dataset
    s4, ms3 = dataset.datasets
    assert len(dataset) == len(s4) + len(ms3) == 10

    # An epoch has every clip of both sets, each labelled as its set is.
    seen = dict(s4=set(), ms3=set())
    batches = iter(runner.train_dataloader)
    for batch in (next(batches), next(batches)):
        for sample in batch['data_samples']:
            kind = 's4' if 'category' in sample else 'ms3'
            seen[kind].add(sample.video_id)
            labels = sample.gt_sem_seg.data
            labelled = (labels != 255).flatten(1).any(1).tolist()
            assert labelled == [True] + [kind == 'ms3'] * 4
    for kind, part in dict(s4=s4, ms3=ms3).items():
        ids = {part.get_data_info(i)['video_id'] for i in range(len(part))}
        assert seen[kind] == ids

    runner.train()
    assert runner.iter == 1
    # A step on a batch with both kinds of clips.
    batch = runner.train_dataloader.collate_fn([dataset[0], dataset[9]])
    losses = runner.model.train_step(batch, runner.optim_wrapper)
    assert losses['loss'].isfinite()

    # Scored on the other set, with the config of that one.
    checkpoint = Path(config.work_dir) / 'iter_1.pth'
    tested = tiny_config('s4', load_from=str(checkpoint))
    tested.experiment_name = 'mixed_on_s4'
    assert set(Runner.from_cfg(tested).test()) == {'mIoU', 'F'}
