"""Commands of this repository, each of them run once.

What is finished is not done again, what was interrupted goes on, and what
would compute something else by now starts anew.
"""

from __future__ import annotations

import ast
import hashlib
import json
import os
import shlex
import shutil
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

ROOT = Path(__file__).resolve().parents[2]
_DOCUMENTED = (
    ast.Module,
    ast.ClassDef,
    ast.FunctionDef,
    ast.AsyncFunctionDef,
)


@dataclass(frozen=True)
class Step:
    """One command and what it is for.

    Attributes:
        name: key in the records, name of the log.
        purpose: what the user reads.
        command: arguments after the Python interpreter, a script of this
            repository first. ``BEST:FOLDER`` in an argument becomes the best
            checkpoint of a finished training.
        output: what exists when the step is done.
        folder: of this step alone, removed before it starts anew.
        resume: arguments that make an interrupted run go on.
    """

    name: str
    purpose: str
    command: tuple[str, ...]
    output: Path
    folder: Path | None = None
    resume: tuple[str, ...] = ()


class StepError(RuntimeError):
    """A command that failed.

    Attributes:
        tail: the last lines of its output.
    """

    def __init__(self, message: str, tail: str) -> None:
        super().__init__(message)
        self.tail = tail


class StepRunner:
    """Does steps, and keeps in a JSON file what was started and finished.

    A step is known by its key, which says what it computes: with another
    seed, or after a change of a source, nothing old is taken for finished.
    Steps of different names may be done in several threads at a time.

    Args:
        records: the JSON file. Logs go beside it, into ``logs``.
        console: where each command is shown before it runs.
        environment: variables the commands see beside those of this process.
    """

    def __init__(
        self,
        records: Path,
        console: Console,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.path = records
        self.console = console
        self.environment = dict(environment or {})
        self._records: dict[str, dict] = (
            json.loads(records.read_text()) if records.exists() else {}
        )
        self._lock = threading.Lock()
        self._processes: set[subprocess.Popen] = set()
        self._stopped = False

    def log(self, step: Step) -> Path:
        """File with all output of a step."""
        return self.path.parent / 'logs' / f'{step.name}.log'

    def record(self, step: Step, key: str) -> dict:
        """What is known of a step, empty if it never began as it is now."""
        record = self._records.get(step.name, {})
        return record if record.get('key') == key else {}

    def is_done(self, step: Step, key: str) -> bool:
        """Whether a step is finished and its output still there."""
        record = self.record(step, key)
        return bool(record.get('done')) and step.output.exists()

    def seconds(self) -> dict[str, float]:
        """Seconds spent on every step on record, by name."""
        return {k: v['seconds'] for k, v in self._records.items()}

    def perform(
        self,
        step: Step,
        key: str,
        watch: Callable[[str], None] = lambda line: None,
        **notes,
    ) -> None:
        """Do one step, from the start or from where it was interrupted.

        Args:
            step: what to do.
            key: what it computes, see :func:`digest`.
            watch: gets every line of the output.
            **notes: kept in the record.

        Raises:
            StepError: if the command fails.
        """
        record = self.record(step, key)
        resumable = record and (
            step.folder is None or _has_checkpoint(step.folder)
        )
        if not resumable and step.folder is not None and step.folder.exists():
            shutil.rmtree(step.folder)
        arguments = [_resolve(argument) for argument in step.command]
        if resumable:
            # Before the settings: they take every argument that follows.
            cut = (*arguments, '--cfg-options').index('--cfg-options')
            arguments[cut:cut] = step.resume
        self.console.print(
            f'  $ python {shlex.join(arguments)}',
            style='dim',
            markup=False,
            soft_wrap=True,
        )
        notes = dict(notes, key=key)
        spent = record.get('seconds', 0.0)
        start = time.monotonic()
        done = False
        try:
            self._put(step, **notes, done=False, seconds=spent)
            self.execute(step, arguments, watch)
            done = True
        finally:
            spent += time.monotonic() - start
            self._put(step, **notes, done=done, seconds=spent)

    def execute(
        self, step: Step, arguments: list[str], watch: Callable[[str], None]
    ) -> None:
        """Run a command, its output into the log of the step.

        Raises:
            StepError: if the command fails.
        """
        tail: deque[str] = deque(maxlen=25)
        log = self.log(step)
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open('a') as file, self._start(arguments) as process:
            try:
                for line in process.stdout:
                    file.write(line)
                    file.flush()
                    if line.strip():
                        tail.append(line.rstrip())
                        watch(tail[-1])
            except BaseException:
                process.terminate()
                raise
            finally:
                with self._lock:
                    self._processes.discard(process)
        if process.returncode:
            raise StepError(
                f'«{step.purpose}» ended with exit status '
                f'{process.returncode}; the whole log is {log}. The same '
                'command goes on from here.',
                '\n'.join(tail),
            )

    def stop(self) -> None:
        """End what runs, and start nothing any more."""
        with self._lock:
            self._stopped = True
            for process in self._processes:
                process.terminate()

    def kill(self) -> None:
        """Kill what runs, as the system does; it can do nothing about it."""
        with self._lock:
            for process in self._processes:
                process.kill()

    def _start(self, arguments: list[str]) -> subprocess.Popen:
        with self._lock:
            if self._stopped:
                raise StepError('stopped', '')
            process = subprocess.Popen(
                [sys.executable, *arguments],
                cwd=ROOT,
                env=dict(os.environ, **self.environment),
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors='replace',
            )
            self._processes.add(process)
        return process

    def _put(self, step: Step, **record) -> None:
        """Write a record; a kill leaves the old file or the new one."""
        with self._lock:
            self._records[step.name] = record
            self.path.parent.mkdir(parents=True, exist_ok=True)
            partial = self.path.with_suffix('.partial')
            partial.write_text(json.dumps(self._records, indent=2) + '\n')
            partial.replace(self.path)


def digest(*parts: str) -> str:
    """Hash of texts: the key of a step from what decides its result."""
    return hashlib.sha256('\0'.join(parts).encode()).hexdigest()


def fingerprint(*sources: str) -> str:
    """Hash of Python sources.

    Args:
        *sources: files, or folders with all below them, relative to the
            root of the repository.
    """
    parts = []
    for file in python_files(sources):
        parts += [file.relative_to(ROOT).as_posix(), file.read_text()]
    return digest(*parts)


def code_fingerprint(*sources: str, without: Sequence[str] = ()) -> str:
    """Hash of what Python sources do.

    Comments, docstrings and the layout of the text do not count.

    Args:
        *sources: as those of :func:`fingerprint`.
        without: files and folders below them that are left out.
    """
    left_out = set(python_files(without))
    parts = []
    for file in python_files(sources):
        if file not in left_out:
            name = file.relative_to(ROOT).as_posix()
            parts += [name, _code(file.read_text())]
    return digest(*parts)


def python_files(sources: Iterable[str]) -> Iterator[Path]:
    """Files, and those below folders, in a fixed order."""
    for source in sources:
        path = ROOT / source
        yield from sorted(path.rglob('*.py')) if path.is_dir() else [path]


def _code(text: str) -> str:
    tree = ast.parse(text)
    for node in ast.walk(tree):
        if (
            isinstance(node, _DOCUMENTED)
            and ast.get_docstring(node, clean=False) is not None
        ):
            del node.body[0]
    return ast.dump(tree)


def prepare(records: Path, own: tuple[str, ...], fresh: bool) -> None:
    """Make sure that a work directory is one's own to write in.

    Args:
        records: file in the work directory that says so.
        own: how the names of what is written there begin.
        fresh: whether to remove all of it.

    Raises:
        SystemExit: if the directory holds something else.
    """
    work = records.parent
    if not work.exists() or not any(work.iterdir()):
        return
    if not records.exists():
        raise SystemExit(
            f'{work} is not empty and holds no {records.name}, so this '
            'command did not make it; choose another --work-dir'
        )
    if fresh:
        for path in work.iterdir():
            if path.name.startswith(own):
                shutil.rmtree(path) if path.is_dir() else path.unlink()


def best_checkpoint(folder: Path) -> Path:
    """The checkpoint that scored best on the validation clips."""
    found = list(folder.glob('best_*.pth'))
    if not found:
        raise SystemExit(
            f'{folder} holds no best_*.pth any more: --fresh starts over'
        )
    return max(found, key=lambda path: path.stat().st_mtime)


def _resolve(argument: str) -> str:
    before, marker, folder = argument.partition('BEST:')
    return before + str(best_checkpoint(Path(folder))) if marker else argument


def _has_checkpoint(folder: Path) -> bool:
    """Whether a training can go on from the checkpoint it noted."""
    note = folder / 'last_checkpoint'
    return note.is_file() and Path(note.read_text().strip()).is_file()
