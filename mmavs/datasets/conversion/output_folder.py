"""The folder that a conversion fills, in one run or in several."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

MARKER = 'videos_to_avsbench.json'
_UNDER_WAY = '.under_way'


class OutputFolder:
    """A folder in which every file is there as a whole or not at all.

    Args:
        root: The folder; it need not exist.
    """

    def __init__(self, root: str | os.PathLike) -> None:
        self.root = Path(root)

    def begin(self, options: dict) -> None:
        """Mark it as that of a conversion, or find that it is.

        As long as no files of clips are there, other options than those of
        the run before take their place.

        Args:
            options: What makes the files what they are; ``made_by`` names
                the converter.

        Raises:
            FileExistsError: If it holds anything else.
        """
        marker = self.root / MARKER
        try:
            existing = json.loads(marker.read_bytes())
        except FileNotFoundError:
            if self.root.exists() and (
                {path.name for path in self.root.iterdir()} - {_UNDER_WAY}
            ):
                raise FileExistsError(
                    f'{self.root} is not empty and was not made by this '
                    f'converter (it has no {MARKER}): choose another folder'
                ) from None
        except ValueError as error:
            raise FileExistsError(
                f'{marker} is not that of this converter: {error}'
            ) from error
        else:
            if existing == options:
                return
            made_by = isinstance(existing, dict) and existing.get('made_by')
            if made_by != options['made_by']:
                raise FileExistsError(
                    f'{marker} is not that of this converter: choose another '
                    'folder'
                )
            # Clips lie in folders, and so does what a run has under way.
            if any(path.is_dir() for path in self.root.iterdir()):
                raise FileExistsError(
                    f'{self.root} has clips made in another way '
                    f'({_differences(existing, options)}): choose another '
                    f'folder, or delete {self.root} to make them anew'
                )
        self.write(MARKER, f'{json.dumps(options, indent=1)}\n'.encode())

    def write(self, path: str, content: bytes) -> None:
        """Write a file in one step.

        Args:
            path: Relative to the folder, with forward slashes.
            content: Its bytes.
        """
        # Processes that write at once do not write to the same file here.
        under_way = self.root / _UNDER_WAY / str(os.getpid())
        under_way.parent.mkdir(parents=True, exist_ok=True)
        under_way.write_bytes(content)
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        os.replace(under_way, target)

    def has(self, path: str) -> bool:
        """Whether a file is there and not empty."""
        try:
            return (self.root / path).stat().st_size > 0
        except OSError:
            return False

    def end(self) -> None:
        """Remove what a run that ended early left unfinished."""
        shutil.rmtree(self.root / _UNDER_WAY, ignore_errors=True)


def _differences(before: dict, now: dict) -> str:
    """Name the options that are not what they were."""
    names = [n for n in {**before, **now} if before.get(n) != now.get(n)]
    return ', '.join(
        'the CSV has changed'
        if name == 'csv_sha256'
        else f'{name} was {before.get(name)}, is {now.get(name)}'
        for name in names
    )
