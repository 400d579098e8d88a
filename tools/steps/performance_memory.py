"""Peak of memory of a step, in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn

_STATUS = Path('/proc/self/status')
_CLEAR = Path('/proc/self/clear_refs')
MARK = 'peak of memory: '


def peak_mib(
    build: Callable[[], Callable[[], object]], device: torch.device
) -> float | None:
    """Memory that something takes, at its peak, with all that it keeps.

    On a CPU it is what the process holds beyond what it held before, so that
    the libraries do not count; on a GPU what torch has allocated.

    Args:
        build: makes the step. It runs once before the one that counts, so
            that gradients and the state of an optimiser are there.
        device: of which memory.

    Returns:
        MiB, None where the system does not say.
    """
    if device.type == 'cuda':
        step = build()
        step()
        torch.cuda.reset_peak_memory_stats(device)
        step()
        torch.cuda.synchronize(device)
        return torch.cuda.max_memory_allocated(device) / 2**20
    if not _CLEAR.exists():
        return None
    _load_libraries()
    before = _status_mib('VmRSS')
    step = build()
    step()
    # From here on the peak is counted anew, from what is held now.
    _CLEAR.write_text('5')
    step()
    return _status_mib('VmHWM') - before


def peak_of_command(command: Sequence[str]) -> float | None:
    """Run a script that prints ``MARK`` and a number.

    Raises:
        RuntimeError: if it fails; the message has the end of its output.
    """
    result = subprocess.run(
        [sys.executable, *command], capture_output=True, text=True
    )
    for line in result.stdout.splitlines():
        if line.startswith(MARK):
            return json.loads(line.removeprefix(MARK))
    tail = (result.stderr or result.stdout).strip().splitlines()[-3:]
    raise RuntimeError(
        f'the process whose memory is measured ended with '
        f'{result.returncode}: {" / ".join(tail)}'
    )


def _load_libraries() -> None:
    """Let torch load what its first steps need."""
    layers = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Flatten())
    for kind in (torch.float32, torch.bfloat16):
        with torch.autocast('cpu', kind, enabled=kind != torch.float32):
            value = layers(torch.randn(2, 3, 8, 8))
            value = torch.bmm(value[None], value.t()[None])
        F.layer_norm(value.float(), value.shape[-1:]).sum().backward()


def _status_mib(key: str) -> float:
    for line in _STATUS.read_text().splitlines():
        if line.startswith(f'{key}:'):
            return int(line.split()[1]) / 2**10
    raise RuntimeError(f'{_STATUS} has no {key}')
