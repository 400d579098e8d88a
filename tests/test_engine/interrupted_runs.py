"""Trainings that end in the middle, as if the process had been killed."""

from __future__ import annotations

import uuid
from pathlib import Path

import torch
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.runner import Runner

from mmavs.compat.checkpoints import load_checkpoint_safely


class Killed(BaseException):
    """Nothing of the training catches it."""


class KillHook(Hook):
    """Ends a training behind everything else of an iteration.

    Args:
        iteration: which is done when the training ends, counted from 1.
    """

    priority = 'LOWEST'

    def __init__(self, iteration: int) -> None:
        self.iteration = iteration

    def after_train_iter(self, runner, *args, **kwargs):
        """End the training, if it is time."""
        if runner.iter + 1 == self.iteration:
            raise Killed


def train(
    config: Config,
    work: Path,
    kill_at: int | None = None,
    resume: bool = False,
) -> Runner:
    """Train in a work directory, perhaps not to the end."""
    config = Config(config.to_dict())
    config.work_dir = str(work)
    config.resume = resume
    config.experiment_name = uuid.uuid4().hex
    runner = Runner.from_cfg(config)
    if kill_at is not None:
        runner.register_hook(KillHook(kill_at))
    try:
        runner.train()
    except Killed:
        assert kill_at is not None
    return runner


def differences(one: Path, other: Path) -> list[str]:
    """What differs between the training states of two checkpoints."""
    states = [load_checkpoint_safely(path) for path in (one, other)]
    found = []
    for key in (
        'state_dict',
        'ema_state_dict',
        'optimizer',
        'param_schedulers',
    ):
        values = [state.get(key) for state in states]
        if not same(*values):
            found.append(key)
    return found


def same(one, other) -> bool:
    """Whether two nested values are equal, tensors bit for bit."""
    if isinstance(one, torch.Tensor):
        # NaN equals itself here, and 0 does not equal -0.
        return (
            isinstance(other, torch.Tensor)
            and one.dtype == other.dtype
            and one.shape == other.shape
            and one.numpy().tobytes() == other.numpy().tobytes()
        )
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(
            same(one[k], other[k]) for k in one
        )
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    return one == other
