"""The bytes of a video file, as FFmpeg gets to see them."""

from __future__ import annotations

import os
import stat
import time

from mmavs.datasets.errors import DataError

from .file_end import promised_bytes


class FileBytes:
    """The bytes of a file for FFmpeg, until a deadline.

    Errors of reading are kept in ``failure`` and end the file there: PyAV
    would raise them in a later call, of another file even.

    Args:
        path: The file.
        deadline_s: Until when it may be read, on the monotonic clock.

    Attributes:
        size: its number of bytes.
        failure: what went wrong, None so far.

    Raises:
        FileNotFoundError: If there is no such file.
        DataError: If it is no file but a folder or a pipe.
    """

    def __init__(self, path: str, deadline_s: float) -> None:
        # Opening a pipe waits for its other end.
        if not stat.S_ISREG(os.stat(path).st_mode):
            raise DataError(f'{path} is not a file')
        self._file = open(path, 'rb')  # noqa: SIM115
        self._deadline_s = deadline_s
        self.size = os.fstat(self._file.fileno()).st_size
        self.failure: str | None = None

    def read(self, size: int) -> bytes:
        """Read up to ``size`` bytes, none where there are none."""
        if self.failure or time.monotonic() > self._deadline_s:
            self.failure = self.failure or 'it takes too long'
            return b''
        try:
            return self._file.read(size)
        except OSError as error:
            self.failure = str(error)
            return b''

    def seek(self, offset: int, whence: int = 0) -> int:
        """Go to a place, as files do."""
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        """Place of the next byte."""
        return self._file.tell()

    def promised_size(self) -> int:
        """How long the file must be, 0 if that is not known."""
        place = self._file.tell()
        promised = promised_bytes(self._file)
        self._file.seek(place)
        return promised

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def check(self) -> None:
        """Raise what reading came upon, or that time is over."""
        if time.monotonic() > self._deadline_s:
            self.failure = self.failure or 'it takes too long'
        if self.failure:
            raise DataError(self.failure)
