"""Every config is well-formed, short, and builds."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmseg.registry import DATASETS, MODELS

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = ('.', 'backbones', 'ablations')
CONFIGS = sorted(
    path
    for folder in FOLDERS
    for path in (ROOT / 'configs' / folder).glob('*.py')
)
SEGMENTATION = [c for c in CONFIGS if c.stem.startswith('mmvae')]


def names(paths):
    """Paths below configs, without the suffix."""
    return [
        path.relative_to(ROOT / 'configs').with_suffix('').as_posix()
        for path in paths
    ]


def without_weights(model: dict) -> dict:
    model = model.copy()
    model.backbone.init_cfg = None
    if 'pretrained' in model.backbone:  # of timm
        model.backbone.pretrained = False
    model.audio_backbone.init_cfg = None
    return model


def test_the_published_and_the_tiny_configs_are_there():
    assert set(names(SEGMENTATION)) >= {
        f'mmvae_{backbone}_{subset}'
        for backbone in ('pvt', 'r50', 'tiny')
        for subset in ('s4', 'ms3', 'avss')
    }


@pytest.mark.parametrize('path', SEGMENTATION, ids=names(SEGMENTATION))
def test_configs_are_short(path):
    assert len(path.read_text().splitlines()) <= 15


@pytest.mark.parametrize('path', SEGMENTATION, ids=names(SEGMENTATION))
def test_config_builds_and_gives_logits_at_input_size(path):
    config = Config.fromfile(path)
    # VGGish of full width has 72 M parameters that this test has no use for.
    config.model.audio_backbone.width = 0.05
    model = MODELS.build(without_weights(config.model)).eval()
    batch = dict(
        inputs=dict(
            frames=[torch.zeros(3, 3, 64, 96, dtype=torch.uint8)],
            log_mel=[torch.zeros(3, 1, 96, 64)],
        )
    )
    with torch.no_grad():
        logits = model(**model.data_preprocessor(batch), mode='tensor')
    channels = config.model.decode_head.get('out_channels', 1)
    assert logits.shape == (3, channels, 64, 96)
    assert model.backbone is not None
    assert model.audio_backbone is not None
    assert model.neck is not None
    assert model.decode_head is not None


@pytest.mark.parametrize('path', CONFIGS, ids=names(CONFIGS))
def test_datasets_build_lazily(path):
    config = Config.fromfile(path)
    for loader in ('train', 'val', 'test'):
        if f'{loader}_dataloader' in config:
            dataset = config[f'{loader}_dataloader'].dataset
            inner = dict(dataset.get('dataset', dataset), lazy_init=True)
            if 'datasets' in inner:
                inner['datasets'] = [
                    dict(part, lazy_init=True) for part in inner['datasets']
                ]
            DATASETS.build(inner)


@pytest.mark.parametrize('subset, epochs', [('s4', 15), ('ms3', 30)])
@pytest.mark.parametrize('backbone', ['pvt', 'r50'])
def test_published_recipe(backbone, subset, epochs):
    config = Config.fromfile(ROOT / f'configs/mmvae_{backbone}_{subset}.py')
    assert config.train_cfg.max_epochs == epochs
    assert config.optim_wrapper.optimizer == dict(type='Adam', lr=1e-4)
    assert config.param_scheduler == []
    assert config.train_dataloader.batch_size == 4
    assert config.randomness.seed == 1234
    clip, *rest = config.train_dataloader.dataset.pipeline
    steps = {step.type: step for step in clip.transforms}
    assert steps['Resize'].scale == (224, 224)
    assert steps['RandomFlip'].prob == 0.3
    head = config.model.decode_head
    assert not head.loss_decode.weighted_bce
    assert {k: v.loss_weight for k, v in head.divergences.items()} == dict(
        visual_specific=0.01, audio_specific=0.01, shared=0.01
    )
    assert config.model.audio_backbone.frozen
