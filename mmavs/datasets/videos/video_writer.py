"""A video of pictures with their sound that plays everywhere."""

from __future__ import annotations

import errno
import math
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from .picture_encoder import PictureEncoder
from .sound_encoder import SoundEncoder
from .sound_track import SoundTrack

# The index comes first: browsers play before they have all of it.
_OPTIONS = {'movflags': 'faststart'}


class VideoWriter:
    """Writes pictures and their sound to an mp4 file.

    H.264 and AAC, the index at the front: it plays in browsers and on
    phones. Sound and pictures begin together and stay together to the
    sample; the file lasts as long as the longer of them, but an endless
    sound stops with the pictures. Sound is taken from its track as the
    pictures go along, so that memory does not depend on the length.

    The file appears when it is complete. A ``with`` block that ends with an
    error leaves nothing, and an older file as it was.

    Args:
        path: The file.
        size: (H, W) of the pictures. Odd ones are even in the file, by
            repeating the edge.
        sound: Begins with the first picture. Its iterator is closed in the
            end.
        sample_aspect_ratio: Width of a pixel by its height.

    Raises:
        ValueError: If the size or the ratio is not positive.
        OSError: If the file cannot be written.
    """

    def __init__(
        self,
        path: str | os.PathLike,
        size: tuple[int, int],
        sound: SoundTrack | None = None,
        sample_aspect_ratio: Fraction | float = 1,
    ) -> None:
        if min(size) < 1 or not 0 < sample_aspect_ratio < math.inf:
            raise ValueError(
                'size and sample_aspect_ratio must be positive, got '
                f'{tuple(size)} and {sample_aspect_ratio}'
            )
        self.path = Path(path)
        self.size = (int(size[0]), int(size[1]))
        self._until_s: float | Fraction = 0
        self._partial = self.path.with_name(f'{self.path.name}.partial')
        self._source = sound
        self._container: Any = None
        self._pictures: Any = None
        self._sound: SoundEncoder | None = None
        try:
            with self._naming_the_file():
                self._open(Fraction(sample_aspect_ratio))
        except BaseException:
            self._discard()
            raise

    def _open(self, sample_aspect_ratio: Fraction) -> None:
        if self.path.is_dir():
            raise IsADirectoryError(
                errno.EISDIR, os.strerror(errno.EISDIR), str(self.path)
            )
        try:
            self._partial.open('wb').close()
        except OSError as error:
            raise OSError(
                error.errno, error.strerror, str(self.path)
            ) from error
        self._container = av.open(
            # Names may begin like a protocol.
            f'file:{self._partial}',
            'w',
            format='mp4',
            container_options=_OPTIONS,
        )
        self._pictures = PictureEncoder(
            self._container, self.size, sample_aspect_ratio
        )
        if self._source is not None:
            self._sound = SoundEncoder(self._container, self._source)

    def __enter__(self) -> VideoWriter:
        return self

    def __exit__(self, kind, error, traceback) -> None:
        if error is None:
            self.close()
        else:
            self._discard()

    def add(self, image: np.ndarray, until_s: float | Fraction) -> None:
        """Show a picture from the end of the one before, or from 0.

        Args:
            image: RGB.
            until_s: Its end, in seconds since the first one appeared.

        Shapes:
            - image: (H, W, 3) uint8.

        Raises:
            ValueError: If the picture has another size or type, its end is
                not behind the one before, or the file is closed.
            OSError: If the file cannot be written.
        """
        if self._container is None:
            raise ValueError(f'{self.path} is closed')
        shape = (*self.size, 3)
        if image.shape != shape or image.dtype != np.uint8:
            raise ValueError(
                f'{self.path}: a picture must be {shape} uint8, got '
                f'{image.shape} {image.dtype}'
            )
        if not self._until_s < until_s < math.inf:
            raise ValueError(
                f'{self.path}: times must ascend from 0, got '
                f'{float(until_s)} after {float(self._until_s)}'
            )
        self._until_s = until_s
        with self._naming_the_file():
            for time_s in self._pictures.write(image, until_s):
                if self._sound is not None:
                    self._sound.write(time_s)

    def close(self) -> None:
        """Write what is left of the sound, and make the file appear.

        Of an endless sound nothing is left: it ends with the pictures.

        Raises:
            ValueError: If there is no picture.
            OSError: If the file cannot be written.
        """
        if self._container is None:
            return
        try:
            if not self._until_s:
                raise ValueError(f'{self.path}: there is no picture to write')
            with self._naming_the_file():
                self._pictures.finish()
                if self._sound is not None:
                    self._sound.finish()
                self._container.close()
            self._partial.replace(self.path)
        finally:
            self._discard()

    def _discard(self) -> None:
        """Let go of everything; of the file too if it is not complete."""
        if self._container is not None:
            # It tries to write the end of what it could not write.
            with suppress(av.FFmpegError):
                self._container.close()
        self._container = self._pictures = self._sound = None
        # A generator holds its file open.
        close = getattr(self._source and self._source.chunks, 'close', None)
        if close is not None:
            close()
        with suppress(OSError):
            self._partial.unlink()

    @contextmanager
    def _naming_the_file(self) -> Iterator[None]:
        try:
            yield
        except av.FFmpegError as error:
            raise OSError(
                error.errno, error.strerror, str(self.path)
            ) from error
