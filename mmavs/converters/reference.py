"""Weights and inputs that every machine makes alike.

The golden numbers of the published network were computed with weights that
depend on the name and the shape of each tensor alone, so that a list of names
is all that is stored of them.
"""

from __future__ import annotations

import gzip
import json
import os
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor


def read_shapes(path: str | os.PathLike[str]) -> dict[str, list[int]]:
    """Name to shape from a JSON file, gzipped if it ends with ``.gz``."""
    path = Path(path)
    content = path.read_bytes()
    if path.suffix == '.gz':
        content = gzip.decompress(content)
    return json.loads(content)


def make_weights(shapes: Mapping[str, Sequence[int]]) -> dict[str, Tensor]:
    """Reference weights of a mapping of name to shape.

    Each tensor is drawn from NumPy's legacy generator, whose seed is the
    CRC-32 of the name, and scaled by its role.
    """
    return {key: _make_tensor(key, tuple(s)) for key, s in shapes.items()}


def _make_tensor(key: str, shape: tuple[int, ...]) -> Tensor:
    if key.endswith('num_batches_tracked'):
        return torch.zeros(shape, dtype=torch.int64)
    seed = zlib.crc32(key.encode()) & 0x7FFFFFFF
    normal = np.random.RandomState(seed).standard_normal(shape)
    noise = torch.from_numpy(np.asarray(normal, dtype=np.float32))
    if key.endswith('running_var'):
        return 1 + 0.1 * noise.abs()
    if key.endswith('running_mean'):
        return 0.1 * noise
    if len(shape) > 1:
        fan_in = int(np.prod(shape[1:]))
        return noise / np.sqrt(fan_in).astype(np.float32)
    if key.endswith('weight'):
        return 1 + 0.1 * noise
    return 0.05 * noise


def make_clip(
    num_frames: int = 5, seed: int = 0, size: tuple[int, int] = (224, 224)
) -> tuple[Tensor, Tensor, Tensor]:
    """Reference inputs of one clip, already normalised.

    Args:
        num_frames: T.
        seed: of the noise.
        size: (H, W), multiples of 32.

    Raises:
        ValueError: if the size is none.

    Shapes:
        - returns: frames (T, 3, H, W), audio embedding (T, 128) and masks
          (T, H, W) of 0 and 1.
    """
    height, width = size
    if min(size) < 32 or height % 32 or width % 32:
        raise ValueError(f'size must be multiples of 32, got {size}')
    rng = np.random.RandomState(seed)

    def normal(*shape: int) -> Tensor:
        noise = rng.standard_normal(shape).astype(np.float32)
        return torch.from_numpy(noise)

    frames = normal(num_frames, 3, height, width)
    audio = normal(num_frames, 128).abs()
    coarse = rng.rand(num_frames, 1, height // 32, width // 32) > 0.5
    masks = F.interpolate(torch.from_numpy(coarse).float(), scale_factor=32)
    return frames, audio, masks[:, 0].long()
