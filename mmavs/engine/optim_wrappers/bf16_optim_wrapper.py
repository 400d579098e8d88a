"""Mixed precision in bfloat16 on any device."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from mmengine.optim import OptimWrapper
from mmseg.registry import OPTIM_WRAPPERS
from torch import nn


@OPTIM_WRAPPERS.register_module()
class BF16OptimWrapper(OptimWrapper):
    """Optimizer wrapper that runs the forward pass under bf16 autocast.

    mmengine's ``AmpOptimWrapper`` refuses to work without an accelerator.
    bfloat16 has the exponent range of float32, so this one needs no loss
    scaling: beyond the autocast context it *is* the plain ``OptimWrapper``,
    gradient accumulation, clipping and state dict included, and checkpoints
    of the two are interchangeable. Parameters and gradients stay float32.

    In a config::

        optim_wrapper = dict(
            type='BF16OptimWrapper',
            optimizer=dict(type='AdamW', lr=1e-4))
    """

    @contextmanager
    def optim_context(self, model: nn.Module) -> Iterator[None]:
        """Context of the forward pass of one training iteration.

        Args:
            model: The model, whose parameters tell the device. May be
                wrapped for distributed training.

        Raises:
            ValueError: If the model has no parameter.
        """
        parameter = next(model.parameters(), None)
        if parameter is None:
            raise ValueError(
                'BF16OptimWrapper needs a model with at least one parameter '
                f'to find its device, {type(model).__name__} has none'
            )
        with (
            super().optim_context(model),
            torch.autocast(parameter.device.type, dtype=torch.bfloat16),
        ):
            yield
