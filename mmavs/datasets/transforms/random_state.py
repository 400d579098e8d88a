"""A snapshot of the random generators that image transforms draw from."""

import random
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor


class RandomState(NamedTuple):
    """State of the global generators of Python, NumPy and torch (CPU).

    Attributes:
        python: State of :mod:`random`.
        numpy: State of :mod:`numpy.random`'s global generator.
        torch: State of torch's default CPU generator.
    """

    python: tuple
    numpy: Any
    torch: Tensor

    @classmethod
    def capture(cls) -> 'RandomState':
        """Read the current state of the three generators."""
        return cls(
            random.getstate(), np.random.get_state(), torch.get_rng_state()
        )

    def restore(self) -> None:
        """Put the three generators back into this state."""
        random.setstate(self.python)
        np.random.set_state(self.numpy)
        torch.set_rng_state(self.torch)

    def equals(self, other: 'RandomState') -> bool:
        """Tell whether both snapshots show the same state."""
        # NumPy: name, key array, position, has_gauss, cached gaussian.
        return (
            self.python == other.python
            and self.numpy[2:] == other.numpy[2:]
            and np.array_equal(self.numpy[1], other.numpy[1])
            and torch.equal(self.torch, other.torch)
        )
