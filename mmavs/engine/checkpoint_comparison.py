"""Whether two trainings have ended in the same state."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from torch import Tensor

from mmavs.compat.checkpoints import load_checkpoint_safely

# What a training is made of; the rest of a checkpoint tells when and how.
PARTS = ('state_dict', 'ema_state_dict', 'optimizer', 'param_schedulers')


def differing_parts(one: Path, other: Path) -> list[str]:
    """Which parts of two checkpoints differ in any bit.

    Args:
        one: A checkpoint of mmengine.
        other: Another one.

    Returns:
        Names of ``PARTS``.
    """
    a, b = load_checkpoint_safely(one), load_checkpoint_safely(other)
    return [part for part in PARTS if not is_same(a.get(part), b.get(part))]


def is_same(one: Any, other: Any) -> bool:
    """Whether two nested values are equal, tensors bit for bit.

    Args:
        one: Tensors on the CPU and plain values, nested.
        other: The same.
    """
    if isinstance(one, Tensor) or isinstance(other, Tensor):
        # As bytes NaN equals itself, and 0 does not equal -0.
        return (
            isinstance(one, Tensor)
            and isinstance(other, Tensor)
            and one.dtype == other.dtype
            and one.shape == other.shape
            and one.detach().numpy().tobytes()
            == other.detach().numpy().tobytes()
        )
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(
            is_same(one[key], other[key]) for key in one
        )
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(map(is_same, one, other))
    return bool(one == other)
