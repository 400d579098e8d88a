"""One process that runs tasks, and what is known of it from outside."""

from __future__ import annotations

import math
import os
import pickle
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

import cv2
import torch

__all__ = ['Failure', 'Function', 'Worker', 'run_one']

Function = Callable[[Any, Callable[[str], None]], Any]
"""What is run: takes a task, and what it tells the file it is at."""

_STOP_S = 5.0
_MAX_NOTE_BYTES = 4096


@dataclass(frozen=True)
class Failure:
    """Stands for the result of a task that has none.

    Attributes:
        at: the file the task was at, '' if it had not come to one.
        reason: what happened.
    """

    at: str
    reason: str


class Worker:
    """A process, the task it has and the file it is at.

    Args:
        context: how processes are started.
        function: what the process runs.
        time_limit_s: longest time for one task.
    """

    def __init__(
        self, context: Any, function: Function, time_limit_s: float
    ) -> None:
        self.time_limit_s = time_limit_s
        self.task: Any = None
        self.has_ended = False
        self._deadline_s = math.inf
        # Shared memory outlives the process; it says what it died of.
        self._note = context.RawArray('c', _MAX_NOTE_BYTES)
        self.connection, theirs = context.Pipe()
        self._process = context.Process(
            target=_serve, args=(theirs, self._note, function), daemon=True
        )
        self._process.start()
        theirs.close()

    def give(self, task: Any) -> None:
        """Give it a task; it must be idle."""
        self.task = task
        self._note.value = b''
        self._deadline_s = time.monotonic() + self.time_limit_s
        # If it has died meanwhile, there is no result either.
        with suppress(OSError):
            self.connection.send(task)

    def take(self) -> tuple[Any, Any]:
        """Take the result of its task; only when there is one, or it is late.

        Returns:
            The task and its result, a failure if it has died, or had to be
            stopped because it is late. When it has just started, and if it
            has not even done that, the task is None.
        """
        task, self.task = self.task, None
        self._deadline_s = math.inf
        if not self.connection.poll():
            self.stop()
            return task, Failure(
                self._at, f'reading it took more than {self.time_limit_s:g} s'
            )
        try:
            return task, self.connection.recv()
        except (EOFError, OSError, pickle.UnpicklingError):
            # So that the exit code is its own.
            self._process.join(_STOP_S)
            self.stop()
        code = self._process.exitcode or 0
        how = f'signal {-code}' if code < 0 else f'exit code {code}'
        return task, Failure(self._at, f'the process that read it died: {how}')

    @property
    def _at(self) -> str:
        return self._note.value.decode(errors='replace')

    @property
    def seconds_left(self) -> float:
        """How long it may take for its task, infinite without one."""
        return self._deadline_s - time.monotonic()

    def stop(self) -> None:
        """End it, whatever it is doing."""
        self.has_ended = True
        self.connection.close()
        self._process.kill()
        self._process.join(_STOP_S)


def run_one(function: Function, task: Any, tell: Callable[[str], None]) -> Any:
    """Run a function on a task; what it raises is a failure."""
    at = ''

    def watch(path: str) -> None:
        nonlocal at
        at = path
        tell(path)

    try:
        return function(task, watch)
    except Exception as error:
        return Failure(at, f'{type(error).__name__}: {error}')


def _serve(connection: Connection, note: Any, function: Function) -> None:
    """Run tasks until there are no more; the body of the process."""
    # The parent is interrupted as well, and ends this process.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # What decoders say there would tear the progress bar.
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    torch.set_num_threads(1)
    cv2.setNumThreads(0)

    def tell(path: str) -> None:
        note.value = path.encode(errors='replace')[: _MAX_NOTE_BYTES - 1]

    connection.send(None)
    while True:
        try:
            task = connection.recv()
        except EOFError:
            return
        connection.send(run_one(function, task, tell))
