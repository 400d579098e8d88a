"""Small networks on small sets."""

from __future__ import annotations

import pytest
import torch
from mmseg.registry import MODELS


@pytest.fixture
def save_weights(tmp_path):
    """Write random weights of a config, and return their path."""

    def save(config, seed: int = 0) -> str:
        torch.manual_seed(seed)
        model = MODELS.build(config.model)
        with torch.no_grad():
            for weight in model.parameters():
                # What begins at zero lets no sound through.
                if not weight.any():
                    weight.normal_()
        path = tmp_path / f'weights{seed}.pth'
        torch.save(dict(state_dict=model.state_dict()), path)
        return str(path)

    return save
