"""The pictures of a video, each with the time for which it is shown."""

from __future__ import annotations

import itertools
import os
import struct
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import av
import numpy as np

from mmavs.datasets.errors import DataError

from .container import VideoFile, VideoLimits
from .orientation import upright
from .picture_clock import PictureClock

# In frames.
_FINE_TICK = Fraction(1, 4)
# Frames per second of a file that does not tell; FFmpeg takes the same.
_ANY_RATE = Fraction(25)
# Up to here it is not worth while to seek.
_SEEK_FROM_S = 4


@dataclass(frozen=True, eq=False)
class ShownPicture:
    """A picture as it was decoded.

    Attributes:
        frame: PyAV's.
        time: when it appears, in seconds since the first one.
        end: when it disappears.
        is_last: whether none follows; ``end`` may be a guess then.
        first: the first picture of the video, PyAV's.
    """

    frame: Any
    time: Fraction
    end: Fraction
    is_last: bool
    first: Any

    def image(self) -> np.ndarray:
        """(H, W, 3) uint8 RGB, upright; of the size of the first picture."""
        return to_image(self.frame, self.first)


def shown_pictures(
    path: str | os.PathLike,
    start: Fraction = Fraction(0),
    limits: VideoLimits | None = None,
) -> Generator[ShownPicture]:
    """Decode the pictures of a video.

    Args:
        path: The video.
        start: Seconds since the first frame; the first picture is the one of
            this time, or an earlier one.
        limits: What reading may take.

    Yields:
        ShownPicture: At least one; each is shown for some time, and appears
        when the one before disappears.

    Raises:
        MissingDataError: If there is no such file.
        DataError: If the file is no video, has no video track or no frames,
            is damaged, or exceeds a limit.
    """
    with VideoFile(path, limits) as file:
        first = first_picture(file)
        pictures = _pictures_from(file, first, start)
        time, frame = next(pictures)
        lasted = Fraction(0)
        for next_time, next_frame in pictures:
            if next_time > time:
                lasted = next_time - time
                yield ShownPicture(frame, time, next_time, False, first)
            time, frame = next_time, next_frame
        # Not every container tells how long the last frame lasts.
        lasts = (frame.duration or 0) * (frame.time_base or Fraction(0))
        lasts = lasts or lasted or 1 / (picture_rate(file) or _ANY_RATE)
        yield ShownPicture(frame, time, time + lasts, True, first)


def first_picture(file: VideoFile) -> Any:
    """Decode the first frame, PyAV's.

    Args:
        file: An open video; it is at its beginning before and after.

    Raises:
        DataError: If there is no video track or no frame.
    """
    first = next(file.decode('video'), None)
    if first is None:
        raise DataError(f'{file.path} has no frame that can be decoded')
    file.rewind()
    return first


def display_matrix(frame: Any) -> tuple[int, ...]:
    """The nine numbers that tell how a picture is turned.

    Args:
        frame: PyAV's.
    """
    matrix = frame.side_data.get('DISPLAYMATRIX')
    if matrix is None:
        return (1, 0, 0, 0, 1, 0, 0, 0, 1)
    return struct.unpack('=9i', bytes(matrix))


def to_image(frame: Any, first: Any) -> np.ndarray:
    """Convert a picture: (H, W, 3) uint8 RGB, upright.

    Args:
        frame: PyAV's.
        first: The first one of the video, to whose size it is scaled.
    """
    image = frame.to_ndarray(
        format='rgb24',
        width=first.width,
        height=first.height,
        # swscale takes one for each core otherwise.
        threads=1,
    )
    # Once looked at, the side data and their frame hold each other until the
    # garbage is collected, hundreds of frames later.
    is_turned_alike = frame.rotation == first.rotation
    return upright(image, display_matrix(first if is_turned_alike else frame))


def _pictures_from(
    file: VideoFile, first: Any, start: Fraction
) -> Iterator[tuple[Fraction, Any]]:
    """Decode from the key frame before ``start``, or from the beginning.

    Indices of containers may be wrong or missing: only a first frame that
    is not too late shows that seeking led to the right place.

    Args:
        file: An open video, at its beginning.
        first: Its first frame.
        start: Seconds since the first frame.

    Yields:
        As :func:`_timed_pictures` does.
    """
    origin = PictureClock(file, first).origin
    for back_s in (0, 10) if start > _SEEK_FROM_S else ():
        try:
            file.seek('video', origin + start - back_s)
            pictures = _timed_pictures(file, first, None)
            time, frame = next(pictures)
        except (av.FFmpegError, DataError, StopIteration):
            continue
        if time <= start:
            return itertools.chain([(time, frame)], pictures)
    if start > _SEEK_FROM_S:
        file.rewind()
    return _timed_pictures(file, first, Fraction(0))


def _timed_pictures(
    file: VideoFile, first: Any, begin: Fraction | None
) -> Iterator[tuple[Fraction, Any]]:
    """Decode the frames with their times.

    Where the video has a constant rate, what the container made of the times
    by rounding is undone. A frame without a timestamp follows the one before
    it at that rate; one that is earlier than the one before is left out.

    Args:
        file: An open video; decoding begins where it is.
        first: The first frame of the video.
        begin: When the first of them appears if it has no timestamp; None if
            that is not known.

    Yields:
        Seconds since the first frame, and the frame.
    """
    clock = PictureClock(file, first)
    tick = file.stream('video').time_base
    rate = picture_rate(file)
    # A tick that is hardly shorter than a frame is what it is by design.
    is_rounded = rate and rate * tick < _FINE_TICK
    last: Fraction | None = None
    for frame in file.decode('video'):
        time = clock.time(frame)
        if time is not None:
            if rate and is_rounded:
                exact = round(time * rate) / rate
                if abs(exact - time) < tick:
                    time = exact
        elif last is None and begin is not None:
            time = begin
        elif last is not None and rate:
            time = last + 1 / rate
        else:
            raise DataError(
                f'{file.path} has neither timestamps nor a frame rate'
            )
        if last is None or time >= last:
            last = time
            yield time, frame


def picture_rate(file: VideoFile) -> Fraction | None:
    """Frames per second on average, None if unknown."""
    stream = file.stream('video')
    return stream.average_rate or stream.guessed_rate or None
