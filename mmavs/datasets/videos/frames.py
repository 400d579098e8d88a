"""Frames of a video at given times."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from mmavs.datasets.errors import DataError

from .container import MAX_GAP_S, VideoLimits
from .failures import reading
from .pictures import ShownPicture, shown_pictures

# The last frame stays for as long after the end of a video.
END_TOLERANCE_S = Fraction(1, 4)


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
        end_s: when it disappears, None if that is not known. Of the last
            frame of a video it may be a guess.
    """

    image: np.ndarray
    time_s: float
    end_s: float | None = None


def read_frames(
    path: str | os.PathLike,
    times_s: Iterable[float | Fraction],
    limits: VideoLimits | None = None,
) -> Iterator[VideoFrame]:
    """Read what is on screen at given times, all of which must be there.

    That is the last frame that has appeared by then, whatever the frame
    rate; in a video of constant rate r its index is floor(r t). The video is
    decoded as a stream from the key frame before the first time: memory
    depends neither on its length nor on the number of frames asked for. All
    frames are of one size: where it changes, that of the first one.

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
    times = list(_ascending(times_s))
    yield from _frames_at(path, iter(times), END_TOLERANCE_S, limits)


def stream_frames(
    path: str | os.PathLike,
    times_s: Iterable[float | Fraction] | None = None,
    tolerance_s: float | Fraction = 0.0,
    limits: VideoLimits | None = None,
) -> Iterator[VideoFrame]:
    """Read what is on screen at given times, up to the end of the video.

    Like :func:`read_frames`, but the times may go on for ever.

    Args:
        path: The video.
        times_s: Seconds since the first frame, ascending; None: every frame
            that is shown for some time, when it appears.
        tolerance_s: With 0, the last time is before the end of the video;
            else it may be as long after it.
        limits: What reading may take.

    Yields:
        VideoFrame: One for each time, or one for each frame.

    Raises:
        ValueError: If the times are negative or not ascending.
        MissingDataError: If there is no such file.
        DataError: If the file is no video, has no video track or no frames,
            is damaged or truncated, or exceeds a limit.
    """
    if times_s is None:
        for picture in shown_pictures(path, limits=limits):
            _check_still(path, picture)
            yield _to_frame(path, picture)
        return
    try:
        yield from _frames_at(
            path, _ascending(times_s), Fraction(tolerance_s), limits, True
        )
    except VideoEndsError:
        pass


def _ascending(times_s: Iterable[float | Fraction]) -> Iterator[Fraction]:
    before = Fraction(0)
    for time_s in times_s:
        time = Fraction(time_s)
        if time < before:
            raise ValueError(
                f'times_s must be ascending from 0, got {float(time):g} after '
                f'{float(before):g}'
            )
        yield time
        before = time


def _frames_at(
    path: str | os.PathLike,
    times: Iterator[Fraction],
    tolerance: Fraction,
    limits: VideoLimits | None,
    checks_stills: bool = False,
) -> Iterator[VideoFrame]:
    """Pick the frames of ascending times, in seconds since the first."""
    first = next(times, None)
    if first is None:
        return
    pictures = shown_pictures(path, first, limits)
    shown = next(pictures)
    frame = None
    for time in itertools.chain([first], times):
        while shown.end <= time and not shown.is_last:
            shown, frame = next(pictures), None
        if time > shown.end + tolerance or (
            # Without a tolerance there is nothing to be seen at the end.
            shown.is_last and not tolerance and time == shown.end
        ):
            raise VideoEndsError(
                f'{os.fspath(path)} is too short: it ends at '
                f'{float(shown.end):.2f} s, a frame is needed at '
                f'{float(time):.2f} s',
                float(shown.end),
            )
        if frame is None:
            if checks_stills:
                _check_still(path, shown)
            frame = _to_frame(path, shown)
        yield frame


def _check_still(path: str | os.PathLike, picture: ShownPicture) -> None:
    if picture.end - picture.time > MAX_GAP_S:
        raise DataError(
            f'{os.fspath(path)} has no frame from '
            f'{float(picture.time):.2f} to {float(picture.end):.2f} s: its '
            'timestamps are broken'
        )


def _to_frame(path: str | os.PathLike, picture: ShownPicture) -> VideoFrame:
    with reading(path):
        if picture.frame.is_corrupt:
            raise DataError(
                f'{os.fspath(path)}: the video is damaged at '
                f'{float(picture.time):.2f} s'
            )
        return VideoFrame(
            picture.image(), float(picture.time), float(picture.end)
        )
