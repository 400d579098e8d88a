"""``sync_bn`` of a config, as far as it goes without several GPUs."""

from __future__ import annotations

import copy

import pytest
import torch
from mmengine.model import revert_sync_batchnorm
from mmengine.model.utils import convert_sync_batchnorm
from small_model import build_model, make_batch, make_masks, make_samples
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from mmavs.models.decode_heads.running_statistics import (
    kept_running_statistics,
)


def norms(model):
    return [m for m in model.modules() if isinstance(m, _BatchNorm)]


@pytest.fixture(scope='module')
def models():
    """A model and what the runner makes of it for ``sync_bn='torch'``."""
    model = build_model()
    return model, convert_sync_batchnorm(copy.deepcopy(model), 'torch')


def test_every_batch_norm_is_converted(models):
    model, converted = models
    assert len(norms(converted)) == len(norms(model)) > 20
    assert all(isinstance(m, nn.SyncBatchNorm) for m in norms(converted))
    assert converted.state_dict().keys() == model.state_dict().keys()
    reverted = revert_sync_batchnorm(copy.deepcopy(converted))
    assert not any(isinstance(m, nn.SyncBatchNorm) for m in norms(reverted))


def test_one_process_trains_and_predicts_the_same(models):
    """Also what the two paths note of what passes through them."""
    batch = make_batch()
    samples = make_samples(make_masks(batch, labelled=[0, 3]))
    losses, states = [], []
    for model in map(copy.deepcopy, models):
        torch.manual_seed(0)
        losses.append(model.train()(batch, samples, mode='loss'))
        states.append(model.state_dict())
    for values in (losses, states):
        assert values[0].keys() == values[1].keys()
        for name, value in values[0].items():
            assert torch.equal(value, values[1][name]), name


def test_statistics_can_be_kept(models):
    norm = norms(models[1])[0]
    before = norm.running_mean.clone()
    x = torch.randn(4, norm.num_features, 3, 3)
    norm.train()
    with kept_running_statistics([norm]):
        norm(x)
    assert torch.equal(norm.running_mean, before)
    norm(x)
    assert not torch.equal(norm.running_mean, before)
