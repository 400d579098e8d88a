"""Random numbers that belong to one stream of predictions."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch


class Draws:
    """The state of torch's generators, kept apart for one recording.

    Latent codes are drawn with torch's global generators. Inside of
    :meth:`resumed` these go on where this stream left them; outside they are
    as everybody else left them. So what is drawn for a recording depends on
    the seed, not on what is drawn before or in between.

    Args:
        seed: of the first draw.
        device: where it is drawn, besides the CPU.
    """

    def __init__(self, seed: int, device: torch.device) -> None:
        self._cpu = torch.Generator().manual_seed(seed)
        self._device, self._gpu = device, None
        if device.type == 'cuda':
            self._gpu = torch.Generator(device).manual_seed(seed)

    @contextmanager
    def resumed(self) -> Iterator[None]:
        """Draw inside of this block."""
        gpus = [] if self._gpu is None else [self._device]
        with torch.random.fork_rng(gpus):
            torch.set_rng_state(self._cpu.get_state())
            if self._gpu is not None:
                torch.cuda.set_rng_state(self._gpu.get_state(), self._device)
            yield
            self._cpu.set_state(torch.get_rng_state())
            if self._gpu is not None:
                self._gpu.set_state(torch.cuda.get_rng_state(self._device))
