"""The folder of a result: complete, or not there."""

from __future__ import annotations

import itertools
import json
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mmavs.inference.results.partial_folder import (
    all_beside,
    beside,
    partial_folder,
    with_suffix,
)

MADE_BY = 'mmavs'
MARKER = 'result.json'
# All that a result consists of: files, and folders with a file per frame.
FILES = ('codes.npz', 'overlay.mp4', MARKER, 'timeline.png')
FRAME_FOLDERS = ('masks', 'probabilities', 'uncertainty')
FRAME_FILE = re.compile(r'\d{6,}\.png')


@contextmanager
def result_folder(
    folder: str | os.PathLike, path: str | None = None
) -> Iterator[Path]:
    """Make a result's folder in one step.

    The files are written into a folder beside it, NAME.XXXXXXXX.partial,
    which takes its place at the end of the block. When the block raises, the
    partial folder goes, and an older result stays as it was; what a process
    that was killed left behind goes with the next result of this name. Two
    processes that make the same result do not disturb each other; the later
    one remains.

    Args:
        folder: the folder; where it is there it is empty, or an older result
            of the same recording with nothing else in it. Folders above it
            are made.
        path: where the recording is, see :func:`real_path`.

    Yields:
        The folder to write into. It has to get a :data:`MARKER` with
        :data:`MADE_BY` and the path.

    Raises:
        FileExistsError: if something else is there; nothing is touched.
        OSError: if it cannot be written.
    """
    # What a link points to is replaced, not the link.
    target = Path(os.path.realpath(folder))
    _check_replaceable(target, path)
    target.parent.mkdir(parents=True, exist_ok=True)
    with partial_folder(target) as partial:
        yield partial
        # Again: hours may have passed.
        _check_replaceable(target, path)
        _replace(target, partial)


def choose_folder(out: str | os.PathLike, source: str | os.PathLike) -> Path:
    """Choose where among other results that of a recording goes.

    The folder is called like the recording, without the ending of a file.
    Where something else has that name, such as the result of another
    recording, a number follows: NAME_2, NAME_3, ... Names also count as the
    same where only upper and lower case differ, which not every file system
    tells apart. A result that the recording has already is found again,
    whatever its number, and whatever the path is called from here.

    Args:
        out: the folder of all results; it need not be there.
        source: path of the recording; what is none has no older result.

    Raises:
        OSError: if the folder cannot be read.
    """
    out, path = Path(out), real_path(source)
    there = os.listdir(out) if out.exists() else []
    taken = {name.casefold() for name in there}
    free = None
    # One of so many is free.
    for name in itertools.islice(_numbered(_name(source)), len(taken) + 1):
        if name.casefold() not in taken:
            free = free or out / name
        elif path is not None:
            older = _older_result(out / name)
            if older is not None and _path_in(older) == path:
                return out / name
    return free


def real_path(source: str | os.PathLike) -> str | None:
    """By which a recording is known again; None if it is in no file."""
    return os.path.realpath(source) if os.path.exists(source) else None


def lies_within(path: str | os.PathLike, folder: str | os.PathLike) -> bool:
    """Tell whether a path is in a folder, or is it, links followed."""
    target = Path(os.path.realpath(folder))
    path = Path(os.path.realpath(path))
    return target == path or target in path.parents


def _name(source: str | os.PathLike) -> str:
    path = Path(os.path.abspath(source))
    name = path.name if path.is_dir() else path.stem
    # What is left of '...mp4' is '..', which is another folder.
    return name if name.strip('.') else path.name


def _numbered(name: str) -> Iterator[str]:
    yield name
    for number in itertools.count(2):
        yield with_suffix(name, f'_{number}')


def _check_replaceable(target: Path, path: str | None) -> None:
    """Check that nothing gets lost but an older result."""
    if not target.exists():
        return
    rule = 'it is left alone, choose another folder for the result'
    if not target.is_dir():
        raise FileExistsError(f'{target} is not a folder: {rule}')
    if not any(target.iterdir()):
        return
    older = _older_result(target)
    if older is None:
        raise FileExistsError(f'{target} holds something else: {rule}')
    if _path_in(older) != path:
        raise FileExistsError(
            f'{target} is the result of another recording, '
            f'{_path_in(older)}: {rule}'
        )
    foreign = next(_foreign(target), None)
    if foreign is not None:
        raise FileExistsError(
            f'{target} also holds {foreign!r}, which is no part of the '
            f'older result: {rule}'
        )


def _foreign(target: Path) -> Iterator[str]:
    """What is no part of a result; links are none."""
    for entry in sorted(os.scandir(target), key=lambda entry: entry.name):
        if entry.name in FRAME_FOLDERS and entry.is_dir(follow_symlinks=False):
            for frame in sorted(os.scandir(entry), key=lambda x: x.name):
                if not (
                    FRAME_FILE.fullmatch(frame.name)
                    and frame.is_file(follow_symlinks=False)
                ):
                    yield f'{entry.name}/{frame.name}'
        elif not (
            entry.name in FILES and entry.is_file(follow_symlinks=False)
        ):
            yield entry.name


def _older_result(folder: Path) -> dict | None:
    """What the marker in a folder says, if it is one."""
    marker = folder / MARKER
    if not marker.is_file():
        return None
    try:
        content = json.loads(marker.read_bytes())
    except (OSError, ValueError, RecursionError):
        return None
    is_ours = isinstance(content, dict) and content.get('made_by') == MADE_BY
    return content if is_ours else None


def _path_in(result: dict) -> str | None:
    facts = result.get('input')
    return facts.get('path') if isinstance(facts, dict) else None


def _replace(target: Path, partial: Path) -> None:
    if not target.exists():
        os.rename(partial, target)
        return
    # A folder that is not empty cannot be replaced; it steps aside.
    old = beside(target, 'old')
    os.rename(target, old)
    try:
        os.rename(partial, target)
    finally:
        if target.exists():
            # And what was left of it when another run was killed here.
            for folder in all_beside(target, 'old'):
                shutil.rmtree(folder, ignore_errors=True)
        else:
            os.rename(old, target)
