"""Compiled trainings and tests under mmengine's runner.

The eager backend needs no compiler: what is tested is what goes into a graph.
"""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from mmengine.hooks import EMAHook
from mmengine.runner import Runner

from mmavs.compat.checkpoints import load_checkpoint_safely
from mmavs.engine.hooks import CompileHook

HOOK = dict(type='CompileHook', backend='eager', fullgraph=True)


@pytest.fixture(autouse=True)
def _forget_graphs():
    torch.compiler.reset()
    yield
    torch.compiler.reset()


def state(path: Path) -> dict:
    return load_checkpoint_safely(path)['state_dict']


def test_a_training_and_a_test(tiny_config, tmp_path):
    """Whole graphs, few of them, and the weights of a plain training."""
    states, scores = [], []
    for name, hooks in (('plain', []), ('compiled', [HOOK])):
        config = tiny_config('s4', work_dir=str(tmp_path / name))
        # The last batch is smaller, and later ones have other clips.
        config.train_cfg.max_iters = 4
        config.train_cfg.val_interval = 4
        config.default_hooks.checkpoint.interval = 4
        config.custom_hooks = hooks
        config.experiment_name = name
        torch._dynamo.utils.counters.clear()
        runner = Runner.from_cfg(config)
        runner.train()
        states.append(state(tmp_path / name / 'iter_4.pth'))
        scores.append(runner.test())
    graphs = torch._dynamo.utils.counters['stats']['unique_graphs']
    # Training and prediction, each once more for another number of clips.
    assert 2 <= graphs <= 4
    plain, compiled = states
    assert plain.keys() == compiled.keys()
    for name, value in plain.items():
        torch.testing.assert_close(compiled[name], value)
    assert scores[0] == pytest.approx(scores[1], abs=1e-5)
    # It can be copied and saved as before.
    assert not {'loss_of_labels', 'predict_clips'} & vars(runner.model).keys()


def test_it_comes_after_the_averaging_of_weights(tiny_config):
    config = tiny_config('s4')
    config.custom_hooks = [HOOK, dict(type='EMAHook')]
    runner = Runner.from_cfg(config)
    kinds = [type(hook) for hook in runner.hooks]
    assert kinds.index(EMAHook) < kinds.index(CompileHook)


def test_another_model_is_refused(tiny_config):
    runner = Runner.from_cfg(tiny_config('s4'))
    runner.model = torch.nn.Linear(1, 1)
    with pytest.raises(TypeError, match='AVEncoderDecoder.*got Linear'):
        CompileHook().before_run(runner)
