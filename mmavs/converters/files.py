"""Reading weights of others, and writing a checkpoint in one piece."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from mmavs.compat.checkpoints import load_checkpoint_safely
from mmavs.compat.safe_unpickling import UnsafeCheckpointError
from mmavs.converters.renaming import ConversionError, unwrap
from mmavs.version import __version__


def check_target(path: str | os.PathLike[str], overwrite: bool) -> None:
    """Raise a FileExistsError if a checkpoint may not be written there."""
    path = Path(path).expanduser()
    if path.is_dir():
        raise FileExistsError(f'{path} is a directory, not a file to write')
    if path.exists() and not overwrite:
        raise FileExistsError(f'{path} exists already; --force replaces it')


@contextmanager
def naming(path: str | os.PathLike[str]) -> Iterator[None]:
    """Put the name of the file in front of a ConversionError."""
    try:
        yield
    except ConversionError as error:
        raise ConversionError(f'{path}: {error}') from error


def read_weights(path: str | os.PathLike[str]) -> dict[str, Tensor]:
    """State dict of a file, read without running code in it.

    Raises:
        ConversionError: if the file cannot be read, holds more than data,
            or no state dict; names the file.
    """
    path = Path(path).expanduser()
    if not path.is_file():
        what = 'is a directory' if path.is_dir() else 'does not exist'
        raise ConversionError(f'{path} {what}')
    try:
        content = load_checkpoint_safely(path)
    except (
        ImportError,
        OSError,
        RuntimeError,
        UnsafeCheckpointError,
    ) as error:
        raise ConversionError(str(error)) from error
    with naming(path):
        return unwrap(content)


def write_checkpoint(
    path: str | os.PathLike[str],
    state_dict: dict[str, Tensor],
    meta: dict[str, Any],
    overwrite: bool = False,
) -> None:
    """Write a checkpoint that torch reads with ``weights_only=True``.

    The file is complete or not there: it is written under another name in
    the same folder, which is made if needed, read back, and renamed. After a
    failure nothing of it stays, nor a folder that was made.

    Args:
        path: of the file.
        state_dict: name to tensor.
        meta: plain values about the checkpoint; the version of mmavs is
            added.
        overwrite: replace a file of that name.

    Raises:
        FileExistsError: if the file exists and is not to be replaced.
        OSError: if it cannot be written.
    """
    path = Path(path).expanduser()
    check_target(path, overwrite)
    made = [folder for folder in path.parents if not folder.exists()]
    partial = path.with_name(f'.{path.name}.{os.getpid()}.partial')
    meta = dict(meta, mmavs_version=__version__)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        torch.save(dict(state_dict=state_dict, meta=meta), partial)
        # Mapped, not read: a look at the names and the plain values.
        written = torch.load(partial, weights_only=True, mmap=True)
        if written['state_dict'].keys() != state_dict.keys():
            raise RuntimeError('it read back otherwise than it was written')
        os.replace(partial, path)
    except RuntimeError as error:
        # torch's, for a full disk among others; a trace may follow.
        reason = str(error).partition('\n')[0]
        raise OSError(f'{path} cannot be written: {reason}') from error
    finally:
        with suppress(FileNotFoundError, NotADirectoryError):
            partial.unlink()
        # Deepest first. A folder that holds something is not removed.
        for folder in made:
            with suppress(OSError):
                folder.rmdir()
