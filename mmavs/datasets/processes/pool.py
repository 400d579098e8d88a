"""Processes of which any may die or get stuck without harm to the rest."""

from __future__ import annotations

import math
import os
import signal
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from multiprocessing import (
    forkserver,
    get_all_start_methods,
    get_context,
)
from multiprocessing.connection import wait
from typing import Any

from mmavs.datasets.processes.worker import Function, Worker, run_one

__all__ = ['run_tasks']

# Libraries read them once: every process computes on one core.
_THREADS = ('OMP_NUM_THREADS', 'OPENBLAS_NUM_THREADS', 'MKL_NUM_THREADS')


def run_tasks(
    function: Function,
    tasks: Iterable[Any],
    num_workers: int,
    time_limit_s: float = 60.0,
) -> Iterator[tuple[Any, Any]]:
    """Run a function on many tasks, in processes.

    A process that dies, or takes longer than the limit for one task, is
    replaced, and the result of its task is a
    :class:`~mmavs.datasets.processes.worker.Failure`; so it is if the function
    raises. Leaving the iterator early ends all processes.

    Args:
        function: what to run; with workers it, the tasks and the results are
            pickled.
        tasks: what to run it on.
        num_workers: how many processes; 0 runs everything in this one,
            without a limit.
        time_limit_s: longest time for one task.

    Yields:
        Every task with its result, in the order they come in.

    Raises:
        ValueError: if the number of workers is negative.
        RuntimeError: if all processes die before they can take a task.
    """
    if num_workers < 0:
        raise ValueError(f'num_workers must be at least 0, got {num_workers}')
    if num_workers == 0:
        for task in tasks:
            yield task, run_one(function, task, lambda path: None)
        return
    waiting = list(reversed(list(tasks)))
    context = _context(function)
    workers: list[Worker] = []

    def start() -> None:
        with _one_thread():
            workers.append(Worker(context, function, time_limit_s))

    try:
        for _ in range(min(num_workers, len(waiting))):
            start()
        while workers:
            for worker in _ready(workers):
                task, result = worker.take()
                if worker.has_ended:
                    workers.remove(worker)
                    if task is not None and waiting:
                        start()
                    elif waiting and not workers:
                        raise RuntimeError(
                            f'no process could be started: {result.reason}'
                        )
                elif waiting:
                    worker.give(waiting.pop())
                else:
                    workers.remove(worker)
                    worker.stop()
                if task is not None:
                    yield task, result
    finally:
        for worker in workers:
            worker.stop()


def _ready(workers: Sequence[Worker]) -> list[Worker]:
    """Wait for workers that have a result, have died, or are late."""
    seconds = max(0.0, min(worker.seconds_left for worker in workers))
    connections = [worker.connection for worker in workers]
    found = wait(connections, None if math.isinf(seconds) else seconds)
    return [
        worker
        for worker in workers
        if worker.connection in found or worker.seconds_left <= 0
    ]


def _context(function: Function) -> Any:
    """How processes are started: from one that has imported what they need.

    A fork of the caller would inherit its threads' locks, and a new
    interpreter for every worker takes seconds.
    """
    if 'forkserver' not in get_all_start_methods():
        return get_context('spawn')
    context = get_context('forkserver')
    context.set_forkserver_preload([__name__, function.__module__])
    with _one_thread(), _uninterrupted():
        forkserver.ensure_running()
    return context


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """Let a process that is started meanwhile not see Ctrl-C.

    It would die of it while it imports, and say so; it is ended by this one.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def _one_thread() -> Iterator[None]:
    """Let processes that are started meanwhile compute on one core."""
    before = {name: os.environ.get(name) for name in _THREADS}
    os.environ.update(dict.fromkeys(_THREADS, '1'))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
