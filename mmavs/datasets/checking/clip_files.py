"""The files of one clip, whatever is in them."""

from __future__ import annotations

import math
import os
import stat
from collections.abc import Callable
from dataclasses import replace
from pathlib import PurePosixPath

from mmavs.datasets.checking.clip_findings import ClipFindings
from mmavs.datasets.checking.clip_task import ClipTask
from mmavs.datasets.checking.images import Reporter
from mmavs.datasets.checking.problem import WARNING, Problem
from mmavs.datasets.errors import DataError
from mmavs.datasets.files import MAX_BYTES, read_file
from mmavs.datasets.log_mel_files import MAX_BYTES as MAX_LOG_MEL_BYTES

__all__ = ['ClipFiles']

# What training reads at most, where that is not MAX_BYTES; videos it leaves
# alone.
_MAX_BYTES = dict(log_mel_path=MAX_LOG_MEL_BYTES, video_path=math.inf)
# What is read of an image for its header, and for its end.
_HEAD_BYTES, _TAIL_BYTES = 1 << 16, 1 << 12


class ClipFiles:
    """Finds and reads the files of a clip, and notes what it finds.

    Args:
        task: the clip.
        watch: is told the path of every file before it is opened.

    Attributes:
        findings: counts and problems so far.
    """

    def __init__(self, task: ClipTask, watch: Callable[[str], None]) -> None:
        self.task = task
        self.watch = watch
        self.findings = ClipFindings()

    @property
    def num_frames(self) -> int:
        """T of the clip."""
        return len(self.task.setting.layout.frame_numbers(self.task.clip))

    def path(self, key: str, k: int | None = None) -> str:
        """Path of a file, relative to the folder that is checked."""
        setting = self.task.setting
        return setting.prefix + setting.layout.path(key, self.task.clip, k)

    def full(self, path: str) -> str:
        """The same path for opening it."""
        return os.path.join(self.task.root, path)

    def reporter(self, path: str, is_needed: bool = True) -> Reporter:
        """What the faults of a file are told to.

        Args:
            path: the file.
            is_needed: whether training or testing needs it; if not, every
                fault is no more than a warning.
        """

        def report(kind: str, message: str) -> None:
            # Loaders give the whole path.
            message = message.replace(self.full(path), path)
            clip = self.task.clip['video_id']
            problem = Problem.of(kind, path, message, clip)
            if not is_needed:
                problem = replace(problem, severity=WARNING)
            self.findings.problems.append(problem)

        return report

    def is_there(
        self, key: str, path: str, report: Reporter, is_missed: bool = True
    ) -> bool:
        """Count a file and tell whether there is something to read in it."""
        self.findings.expected[key] += 1
        if path in self.task.skipped:
            self.findings.found[key] += 1
            return False
        self.watch(path)
        try:
            status = os.stat(self.full(path))
        except (FileNotFoundError, NotADirectoryError):
            if is_missed:
                report('missing', f'{path} does not exist')
            return False
        except OSError as error:
            report('unreadable', f'{path} cannot be read: {error}')
            return False
        self.findings.found[key] += 1
        if not stat.S_ISREG(status.st_mode):
            # Reading a pipe waits for ever.
            report('unreadable', f'{path} is no file')
        elif status.st_size == 0:
            report('empty', f'{path} has 0 bytes')
        elif status.st_size > (limit := _MAX_BYTES.get(key, MAX_BYTES)):
            report(
                'unreadable',
                f'{path} has {status.st_size:,} bytes, at most {limit:,} are '
                'read',
            )
        else:
            return True
        return False

    def read(self, path: str, report: Reporter) -> bytes | None:
        """Bytes of a file; in a quick check only its two ends."""
        read = _read_ends if self.task.is_quick else _read_all
        try:
            return read(self.full(path))
        except (DataError, OSError) as error:
            report('unreadable', f'{path}: {error}')
            return None

    def report_no_files(self) -> None:
        """Say once that there is nothing, instead of for every file."""
        self.findings.problems[:] = [
            problem
            for problem in self.findings.problems
            if problem.kind != 'missing'
        ]
        folder = str(PurePosixPath(self.path('img_path')).parent)
        message = f'{folder}: there is no frame, no mask and no audio'
        self.reporter(folder)('no_files', message)


def _read_all(path: str) -> bytes:
    return read_file(path, 'file')


def _read_ends(path: str) -> bytes:
    with open(path, 'rb') as file:
        content = file.read(_HEAD_BYTES)
        rest = os.fstat(file.fileno()).st_size - len(content)
        file.seek(-min(rest, _TAIL_BYTES), os.SEEK_END)
        return content + file.read()
