"""Runs a function of a test in two processes that know of each other."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import torch
from torch import distributed

WORLD_SIZE = 2


def in_two_processes(
    function: Callable[..., Any], folder: Path, *args: Any
) -> list[Any]:
    """Call a function in two processes on the CPU.

    Args:
        function: a function of a module, as the processes import it anew.
        folder: an empty one.
        *args: what the function gets.

    Returns:
        list: What it returned in each process, which must be picklable.
    """
    torch.multiprocessing.spawn(
        _join, args=(function, folder, args), nprocs=WORLD_SIZE
    )
    return [
        pickle.loads((folder / f'rank{rank}.pkl').read_bytes())
        for rank in range(WORLD_SIZE)
    ]


def _join(
    rank: int, function: Callable[..., Any], folder: Path, args: tuple
) -> None:
    torch.set_num_threads(1)
    distributed.init_process_group(
        'gloo',
        init_method=f'file://{folder}/store',
        rank=rank,
        world_size=WORLD_SIZE,
        timeout=timedelta(seconds=100),
    )
    try:
        result = pickle.dumps(function(*args))
        (folder / f'rank{rank}.pkl').write_bytes(result)
    finally:
        distributed.destroy_process_group()
