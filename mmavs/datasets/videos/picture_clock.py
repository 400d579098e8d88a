"""When the pictures of a video appear."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from .container import VideoFile


class PictureClock:
    """Tells when decoded pictures appear, by one of their two timestamps.

    A decoder hands out pictures in the order in which they appear. In a
    sound file both of their timestamps ascend then: when each appears (pts),
    and when the packet was due that let it out (dts), later by a constant.
    AVI has no room for the former; what FFmpeg puts in its place for H.264
    is the order of storage, which goes back wherever that is another one.

    So failures are counted: a pts that goes back, a dts that does not go on.
    The one that has failed less often is taken; where they are equal it is
    the pts, but the dts in a container without. Both count from the first
    picture.

    Args:
        file: An open video.
        first: Its first picture, PyAV's.

    Attributes:
        origin: when the first picture appears, in seconds on the clock of
            the container.
    """

    def __init__(self, file: VideoFile, first: Any) -> None:
        stream = file.stream('video')
        self._tick = stream.time_base
        self._first_pts, self._first_dts = first.pts or 0, first.dts
        self._pts: int | None = None
        self._dts: int | None = None
        self._dts_failures = 0
        self._pts_failures = 0 if file.stores_pts else 1
        # Where the dts is taken, that of the first packet, not its picture.
        start = stream.start_time or 0 if self._is_dts else self._first_pts
        self.origin: Fraction = start * self._tick

    @property
    def _is_dts(self) -> bool:
        return (
            self._first_dts is not None
            and self._dts_failures < self._pts_failures
        )

    def time(self, frame: Any) -> Fraction | None:
        """Seconds since the first picture; None without a timestamp.

        Args:
            frame: The next picture that was decoded, PyAV's.
        """
        pts, dts = frame.pts, frame.dts
        if pts is not None:
            self._pts_failures += self._pts is not None and pts < self._pts
            self._pts = pts
        if dts is not None:
            self._dts_failures += self._dts is not None and dts <= self._dts
            self._dts = dts
        if self._is_dts:
            pts, first = dts, self._first_dts
        else:
            first = self._first_pts
        return None if pts is None else (pts - first) * self._tick
