"""Trainings that end in the middle, as if the process had been killed."""

from __future__ import annotations

import uuid
from pathlib import Path

from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.runner import Runner

from mmavs.engine.checkpoint_comparison import (
    differing_parts as differences,
)
from mmavs.engine.checkpoint_comparison import is_same as same

__all__ = ['KillHook', 'Killed', 'differences', 'same', 'train']


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
