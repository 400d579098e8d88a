"""How long the parts of one step of a model take."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import wraps
from typing import Any

import torch
from mmengine.optim import OptimWrapper
from torch import nn

# In the order of the pipeline. What is in none of them is the rest.
PARTS = (
    'preprocess',
    'audio backbone',
    'visual backbone',
    'neck',
    'fusion',
    'decoder',
    'losses',
    'postprocess',
    'backward',
    'optimiser',
)


class PartClock:
    """Adds up the time that parts of a model take.

    Args:
        device: it is waited for at both ends of a part, so that the sum of
            the parts is the whole. This costs a GPU some of its speed.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self.seconds: dict[str, float] = {}

    def read(self) -> dict[str, float]:
        """Seconds of every part since the last time."""
        seconds, self.seconds = self.seconds, {}
        return seconds

    def watch_model(self, model: nn.Module) -> None:
        """Watch the parts of an ``AVEncoderDecoder``."""
        head = model.decode_head
        for name, modules in {
            'preprocess': [model.data_preprocessor],
            'audio backbone': [model.audio_backbone],
            'visual backbone': [model.backbone],
            'neck': [model.neck],
            'fusion': head.fusion,
            'decoder': [
                getattr(head, 'prior_decoder', None),
                getattr(head, 'posterior_decoder', None),
            ],
        }.items():
            for module in modules:
                if module is not None:
                    module.forward = self._timed(name, module.forward)
        # Fusion and decoder are parts of it.
        head.loss = self._timed('losses', head.loss)
        model.postprocess_clips = self._timed(
            'postprocess', model.postprocess_clips
        )

    def watch_optimiser(self, optimiser: OptimWrapper) -> None:
        """Watch the backward pass and the step of the optimiser."""
        optimiser.backward = self._timed('backward', optimiser.backward)
        for name in ('step', 'zero_grad'):
            method = getattr(optimiser, name)
            setattr(optimiser, name, self._timed('optimiser', method))

    def _timed(self, name: str, call: Callable) -> Callable:
        """The same call; the time of a part in another is its own."""

        @wraps(call)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            start, before = self._now(), sum(self.seconds.values())
            result = call(*args, **kwargs)
            inner = sum(self.seconds.values()) - before
            spent = self._now() - start - inner
            self.seconds[name] = self.seconds.get(name, 0.0) + spent
            return result

        return wrapper

    def _now(self) -> float:
        return synchronised(self._device)


def synchronised(device: torch.device) -> float:
    """Seconds, when all is done that was asked of a device."""
    if device.type == 'cuda':
        torch.cuda.synchronize(device)
    return time.perf_counter()
