"""How files of a data set are read, whatever lies under their name."""

from __future__ import annotations

import os
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


def _check_size(num_bytes: int, kind: str, path: str, max_bytes: int) -> None:
    if num_bytes == 0:
        raise DataError(f'{kind} {path} is empty: it has 0 bytes')
    if num_bytes > max_bytes:
        raise DataError(
            f'{kind} {path} has {num_bytes} bytes, at most {max_bytes} are '
            'read'
        )
