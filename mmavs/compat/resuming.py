"""Shim 4: resuming without running the config in the checkpoint.

Where a checkpoint has a text at ``meta.config``, mmengine runs it as the
Python program that a config is, to compare ``gpu_ids``, a setting of its
forerunner. Its own checkpoints have none there, so this is of use only to who
wants to run code by a file of weights. With this shim its runners do not see
the text; in the file it stays.
"""

import functools
from collections.abc import Callable
from typing import Any

from mmengine.runner import FlexibleRunner, Runner


def _ignore_config(
    resume: Callable[..., None], find_loader: Callable[[Any], tuple[Any, str]]
) -> Callable[..., None]:
    """Wrap a runner's ``resume``.

    Args:
        resume: the method.
        find_loader: of a runner, the object and the name of the method that
            gives ``resume`` the content of the checkpoint.
    """

    @functools.wraps(resume)
    def wrapper(self, *args: Any, **kwargs: Any) -> None:
        owner, name = find_loader(self)
        load = getattr(owner, name)

        def load_without_config(*args: Any, **kwargs: Any) -> Any:
            checkpoint = load(*args, **kwargs)
            checkpoint['meta'].pop('config', None)
            return checkpoint

        setattr(owner, name, load_without_config)
        try:
            resume(self, *args, **kwargs)
        finally:
            delattr(owner, name)

    wrapper.ignores_config = True  # type: ignore[attr-defined]
    return wrapper


def ignore_configs_of_checkpoints() -> None:
    """Let mmengine's runners resume without running code of a checkpoint.

    Calling it again changes nothing.
    """
    if not hasattr(Runner.resume, 'ignores_config'):
        Runner.resume = _ignore_config(
            Runner.resume, lambda runner: (runner, 'load_checkpoint')
        )
    if not hasattr(FlexibleRunner.resume, 'ignores_config'):
        FlexibleRunner.resume = _ignore_config(
            FlexibleRunner.resume, lambda runner: (runner.strategy, 'resume')
        )
