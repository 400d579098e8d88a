"""The model of a config, without the weights of its backbones."""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping

import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmseg.registry import MODELS
from torch import nn


def build_on_meta(
    config: str | os.PathLike[str], options: Mapping | None = None
) -> nn.Module:
    """Build the model of a config on the meta device, in evaluation mode.

    It has names and shapes, but no memory: enough to check weights against
    it, and ``load_state_dict(..., assign=True)`` turns it into a real one.

    Args:
        config: path of the config.
        options: as ``--cfg-options``.
    """
    cfg = Config.fromfile(config)
    cfg.merge_from_dict(dict(options or {}))
    cfg.model.backbone.init_cfg = None
    cfg.model.audio_backbone.init_cfg = None
    init_default_scope(cfg.get('default_scope', 'mmseg'))
    with torch.device('meta'), warnings.catch_warnings():
        # The stack deprecates things of its own while it builds.
        warnings.simplefilter('ignore', UserWarning)
        return MODELS.build(cfg.model).eval()


def shapes_of(module: nn.Module) -> dict[str, torch.Size]:
    """Name and shape of each tensor of a module's state dict."""
    return {name: value.shape for name, value in module.state_dict().items()}
