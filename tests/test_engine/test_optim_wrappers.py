"""BF16OptimWrapper: bf16 activations, float32 parameters."""

from contextlib import contextmanager

import pytest
import torch
from mmengine.optim import OptimWrapper
from mmseg.registry import OPTIM_WRAPPERS
from torch import nn

from mmavs.engine import BF16OptimWrapper


def _model():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 1))


def _wrapper(model, kind=BF16OptimWrapper, **kwargs):
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
    return kind(optimizer=optimizer, **kwargs)


def _step(model, wrapper, x):
    with wrapper.optim_context(model):
        loss = model(x).square().mean()
    wrapper.update_params(loss)


def test_it_is_registered_under_its_name():
    assert OPTIM_WRAPPERS.get('BF16OptimWrapper') is BF16OptimWrapper


def test_activations_are_bf16_and_parameters_float32():
    model = _model()
    wrapper = _wrapper(model)
    seen = []
    model[0].register_forward_hook(lambda m, i, out: seen.append(out.dtype))

    _step(model, wrapper, torch.randn(4, 8))
    assert seen == [torch.bfloat16]
    assert {p.dtype for p in model.parameters()} == {torch.float32}
    states = wrapper.optimizer.state.values()
    assert {s['exp_avg'].dtype for s in states} == {torch.float32}
    # Nothing leaks out of the context.
    assert model(torch.randn(4, 8)).dtype == torch.float32


def test_the_step_is_that_of_float32_up_to_rounding():
    x = torch.randn(4, 8)
    grads = []
    for kind in (OptimWrapper, BF16OptimWrapper):
        model = _model()
        wrapper = _wrapper(model, kind)
        with wrapper.optim_context(model):
            loss = model(x).square().mean()
        wrapper.backward(loss)
        grads.append(torch.cat([p.grad.flatten() for p in model.parameters()]))
    # bf16 has 8 bits of mantissa: 2^-8 = 0.4 % an operation.
    assert torch.allclose(grads[0], grads[1], atol=0.03 * grads[0].abs().max())
    assert not torch.equal(grads[0], grads[1])


def test_gradients_accumulate():
    model = _model()
    wrapper = _wrapper(model, accumulative_counts=2)
    wrapper.initialize_count_status(model, 0, 4)
    start = model[0].weight.detach().clone()
    x = torch.randn(4, 8)
    _step(model, wrapper, x)
    assert torch.equal(model[0].weight, start)
    _step(model, wrapper, x)
    assert not torch.equal(model[0].weight, start)


def test_synchronisation_is_blocked_while_accumulating():
    class Wrapped(nn.Sequential):
        blocked = 0

        @contextmanager
        def no_sync(self):
            self.blocked += 1
            yield

    model = Wrapped(*_model())
    wrapper = _wrapper(model, accumulative_counts=2)
    wrapper.initialize_count_status(model, 0, 4)
    for _ in range(4):
        _step(model, wrapper, torch.randn(4, 8))
    assert model.blocked == 2


def test_checkpoints_are_those_of_the_plain_wrapper():
    model = _model()
    wrapper = _wrapper(model)
    _step(model, wrapper, torch.randn(4, 8))
    state = wrapper.state_dict()
    plain = _wrapper(_model(), OptimWrapper)
    plain.load_state_dict(state)
    assert plain.state_dict().keys() == state.keys()
    assert 'loss_scaler' not in state


def test_a_model_without_parameters_is_named():
    wrapper = _wrapper(_model())
    with (
        pytest.raises(ValueError, match='Identity has none'),
        wrapper.optim_context(nn.Identity()),
    ):
        pass
