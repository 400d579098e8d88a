"""What is in a folder: frames, sounds, videos."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from mmavs.datasets.errors import DataError, MissingDataError
from mmavs.datasets.videos.container import VIDEO_SUFFIXES

FRAME_SUFFIXES = frozenset('.jpeg .jpg .png'.split())
SOUND_SUFFIXES = frozenset('.aac .flac .m4a .mp3 .ogg .opus .wav'.split())


@dataclass(frozen=True)
class FolderContent:
    """Files of a folder by their extensions, each kind in natural order.

    Frames and one sound are a recording, and videos are recordings of their
    own; a folder is one or the other.

    Attributes:
        frames: PNG and JPEG files.
        sounds: audio files.
        videos: video files.
    """

    frames: tuple[Path, ...]
    sounds: tuple[Path, ...]
    videos: tuple[Path, ...]

    @property
    def is_recording(self) -> bool:
        """Whether this is frames and their sound."""
        return bool(self.frames) and len(self.sounds) == 1

    @classmethod
    def of(cls, folder: str | os.PathLike) -> FolderContent:
        """List a folder, but not the folders in it nor hidden files.

        Raises:
            MissingDataError: if there is no such folder.
            DataError: if it cannot be listed, or has videos beside frames
                and their sound.
        """
        try:
            paths = sorted(Path(folder).iterdir(), key=_natural_key)
        except FileNotFoundError as error:
            raise MissingDataError(
                f'folder {folder} does not exist'
            ) from error
        except OSError as error:
            raise DataError(
                f'folder {folder} cannot be listed: {error.strerror}'
            ) from error
        paths = [
            path
            for path in paths
            if path.is_file() and not path.name.startswith('.')
        ]
        content = cls(
            *(
                tuple(p for p in paths if p.suffix.lower() in suffixes)
                for suffixes in (
                    FRAME_SUFFIXES,
                    SOUND_SUFFIXES,
                    VIDEO_SUFFIXES,
                )
            )
        )
        if content.is_recording and content.videos:
            raise DataError(
                f'{os.fspath(folder)} is ambiguous: it has '
                f'{len(content.frames)} frames (PNG, JPEG) with one audio '
                f'file, which are a recording, and {len(content.videos)} '
                'videos. Give the videos one by one, or move them or the '
                'frames to another folder'
            )
        return content


def _natural_key(path: Path) -> tuple:
    """Numbers in a name count as numbers: 2 comes before 10."""
    parts = re.split(r'([0-9]+)', path.name)
    return tuple(
        (int(part), part) if i % 2 else part for i, part in enumerate(parts)
    )
