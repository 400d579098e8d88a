"""torch.compile for what the network computes."""

from __future__ import annotations

from typing import Any

import torch
from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmseg.registry import HOOKS
from torch import nn

from mmavs.engine.unwrapped_model import unwrapped_model

# Of a segmentor: from frames and labels to losses, from frames to logits.
GRAPHS = ('loss_of_labels', 'predict_clips')


@HOOKS.register_module()
class CompileHook(Hook):
    """Compiles training and prediction, each as one graph.

    mmengine's ``compile=True`` takes the whole step, samples and optimizer
    wrapper included: texts that differ in every batch make it compile every
    batch anew. This leaves them out. Checkpoints stay as they are.

    In a config::

        custom_hooks = [dict(type='CompileHook', mode='max-autotune')]

    Args:
        **options: of ``torch.compile``; none are needed.
    """

    # After hooks that copy the model, as the averaging of weights does.
    priority = 'VERY_LOW'

    def __init__(self, **options: Any) -> None:
        self.options = options

    def before_run(self, runner: Runner) -> None:
        """Put the compiled functions in place.

        Args:
            runner: the runner.
        """
        compile_graphs(unwrapped_model(runner), **self.options)

    def after_run(self, runner: Runner) -> None:
        """Take them away, so that the model can be copied and saved.

        Args:
            runner: the runner.
        """
        for name in GRAPHS:
            vars(unwrapped_model(runner)).pop(name, None)


def compile_graphs(model: nn.Module, **options: Any) -> None:
    """Compile the functions that a model's steps call.

    Args:
        model: a segmentor, changed in place.
        **options: of ``torch.compile``.

    Raises:
        TypeError: if the model has no such functions.
    """
    if not all(hasattr(model, name) for name in GRAPHS):
        raise TypeError(
            f'only an AVEncoderDecoder can be compiled, with {GRAPHS}, got '
            f'{type(model).__name__}: leave CompileHook out of custom_hooks'
        )
    for name in GRAPHS:
        setattr(model, name, torch.compile(getattr(model, name), **options))
