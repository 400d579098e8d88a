"""The tiny semantic config under mmengine's real Runner, on files."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.runner import Runner
from PIL import Image

from mmavs.datasets.synthetic import write_synthetic_avsbench

ROOT = Path(__file__).resolve().parents[2]
SIZE = (64, 64)


@pytest.fixture(scope='module')
def data_root(tmp_path_factory):
    """Clips of all three subsets, of 5 and of 10 frames."""
    root = tmp_path_factory.mktemp('synthetic')
    folder, _ = write_synthetic_avsbench(
        root, 'avss', dict(train=6, val=12, test=0), seed=3
    )
    return Path(folder)


@pytest.fixture
def make_runner(data_root, tmp_path):
    """Two iterations of two clips, then validation; random weights."""

    def make(**changes) -> Runner:
        config = Config.fromfile(ROOT / 'configs/mmvae_tiny_avss.py')
        model = config.model
        model.audio_backbone.update(init_cfg=None, width=0.05)
        model.backbone.base_channels = 8
        model.neck.in_channels = (8, 16, 32, 64)
        # There is no test split: that of validation takes its place.
        config.test_dataloader.dataset.split = 'val'
        for name in ('train', 'val', 'test'):
            loader = config[f'{name}_dataloader']
            loader.update(
                batch_size=2, num_workers=0, persistent_workers=False
            )
            loader.dataset.data_root = str(data_root)
            for step in loader.dataset.pipeline[0].transforms:
                if step.type == 'Resize':
                    step.scale = SIZE
        config.train_cfg.update(max_iters=2, val_interval=2)
        config.param_scheduler = []
        config.default_hooks.checkpoint.interval = 2
        config.work_dir = str(tmp_path / 'work')
        config.experiment_name = config.visualizer.name = str(tmp_path)
        config.merge_from_dict(changes)
        return Runner.from_cfg(config)

    return make


def test_train_validate_and_checkpoint(make_runner, tmp_path):
    runner = make_runner()
    runner.train()
    assert list((tmp_path / 'work').glob('best_mIoU_iter_2.pth'))
    scores = {
        key.removeprefix('val/'): value.current()
        for key, value in runner.message_hub.log_scalars.items()
        if key.startswith('val/')
    }
    for name in ('mIoU', 'F', 'mIoU_foreground', 'mIoU_dataset'):
        assert 0 <= scores[name] <= 1
    logged = {
        key.removeprefix('train/decode.')
        for key in runner.message_hub.log_scalars
    }
    assert {'loss_ce_prior', 'loss_ce_posterior', 'loss_matching'} <= logged


def test_test_with_masks_and_sheets(make_runner, tmp_path):
    """Clips of both lengths, files larger than what is scored."""
    out, work = tmp_path / 'out', tmp_path / 'work'
    runner = make_runner(
        **{
            'test_evaluator.output_dir': str(out),
            'default_hooks.visualization.draw': True,
            'default_hooks.visualization.interval': 3,
        }
    )
    # An untrained head that finds something.
    head = runner.model.decode_head.prior_decoder.head[-1]
    torch.nn.init.normal_(head.weight)
    metrics = runner.test()
    assert 0 < metrics['mIoU'] < 1
    dataset = runner.test_dataloader.dataset
    lengths = set()
    for i in range(len(dataset)):
        info = dataset.get_data_info(i)
        lengths.add(info['num_frames'])
        masks = sorted((out / info['video_id']).glob('*.png'))
        assert len(masks) == info['num_frames']
        with Image.open(masks[0]) as image:
            assert image.mode == 'P' and image.size == SIZE[::-1]
            assert np.asarray(image).max() < 9
    assert lengths == {5, 10}
    # Six batches of two clips, of which the third and the sixth are drawn.
    sheets = list(work.rglob('test_*.png'))
    assert len(sheets) == 4
    frame = cv2.imread(dataset.get_data_info(0)['img_paths'][0])
    assert frame.shape[:2] != SIZE
    assert all(cv2.imread(str(path)).std() > 10 for path in sheets)
