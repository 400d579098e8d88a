"""Batch norms that several paths share, with the statistics of one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm


@contextmanager
def kept_running_statistics(modules: Iterable[nn.Module]) -> Iterator[None]:
    """Let batch norms train without noting what passes through them.

    In training mode a batch is still normalised by its own statistics; those
    used at prediction stay as they are.

    Args:
        modules: whose batch norms, at any depth.
    """
    norms = [
        norm
        for module in modules
        for norm in module.modules()
        if isinstance(norm, _BatchNorm) and norm.track_running_stats
    ]
    for norm in norms:
        norm.track_running_stats = False
    try:
        yield
    finally:
        for norm in norms:
            norm.track_running_stats = True
