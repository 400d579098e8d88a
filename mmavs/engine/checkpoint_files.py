"""Which checkpoints a run has left, and which of them are whole."""

from __future__ import annotations

import logging
import re
import zipfile
from collections.abc import Sequence
from pathlib import Path

from mmengine.logging import print_log

from mmavs.compat.checkpoints import load_checkpoint_safely
from mmavs.engine.atomic_backend import PARTIAL

NOTE = 'last_checkpoint'
# iter_20.pth, epoch_3.pth; a best_*.pth has no optimiser to go on with.
_NUMBERED = re.compile(r'(?!best_)(.*?)(\d+)\.pth')


class CheckpointError(RuntimeError):
    """A checkpoint could not be written, or none can be read."""


def what_is_wrong(path: str | Path) -> str | None:
    """Say what is wrong with a checkpoint on the local disk.

    Args:
        path: Of the file. All of it is read: checksums tell also where a
            file has its size, but not its content.

    Returns:
        A sentence that begins with the path, None if the file is whole.
    """
    path = Path(path)
    try:
        size = path.stat().st_size
        if size == 0:
            return f'{path} is empty'
        with path.open('rb') as file:
            is_archive = file.read(2) == b'PK'
        if not is_archive:
            # torch's old format has no checksums.
            load_checkpoint_safely(path)
            return None
        with zipfile.ZipFile(path) as archive:
            damaged = archive.testzip()
    except zipfile.BadZipFile:
        return f'{path} was cut short: it ends after {size} bytes'
    except OSError as error:
        return f'{path} cannot be read: {error.strerror or error}'
    except (EOFError, RuntimeError, ValueError, NotImplementedError) as error:
        return f'{path} is damaged: {error}'
    if damaged is not None:
        return f'{path} is damaged: the checksum of {damaged} is wrong'
    return None


def noted_checkpoint(work_dir: str | Path) -> str:
    """Path or address in a run's file ``last_checkpoint``; '' without one."""
    note = Path(work_dir) / NOTE
    return note.read_text().strip() if note.is_file() else ''


def candidates(work_dir: str | Path) -> list[Path]:
    """Checkpoints to go on from, the best choice first.

    Args:
        work_dir: Of the run. Its file ``last_checkpoint`` names the one to
            go on from; those with smaller numbers were written before it.
            Without a name in it the latest file is the first.
    """
    work_dir = Path(work_dir)
    named = noted_checkpoint(work_dir)
    if not named:
        return sorted(
            (path for path in work_dir.glob('*.pth') if _number(path)),
            key=lambda path: path.stat().st_mtime,
            reverse=True,
        )
    last = Path(named)
    if any(map(_number, work_dir.glob('*.pth'))):
        # Also where the folder was moved or copied since.
        last = work_dir / last.name
    own = _number(last)
    if own is None:
        return [last]
    earlier = []
    for path in last.parent.glob('*.pth'):
        other = _number(path)
        if other and other[0] == own[0] and other[1] < own[1]:
            earlier.append((other[1], path))
    return [last, *(path for _, path in sorted(earlier, reverse=True))]


def find_whole_checkpoint(work_dir: str | Path) -> Path | None:
    """The latest checkpoint of a run that is whole.

    Args:
        work_dir: Of the run.

    Returns:
        Its path, None if the run has left no checkpoint. What is wrong with
        later ones is in a warning.

    Raises:
        CheckpointError: If there are some and none is whole.
    """
    problems: list[str] = []
    for path in candidates(work_dir):
        problem = what_is_wrong(path)
        if problem is None:
            if problems:
                print_log(
                    f'{"; ".join(problems)}. The run goes on from {path}, '
                    'the one before',
                    logger='current',
                    level=logging.WARNING,
                )
            return path
        problems.append(problem)
    if problems:
        raise CheckpointError(
            f'no checkpoint of {work_dir} can be read: {"; ".join(problems)}. '
            'Train anew, without --resume, in another work directory'
        )
    return None


def describe_last_whole(work_dir: str | Path) -> str:
    """Sentence about what a run can go on from."""
    try:
        path = find_whole_checkpoint(work_dir)
    except CheckpointError as error:
        return str(error)
    if path is None:
        return 'There is no earlier checkpoint.'
    return f'The last whole checkpoint is {path}.'


def remove_partial_files(folders: Sequence[str | Path]) -> list[Path]:
    """Remove what processes that were killed had begun to write.

    Args:
        folders: Where checkpoints go.

    Returns:
        The files.
    """
    found = []
    for folder in set(map(Path, folders)):
        for name in (f'*.pth{PARTIAL}', NOTE + PARTIAL):
            found += folder.glob(name)
    for path in found:
        path.unlink(missing_ok=True)
    return found


def _number(path: Path) -> tuple[str, int] | None:
    match = _NUMBERED.fullmatch(path.name)
    return (match[1], int(match[2])) if match else None
