"""How large a file may be that somebody gives to the page."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass

from mmavs.datasets.errors import DataError
from mmavs.datasets.videos import VideoLimits
from mmavs.datasets.videos.samples import placed_samples

MEGABYTE = 2**20  # as browsers count
# Of sound that is as long as it may be it takes no second.
_SCAN = VideoLimits(max_wall_s=30)


@dataclass(frozen=True)
class Limits:
    """How large a file may be.

    Attributes:
        max_megabytes: in units of 2^20 bytes.
        max_seconds: of its pictures, and of its sound.
    """

    max_megabytes: float = 50
    max_seconds: float = 60

    def check_size(self, path: str) -> None:
        """Raise a DataError if a file has too many bytes, or is gone."""
        if not os.path.exists(path):
            raise DataError(f'{path} is not here any more: upload it again')
        megabytes = os.path.getsize(path) / MEGABYTE
        if megabytes > self.max_megabytes:
            raise DataError(
                f'{path} has {megabytes:.1f} MB, files on this page have at '
                f'most {self.max_megabytes:g} MB'
            )

    def check_time(self, path: str, what: str, time_s: float) -> None:
        """Raise a DataError if something is later than a file may last.

        Args:
            path: The file.
            what: 'pictures' or 'sound', for the message.
            time_s: When it is.
        """
        # A second more: the last frame may stand for more than is left.
        if time_s > self.max_seconds + 1:
            raise DataError(
                f'{path} is too long: its {what} may last at '
                f'most {self.max_seconds:g} s on this page'
            )

    def check_sound(self, path: str, go_on: Callable[[], None]) -> None:
        """Raise a DataError if a file has too much sound.

        A small file can hold hours of it, and need not say so: it is decoded,
        as far as it may be long. Whatever reads it later ends there, too.

        Args:
            path: The file; it has an audio track.
            go_on: Called again and again; what it raises ends the reading.
        """
        begin = None
        blocks = placed_samples(path, limits=_SCAN)
        try:
            for block in blocks:
                go_on()
                # Also what comes before the first frame has to be read.
                begin = block.begin if begin is None else begin
                length_s = (block.end - min(begin, 0)) / block.rate_hz
                self.check_time(path, 'sound', length_s)
        finally:
            blocks.close()
