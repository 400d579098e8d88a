"""Frames of a video at given times."""

from __future__ import annotations

import itertools
import os
import struct
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import av
import numpy as np

from mmavs.datasets.errors import DataError

from .container import VideoFile, VideoLimits
from .orientation import upright

# The last frame stays for as long after the end of a video.
END_TOLERANCE_S = Fraction(1, 4)
# In frames.
_FINE_TICK = Fraction(1, 4)
# Up to here it is not worth while to seek.
_SEEK_FROM_S = 4


class VideoEndsError(DataError):
    """A video ends before a frame that is needed.

    Args:
        message: Names the file and the rule.
        end_s: Where it ends, in seconds since the first frame.
    """

    # As with all errors, a copy for another process begins with the message.
    def __init__(self, message: str, end_s: float = 0.0) -> None:
        super().__init__(message)
        self.end_s = end_s


@dataclass(frozen=True, eq=False)
class VideoFrame:
    """A frame of a video.

    Attributes:
        image: (H, W, 3) uint8 RGB, upright; pixels as stored, that is
            without regard to a pixel aspect ratio.
        time_s: when it appears, in seconds since the first frame.
    """

    image: np.ndarray
    time_s: float


def read_frames(
    path: str | os.PathLike,
    times_s: Iterable[float],
    limits: VideoLimits | None = None,
) -> Iterator[VideoFrame]:
    """Read what is on screen at given times.

    That is the last frame that has appeared by then, whatever the frame
    rate; in a video of constant rate r its index is floor(r t). The video is
    decoded as a stream from the key frame before the first time: memory
    depends neither on its length nor on the number of frames asked for.

    Args:
        path: The video.
        times_s: Seconds since the first frame, ascending.
        limits: What reading may take.

    Yields:
        VideoFrame: One for each time.

    Raises:
        ValueError: If the times are negative or not ascending.
        MissingDataError: If there is no such file.
        VideoEndsError: If it ends before the last time.
        DataError: If the file is no video, has no video track or no frames,
            is damaged up to the last time, or exceeds a limit.
    """
    times = [Fraction(t) for t in times_s]
    if sorted(times) != times or (times and times[0] < 0):
        raise ValueError(
            f'times_s must be ascending from 0, got {list(map(float, times))}'
        )
    if not times:
        return
    with VideoFile(path, limits) as file:
        origin = first_frame_time(file)
        frames = _frames_from(file, origin, times[0])
        yield from _frames_at(file.path, frames, times)


def first_frame_time(file: VideoFile) -> Fraction:
    """When the first frame appears, on the clock of the container.

    Args:
        file: An open video; it is at its beginning before and after.

    Returns:
        Seconds.

    Raises:
        DataError: If there is no video track or no frame.
    """
    first = next(file.decode('video'), None)
    if first is None:
        raise DataError(f'{file.path} has no frame that can be decoded')
    file.rewind()
    return first[0] or Fraction(0)


def _frames_from(
    file: VideoFile, origin: Fraction, start: Fraction
) -> Iterator[tuple[Fraction, Any]]:
    """Decode from the key frame before ``start``, or from the beginning.

    Indices of containers may be wrong or missing: only a first frame that
    is not too late shows that seeking led to the right place.

    Args:
        file: An open video, at its beginning.
        origin: Time of the first frame on the clock of the container.
        start: Seconds since the first frame.

    Yields:
        As :func:`_timed_frames` does.
    """
    for back_s in (0, 10) if start > _SEEK_FROM_S else ():
        try:
            file.seek('video', origin + start - back_s)
            frames = _timed_frames(file, origin)
            time, frame = next(frames)
        except (av.FFmpegError, DataError, StopIteration):
            continue
        if frame.pts is not None and time <= start:
            return itertools.chain([(time, frame)], frames)
    if start > _SEEK_FROM_S:
        file.rewind()
    return _timed_frames(file, origin)


def _timed_frames(
    file: VideoFile, origin: Fraction
) -> Iterator[tuple[Fraction, Any]]:
    """Decode the frames with their times.

    Where the video has a constant rate, what the container made of the times
    by rounding is undone. A frame without a timestamp follows the one before
    it at that rate; one that is earlier than the one before is left out.

    Args:
        file: An open video; decoding begins where it is.
        origin: Time of the first frame on the clock of the container.

    Yields:
        Seconds since the first frame, and the frame.
    """
    stream = file.stream('video')
    rate = stream.average_rate or stream.guessed_rate
    # A tick that is hardly shorter than a frame is what it is by design.
    is_rounded = rate and rate * stream.time_base < _FINE_TICK
    last: Fraction | None = None
    for time, frame in file.decode('video'):
        if time is not None:
            time -= origin
            if is_rounded:
                exact = round(time * rate) / rate
                if abs(exact - time) < stream.time_base:
                    time = exact
        elif last is None:
            time = Fraction(0)
        elif rate:
            time = last + 1 / rate
        else:
            raise DataError(
                f'{file.path} has neither timestamps nor a frame rate'
            )
        if last is None or time >= last:
            last = time
            yield time, frame


def _frames_at(
    path: str,
    frames: Iterator[tuple[Fraction, Any]],
    times: Sequence[Fraction],
) -> Iterator[VideoFrame]:
    """Pick the frames of ascending times, in seconds since the first."""
    shown_time, shown = next(frames)
    upcoming = next(frames, None)
    picked, gap = None, Fraction(0)
    for time in times:
        while upcoming is not None and upcoming[0] <= time:
            gap = upcoming[0] - shown_time
            shown_time, shown = upcoming
            picked = None
            upcoming = next(frames, None)
        if upcoming is None:
            # Not every container tells how long the last frame lasts.
            end = shown_time + (shown.duration * shown.time_base or gap)
            if time > end + END_TOLERANCE_S:
                raise VideoEndsError(
                    f'{path} is too short: it ends at {float(end):.2f} s, '
                    f'a frame is needed at {float(time):.2f} s',
                    float(end),
                )
        if picked is None:
            if shown.is_corrupt:
                raise DataError(
                    f'{path}: the video is damaged at '
                    f'{float(shown_time):.2f} s'
                )
            picked = VideoFrame(_image(shown), float(shown_time))
        yield picked


def _image(frame: Any) -> np.ndarray:
    # swscale takes a thread for each core otherwise.
    image = frame.to_ndarray(format='rgb24', threads=1)
    if not frame.rotation:
        return image
    matrix = bytes(frame.side_data['DISPLAYMATRIX'])
    return upright(image, struct.unpack('=9i', matrix))
