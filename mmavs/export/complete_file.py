"""Files that are complete or not there."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def complete_file(path: str | os.PathLike) -> Iterator[Path]:
    """Give a name to write to, which becomes ``path`` if nothing is raised.

    Otherwise what was written is removed, and a file that was there before
    stays.

    Args:
        path: of the file; its folder is made if needed.
    """
    path = Path(path).expanduser()
    path.parent.mkdir(parents=True, exist_ok=True)
    # With the ending, which torch looks at.
    partial = path.with_name(f'.{os.getpid()}.partial.{path.name}')
    try:
        yield partial
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)
