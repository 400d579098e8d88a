"""The folder of a result: complete, or not there."""

from __future__ import annotations

import json
import os
import secrets
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

MADE_BY = 'mmavs'
MARKER = 'result.json'
# All that a result consists of.
ENTRIES = (
    *('codes.npz', 'masks', 'overlay.mp4', MARKER),
    *('timeline.png', 'uncertainty'),
)
# The longest name of common file systems, in bytes.
_MAX_NAME = 255


@contextmanager
def result_folder(folder: str | os.PathLike) -> Iterator[Path]:
    """Make a result's folder in one step.

    The files are written into a folder beside it, NAME.XXXXXXXX.partial,
    which takes its place at the end of the block. When the block raises, the
    partial folder goes, and an older result stays as it was. Two processes
    that make the same result do not disturb each other; the later one
    remains.

    Args:
        folder: the folder; where it is there it is empty, or an older result
            with nothing else in it. Folders above it are made.

    Yields:
        The folder to write into. It has to get a :data:`MARKER` with
        :data:`MADE_BY`.

    Raises:
        FileExistsError: if something else is there; nothing is touched.
        OSError: if it cannot be written.
    """
    # What a link points to is replaced, not the link.
    target = Path(os.path.realpath(folder))
    _check_replaceable(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = _beside(target, 'partial')
    partial.mkdir()
    try:
        yield partial
        # Again: hours may have passed.
        _check_replaceable(target)
        _replace(target, partial)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise


def lies_within(path: str | os.PathLike, folder: str | os.PathLike) -> bool:
    """Tell whether a path is in a folder, or is it, links followed."""
    target = Path(os.path.realpath(folder))
    path = Path(os.path.realpath(path))
    return target == path or target in path.parents


def folder_names(sources: Iterable[str | os.PathLike]) -> list[str]:
    """Name a folder for the result of each recording, all of them different.

    The name is that of a folder, or of a file without its extension. Where
    several have it the later ones get a number; also where names differ in
    upper and lower case only, which not every file system tells apart.

    Args:
        sources: paths of the recordings.
    """
    wanted = [_name(source) for source in sources]
    # A number must not make a name that another recording has.
    reserved = {name.casefold() for name in wanted}
    taken: set[str] = set()
    names = []
    for name in wanted:
        unique, number = name, 1
        while unique.casefold() in taken or (
            number > 1 and unique.casefold() in reserved
        ):
            number += 1
            suffix = f'_{number}'
            unique = _shortened(name, _MAX_NAME - len(suffix)) + suffix
        taken.add(unique.casefold())
        names.append(unique)
    return names


def _name(source: str | os.PathLike) -> str:
    path = Path(os.path.abspath(source))
    name = path.name if path.is_dir() else path.stem
    # What is left of '...mp4' is '..', which is another folder.
    return name if name.strip('.') else path.name


def _shortened(name: str, num_bytes: int) -> str:
    while len(os.fsencode(name)) > num_bytes:
        name = name[:-1]
    return name


def _beside(target: Path, kind: str) -> Path:
    suffix = f'.{secrets.token_hex(4)}.{kind}'
    name = _shortened(target.name, _MAX_NAME - len(suffix))
    return target.with_name(name + suffix)


def _check_replaceable(target: Path) -> None:
    """Check that nothing gets lost but an older result."""
    if not target.exists():
        return
    rule = 'it is left alone, choose another folder for the result'
    if not target.is_dir():
        raise FileExistsError(f'{target} is not a folder: {rule}')
    names = sorted(path.name for path in target.iterdir())
    if names and not _is_marked(target / MARKER):
        raise FileExistsError(f'{target} holds something else: {rule}')
    others = [name for name in names if name not in ENTRIES]
    if others:
        raise FileExistsError(
            f'{target} also holds {others[0]!r}, which is no part of the '
            f'older result: {rule}'
        )


def _is_marked(path: Path) -> bool:
    if not path.is_file():
        return False
    try:
        content = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(content, dict) and content.get('made_by') == MADE_BY


def _replace(target: Path, partial: Path) -> None:
    if not target.exists():
        os.rename(partial, target)
        return
    # A folder that is not empty cannot be replaced; it steps aside.
    old = _beside(target, 'old')
    os.rename(target, old)
    try:
        os.rename(partial, target)
    finally:
        if target.exists():
            shutil.rmtree(old, ignore_errors=True)
        else:
            os.rename(old, target)
