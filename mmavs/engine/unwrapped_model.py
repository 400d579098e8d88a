"""The model of a run, without what wraps it for several processes."""

from mmengine.model import is_model_wrapper
from mmengine.runner import Runner
from torch import nn


def unwrapped_model(runner: Runner) -> nn.Module:
    """The model that the config describes.

    Args:
        runner: The runner.
    """
    model = runner.model
    return model.module if is_model_wrapper(model) else model
