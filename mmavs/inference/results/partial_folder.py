"""A folder that is filled before it takes its place."""

from __future__ import annotations

import os
import re
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

try:
    import fcntl
except ImportError:
    # A system without these locks: what is left behind stays.
    fcntl = None

# The longest name of common file systems, in bytes.
_MAX_NAME = 255


@contextmanager
def partial_folder(target: Path) -> Iterator[Path]:
    """Make a folder beside another, NAME.XXXXXXXX.partial.

    When the block raises, the folder goes. One whose process was killed goes
    when the next of the same name is made: the lock on a folder ends with
    the process that fills it.

    Args:
        target: what the folder is to become; the one above it is there.

    Yields:
        The folder, which is empty.

    Raises:
        OSError: if it cannot be made.
    """
    _remove_dead(target)
    partial = beside(target, 'partial')
    partial.mkdir()
    lock = _lock(partial)
    try:
        yield partial
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    finally:
        if lock is not None:
            os.close(lock)


def beside(target: Path, kind: str) -> Path:
    """A path that is free, NAME.XXXXXXXX.KIND."""
    suffix = f'.{secrets.token_hex(4)}.{kind}'
    return target.with_name(with_suffix(target.name, suffix))


def all_beside(target: Path, kind: str) -> list[Path]:
    """What is there of what :func:`beside` named."""
    suffix = f'.{"x" * 8}.{kind}'
    name = with_suffix(target.name, suffix).removesuffix(suffix)
    pattern = re.compile(rf'{re.escape(name)}\.[0-9a-f]{{8}}\.{kind}')
    return [
        path
        for path in target.parent.iterdir()
        if pattern.fullmatch(path.name)
    ]


def with_suffix(name: str, suffix: str) -> str:
    """Add a suffix to a name, of which the end is cut if it gets too long."""
    while len(os.fsencode(name + suffix)) > _MAX_NAME:
        name = name[:-1]
    return name + suffix


def _remove_dead(target: Path) -> None:
    for folder in all_beside(target, 'partial'):
        lock = _lock(folder)
        if lock is not None:
            shutil.rmtree(folder, ignore_errors=True)
            os.close(lock)


def _lock(folder: Path) -> int | None:
    """Take the lock on a folder, or find that it cannot be had."""
    if fcntl is None:
        return None
    try:
        lock = os.open(folder, os.O_RDONLY)
    except OSError:
        return None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        # Somebody has it, or the file system has no locks.
        os.close(lock)
        return None
    return lock
