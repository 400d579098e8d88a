"""Video files opened through PyAV, within limits and with errors of ours."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import av

from mmavs.datasets.errors import DataError, MissingDataError

from .failures import FAILURES, data_error
from .file_bytes import FileBytes

# Where a track has nothing for longer, its timestamps are broken.
MAX_GAP_S = 6 * 3600

# Sidecars of a video, a thumbnail say, have its name as well.
VIDEO_SUFFIXES = frozenset(
    '.3gp .asf .avi .flv .m2ts .m4v .mkv .mov .mp4 .mpeg .mpg .mts .mxf .ogv '
    '.ts .vob .webm .wmv'.split()
)


@dataclass(frozen=True)
class VideoLimits:
    """What reading one video may take.

    Attributes:
        max_pixels: largest width x height of a frame.
        max_wall_s: longest time in seconds that one call may read and
            decode. Of what is read as a stream, all that happens between
            opening and closing counts: it needs ``math.inf``.
    """

    max_pixels: int = 40_000_000
    max_wall_s: float = 300.0


class VideoFile:
    """A video file, open for reading within a ``with`` block.

    The container's bytes are all that FFmpeg gets to see: no name, which it
    would take for a protocol or a pattern of names, and no other file, which
    a playlist may name. Whatever fails within the block leaves it as a
    :class:`DataError` that names the file.

    Args:
        path: The file; any name, any container FFmpeg knows.
        limits: What reading may take.

    Raises:
        MissingDataError: If there is no such file.
        DataError: If it is not a file, FFmpeg does not read it, it is
            damaged, or a limit is exceeded.
    """

    def __init__(
        self, path: str | os.PathLike, limits: VideoLimits | None = None
    ) -> None:
        self.path = os.fspath(path)
        self.limits = limits or VideoLimits()

    def __enter__(self) -> VideoFile:
        deadline_s = time.monotonic() + self.limits.max_wall_s
        try:
            self._bytes = FileBytes(self.path, deadline_s)
            self._open()
        except BaseException as error:
            self._close()
            self._report(error)
            raise
        return self

    def __exit__(self, kind, error, traceback) -> None:
        self._close()
        self._report(error)

    def _open(self) -> None:
        self._bytes.seek(0)
        self._container: Any = av.open(
            self._bytes,
            metadata_errors='replace',
            options=dict(
                max_pixels=str(self.limits.max_pixels),
                # No protocol, not even for files, has this name.
                protocol_whitelist='none',
            ),
        )

    def _close(self) -> None:
        for name in ('_container', '_bytes'):
            if hasattr(self, name):
                getattr(self, name).close()

    def _report(self, error: BaseException | None) -> None:
        """Raise an error as one of ours; others pass."""
        failure = getattr(getattr(self, '_bytes', None), 'failure', None)
        if isinstance(error, FileNotFoundError) and not failure:
            raise MissingDataError(
                f'video {self.path} does not exist'
            ) from error
        if isinstance(error, FAILURES) and (
            failure or not isinstance(error, DataError)
        ):
            raise data_error(self.path, error, failure) from error

    def rewind(self) -> None:
        """Start anew, as after opening."""
        self._container.close()
        self._open()

    def has(self, kind: str) -> bool:
        """Whether there is a track of a kind, ``video`` or ``audio``.

        A cover picture is none.
        """
        return bool(self._tracks(kind))

    def _tracks(self, kind: str) -> list[Any]:
        cover = av.stream.Disposition.attached_pic
        return [
            stream
            for stream in self._container.streams
            if stream.type == kind and not stream.disposition & cover
        ]

    def stream(self, kind: str) -> Any:
        """The track that players choose.

        Args:
            kind: ``video`` or ``audio``.

        Raises:
            DataError: If there is none, its codec is unknown or its frames
                are too large.
        """
        tracks = self._tracks(kind)
        if not tracks:
            raise DataError(f'{self.path} has no {kind} track')
        best = self._container.streams.best(kind)
        stream = best if best in tracks else tracks[0]
        context = stream.codec_context
        if context is None:
            raise DataError(f'{self.path}: the codec of its {kind} is unknown')
        if kind == 'video':
            self._check_size(context.width, context.height)
        if not context.is_open:
            context.thread_count = 1  # not one for each core
            context.options = dict(max_pixels=str(self.limits.max_pixels))
        return stream

    def seek(self, kind: str, seconds: Fraction) -> None:
        """Go to the last point before a time where decoding can begin.

        Args:
            kind: ``video`` or ``audio``, which track is decoded next.
            seconds: On the clock of the container.

        Raises:
            av.FFmpegError: If the container cannot do that.
        """
        stream = self.stream(kind)
        # Rounded down, so as not to end up behind it.
        ticks = int(seconds // stream.time_base)
        self._container.seek(ticks, backward=True, stream=stream)

    @property
    def stores_pts(self) -> bool:
        """Whether the container has room for when a picture appears."""
        return self._container.format.name != 'avi'

    def decode(self, kind: str) -> Iterator[Any]:
        """Decode a track from where the file is.

        A recording may begin in the middle of what needs earlier data;
        what does not decode later on is damage.

        Args:
            kind: ``video`` or ``audio``.

        Yields:
            PyAV's frames, in the order in which they are shown or heard.

        Raises:
            DataError: If there is no such track, a packet is incomplete
                or does not decode, or the end of the file is missing.
        """
        begun = False
        for packet in self._container.demux(self.stream(kind)):
            self._bytes.check()
            # The flag is what is left of a file that ends too early.
            damaged = packet.is_corrupt
            try:
                frames = packet.decode()
            except av.error.InvalidDataError:
                frames, damaged = [], True
            if damaged and begun:
                self._check_end()
                raise DataError(f'{self.path}: the {kind} is damaged')
            for frame in frames:
                begun = True
                if kind == 'video':
                    self._check_size(frame.width, frame.height)
                yield frame
        self._check_end()

    def header_duration(self, kind: str) -> Fraction | None:
        """Seconds that a track lasts, as the file says.

        Args:
            kind: ``video`` or ``audio``.
        """
        stream = self.stream(kind)
        if stream.duration:
            return stream.duration * stream.time_base
        if self._container.duration:
            return Fraction(self._container.duration, av.time_base)
        return None

    def _check_end(self) -> None:
        size, promised = self._bytes.size, self._bytes.promised_size()
        if size < promised:
            raise DataError(
                f'{self.path} is truncated: it has {size:,} of '
                f'{promised:,} bytes'
            )

    def _check_size(self, width: int, height: int) -> None:
        if width * height > self.limits.max_pixels:
            raise DataError(
                f'{self.path}: a frame may have {self.limits.max_pixels} '
                f'pixels, got {width} x {height}'
            )
