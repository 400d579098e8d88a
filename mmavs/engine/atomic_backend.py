"""Files that are there as a whole or not at all."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from mmengine.fileio import LocalBackend, register_backend

BACKEND = 'atomic_local'
PARTIAL = '.partial'


def write_atomically(path: str | os.PathLike[str], content: bytes) -> None:
    """Write a file under another name beside it, then rename it.

    A process that is killed leaves the old file or the new one, and perhaps
    a file ``NAME.partial``. The content has reached the disk before it gets
    its name, so that a machine that loses its power does the same.

    Args:
        path: Of the file. Its folder is made where there is none.
        content: Of the file.

    Raises:
        OSError: If it cannot be written; the partial file is removed and
            what was there before is still there.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + PARTIAL)
    try:
        with partial.open('wb') as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)
    except BaseException:
        with suppress(OSError):
            partial.unlink(missing_ok=True)
        raise
    # The new name, too. Not every file system can, none has to.
    with suppress(OSError):
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


class AtomicLocalBackend(LocalBackend):
    """mmengine's backend of local files, whose writes are atomic."""

    def put(self, obj: bytes, filepath: str | Path) -> None:
        """Write a file.

        Args:
            obj: Its content.
            filepath: Its path.
        """
        write_atomically(filepath, obj)

    def put_text(
        self, obj: str, filepath: str | Path, encoding: str = 'utf-8'
    ) -> None:
        """Write a text file.

        Args:
            obj: Its content.
            filepath: Its path.
            encoding: Of the text.
        """
        write_atomically(filepath, obj.encode(encoding))


register_backend(BACKEND, AtomicLocalBackend, force=True)
