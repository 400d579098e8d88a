"""Latent terms that come in slowly."""

from types import SimpleNamespace

import pytest
import torch
from mmengine.model import BaseModel, is_model_wrapper
from mmengine.registry import MODEL_WRAPPERS
from mmengine.runner import Runner
from mmseg.registry import HOOKS
from torch import nn


def build(**kwargs):
    return HOOKS.build(dict(type='LatentWarmupHook', **kwargs))


class WarmedHead(nn.Module):
    """A decode head that says which factors it was trained with."""

    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(1, 1)
        self.latent_warmup = 1.0
        self.seen = []


class TinyModel(BaseModel):
    """One weight, and a decode head with latents."""

    def __init__(self):
        super().__init__()
        self.decode_head = WarmedHead()

    def forward(self, x, mode='tensor'):
        head = self.decode_head
        head.seen.append(head.latent_warmup)
        value = head.linear(torch.ones(1, 1)).square().sum()
        return dict(loss=head.latent_warmup * value)


class Wrapper(nn.Module):
    """What distributed training puts around a model."""

    def __init__(self, module):
        super().__init__()
        self.module = module


@pytest.fixture
def wrapper():
    """A registered wrapper, so that mmengine takes it for one."""
    MODEL_WRAPPERS.register_module(module=Wrapper)
    yield Wrapper
    MODEL_WRAPPERS.module_dict.pop('Wrapper')


def factor_at(hook, iteration, model=None):
    model = model or TinyModel()
    hook.before_train_iter(SimpleNamespace(model=model, iter=iteration), 0)
    return model.decode_head.latent_warmup


@pytest.mark.parametrize(
    ('start_factor', 'iteration', 'expected'),
    [
        (0.0, 0, 0.0),
        (0.0, 25, 0.25),
        (0.0, 100, 1.0),
        (0.0, 5000, 1.0),
        (0.2, 0, 0.2),
        (0.2, 50, 0.6),
        (0.2, 101, 1.0),
        (1.0, 0, 1.0),
    ],
)
def test_factor_by_hand(start_factor, iteration, expected):
    hook = build(num_iters=100, start_factor=start_factor)
    assert factor_at(hook, iteration) == pytest.approx(expected)


def test_one_iteration_of_warmup():
    """Zero once, then the full weight."""
    hook = build(num_iters=1)
    assert [factor_at(hook, i) for i in range(3)] == [0, 1, 1]


def test_the_model_in_a_wrapper(wrapper):
    model = TinyModel()
    wrapped = wrapper(model)
    assert is_model_wrapper(wrapped)
    runner = SimpleNamespace(model=wrapped, iter=3)
    build(num_iters=10).before_train_iter(runner, 0)
    assert model.decode_head.latent_warmup == pytest.approx(0.3)


@pytest.mark.parametrize('num_iters', [0, -5])
def test_number_of_iterations_is_checked(num_iters):
    with pytest.raises(ValueError, match=f'num_iters .* got {num_iters}'):
        build(num_iters=num_iters)


@pytest.mark.parametrize('start_factor', [-0.1, 1.1, float('nan')])
def test_start_factor_is_checked(start_factor):
    with pytest.raises(ValueError, match=f'start_factor .* {start_factor}'):
        build(num_iters=10, start_factor=start_factor)


def test_a_head_without_latents_is_named():
    model = TinyModel()
    model.decode_head = nn.Linear(1, 1)
    with pytest.raises(TypeError, match='TinyModel is Linear.*custom_hooks'):
        factor_at(build(num_iters=10), 0, model)
    del model.decode_head
    with pytest.raises(TypeError, match='VAEDecodeHead.*NoneType'):
        factor_at(build(num_iters=10), 0, model)


def run(work_dir, max_epochs, resume=False):
    """Train the tiny model on epochs of three iterations."""
    runner = Runner(
        model=TinyModel(),
        work_dir=str(work_dir),
        train_dataloader=dict(
            dataset=[0] * 3,
            sampler=dict(type='DefaultSampler', shuffle=False),
            batch_size=1,
            collate_fn=dict(type='pseudo_collate'),
        ),
        train_cfg=dict(by_epoch=True, max_epochs=max_epochs),
        optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.1)),
        custom_hooks=[dict(type='LatentWarmupHook', num_iters=8)],
        resume=resume,
        experiment_name=f'warmup_{max_epochs}',
        default_scope='mmseg',
    )
    runner.train()
    return runner.model.decode_head.seen


def test_a_run_and_its_resumption(tmp_path):
    """Iterations are counted over the epochs and across a restart."""
    expected = [i / 8 for i in range(8)] + [1.0]
    assert run(tmp_path, 2) == pytest.approx(expected[:6])
    assert run(tmp_path, 3, resume=True) == pytest.approx(expected[6:])
