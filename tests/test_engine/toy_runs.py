"""Trainings of a model so small that a run takes a fraction of a second.

They have all that a real one has: hooks of default_runtime.py, batch norm,
noise, augmentation, an optimiser with a state, validation.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from mmengine.config import Config
from mmengine.dataset import BaseDataset
from mmengine.evaluator import BaseMetric
from mmengine.model import BaseModel
from mmengine.structures import BaseDataElement
from mmseg.registry import DATASETS, METRICS, MODELS, TRANSFORMS

from mmavs.datasets import DataError

ROOT = Path(__file__).resolve().parents[2]
CLIPS = 12


@DATASETS.register_module(force=True)
class ToyClips(BaseDataset):
    """Twelve clips by number."""

    def __init__(self, **kwargs):
        super().__init__(serialize_data=False, **kwargs)

    def load_data_list(self):
        return [dict(video_id=f'clip{i}', number=i) for i in range(CLIPS)]


@TRANSFORMS.register_module(force=True)
class ToyLoad:
    """Makes four numbers of a clip, with noise.

    Args:
        torn: numbers of the clips that cannot be read.
        nan: numbers of the clips that hold NaN.
    """

    def __init__(self, torn=(), nan=()):
        self.torn, self.nan = torn, nan

    def __call__(self, results):
        number = results['number']
        if number in self.torn:
            raise DataError(f'file{number}.wav is torn')
        values = np.full(4, float(number)) + np.random.rand(4)
        if number in self.nan:
            values[0] = np.nan
        sample = BaseDataElement(metainfo=dict(video_id=results['video_id']))
        return dict(
            inputs=torch.tensor(values, dtype=torch.float32),
            data_samples=sample,
        )


@MODELS.register_module(force=True)
class ToyModel(BaseModel):
    """A line of four slopes behind a batch norm, trained with noise.

    Args:
        bad_gradient_at: iteration whose gradient is NaN, the loss is not.
    """

    def __init__(self, bad_gradient_at=None):
        super().__init__()
        self.norm = torch.nn.BatchNorm1d(4)
        self.line = torch.nn.Linear(4, 1)
        self.bad_gradient_at = bad_gradient_at

    def forward(self, inputs, data_samples=None, mode='tensor'):
        values = torch.stack(inputs)
        if mode == 'predict':
            return data_samples
        out = self.line(self.norm(values) + torch.randn(4))
        losses = dict(
            loss_line=out.square().mean(),
            loss_size=self.line.weight.square().mean(),
        )
        if self.norm.num_batches_tracked == self.bad_gradient_at:
            # Its slope at 0 is infinite, times 0.
            losses['loss_root'] = (self.line.weight * 0).sqrt().sum()
        return losses


@METRICS.register_module(force=True)
class ToyMetric(BaseMetric):
    """Grows from validation to validation, with the iterations."""

    def process(self, data_batch, data_samples):
        self.results.append(1)

    def compute_metrics(self, results):
        from mmengine.logging import MessageHub

        iters = MessageHub.get_current_instance().get_info('iter')
        return dict(mIoU=iters / 100)


def toy_config(**changes) -> Config:
    """Six iterations of three clips, saved every two, validated every three.

    Args:
        **changes: to be merged.
    """
    runtime = Config.fromfile(ROOT / 'configs/_base_/default_runtime.py')
    hooks = runtime.default_hooks.to_dict()
    del hooks['visualization']
    hooks['checkpoint'].update(by_epoch=False, interval=2)
    hooks['logger'].update(interval=1)
    loader = dict(
        batch_size=3,
        num_workers=0,
        sampler=dict(type='InfiniteSampler', shuffle=True),
        dataset=dict(type='ToyClips', pipeline=[dict(type='ToyLoad')]),
    )
    config = Config(
        dict(
            default_scope='mmseg',
            model=dict(type='ToyModel'),
            train_dataloader=loader,
            train_cfg=dict(
                type='ExactIterBasedTrainLoop', max_iters=6, val_interval=3
            ),
            val_dataloader=dict(
                loader, sampler=dict(type='DefaultSampler', shuffle=False)
            ),
            val_cfg=dict(type='ValLoop'),
            val_evaluator=dict(type='ToyMetric'),
            optim_wrapper=dict(
                type='OptimWrapper', optimizer=dict(type='Adam', lr=0.1)
            ),
            param_scheduler=[dict(type='StepLR', step_size=2, by_epoch=False)],
            default_hooks=hooks,
            randomness=dict(seed=3),
            log_processor=dict(by_epoch=False),
        )
    )
    config.merge_from_dict(changes)
    return config
