"""What fails in a video file, as errors of ours."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import av

from mmavs.datasets.errors import DataError

# FFmpeg's errors, and what PyAV raises for values it has no word for.
FAILURES = (
    av.FFmpegError,
    ArithmeticError,
    LookupError,
    MemoryError,
    OSError,
    RuntimeError,
    ValueError,
)


@contextmanager
def reading(path: str | os.PathLike) -> Iterator[None]:
    """Let what fails within leave as a :class:`DataError`.

    Args:
        path: The file, for the message.
    """
    try:
        yield
    except DataError:
        raise
    except FAILURES as error:
        raise data_error(path, error) from error


def data_error(
    path: str | os.PathLike, error: BaseException, failure: str | None = None
) -> DataError:
    reason = failure or getattr(error, 'strerror', None) or str(error)
    return DataError(f'{os.fspath(path)} cannot be read as a video: {reason}')
