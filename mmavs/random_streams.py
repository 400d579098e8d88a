"""Random numbers that follow from what they are for.

The state of a generator tells how a run got where it is: a resumed run, or
one with another number of worker processes, has got there another way. A seed
made of the run's seed and of what is drawn for (this iteration, this clip) is
the same however one got there, so no state has to be saved.
"""

from __future__ import annotations

import hashlib
import random

import numpy as np
import torch


def stream_seed(*key: int | str) -> int:
    """Seed of what a key stands for.

    Args:
        *key: The seed of the run and what the numbers are for.

    Returns:
        int: 64 bits that any other key has with no more than chance.
    """
    digest = hashlib.blake2b(repr(key).encode(), digest_size=8).digest()
    return int.from_bytes(digest, 'little')


def seed_generators(seed: int) -> None:
    """Seed the global generators of Python, NumPy and torch (CPU).

    Args:
        seed: At most 64 bits.
    """
    random.seed(seed)
    np.random.seed((seed >> 32, seed & 0xFFFFFFFF))
    # torch.manual_seed would also seed accelerators, which a process that
    # loads data must not touch, and note a stack trace where there is none.
    torch.default_generator.manual_seed(seed)


def seed_device_generator(device: str, seed: int) -> None:
    """Seed the generator of the accelerator in use, if there is one.

    Args:
        device: Its kind, as :func:`mmengine.device.get_device` tells it.
        seed: At most 64 bits.
    """
    if device == 'cuda':
        torch.cuda.manual_seed(seed)
    elif device != 'cpu':
        torch.manual_seed(seed)
