"""Files of a data set: reading whatever lies under a name, and writing."""

from __future__ import annotations

import os
import secrets
import stat
from contextlib import suppress

import mmengine.fileio as fileio

from mmavs.datasets.errors import DataError, MissingDataError

# No file of a clip comes near it: ten minutes of 48 kHz stereo take 230 MB.
MAX_BYTES = 2**28


def read_file(
    path: str,
    kind: str,
    backend_args: dict | None = None,
    max_bytes: int = MAX_BYTES,
) -> bytes:
    """Read a file of a data set.

    Args:
        path: the file.
        kind: what it is, for error messages.
        backend_args: arguments of the file backend.
        max_bytes: the size from which a file is refused.

    Raises:
        MissingDataError: if it is missing.
        DataError: if it cannot be read, is empty, too large or no regular
            file.
    """
    try:
        # Only a local file has a status; it is looked at before it is read.
        with suppress(FileNotFoundError):
            status = os.stat(path)
            if not stat.S_ISREG(status.st_mode):
                raise DataError(f'{kind} {path} is not a regular file')
            _check_size(status.st_size, kind, path, max_bytes)
        content = fileio.get(path, backend_args=backend_args)
    except FileNotFoundError as error:
        raise MissingDataError(f'{kind} {path} does not exist') from error
    except DataError:
        raise
    except (OSError, ValueError) as error:
        raise DataError(f'{kind} {path} cannot be read: {error}') from error
    _check_size(len(content), kind, path, max_bytes)
    return content


def exists(path: str, backend_args: dict | None = None) -> bool:
    """Tell whether there is a file, as far as its backend can.

    Args:
        path: the file.
        backend_args: arguments of the file backend; one that cannot look
            for files, as that of HTTP, has none.
    """
    try:
        return fileio.exists(path, backend_args=backend_args)
    except (AttributeError, NotImplementedError):
        return False


def _check_size(num_bytes: int, kind: str, path: str, max_bytes: int) -> None:
    if num_bytes == 0:
        raise DataError(f'{kind} {path} is empty: it has 0 bytes')
    if num_bytes > max_bytes:
        raise DataError(
            f'{kind} {path} has {num_bytes} bytes, at most {max_bytes} are '
            'read'
        )


def write_file(path: str | os.PathLike, content: bytes) -> None:
    """Write a file in one step: it is complete, or not there.

    Args:
        path: the file, in an existing folder; one that is there is replaced.
        content: its bytes.

    Raises:
        OSError: if it cannot be written; then nothing is left behind.
    """
    folder, name = os.path.split(path)
    partial = os.path.join(folder, f'.{name}.{secrets.token_hex(4)}.partial')
    try:
        with open(partial, 'xb') as file:
            file.write(content)
        os.replace(partial, path)
    finally:
        with suppress(FileNotFoundError):
            os.unlink(partial)


def printable(text: str) -> str:
    """Text of a file's name that cannot command a terminal.

    Args:
        text: anything, surrogates of undecodable names included.

    Returns:
        The text with what is not printable written as escapes.
    """
    return ''.join(c if c.isprintable() else ascii(c)[1:-1] for c in text)
