"""The sound of a video of any length, read from its beginning to its end."""

from __future__ import annotations

import os
from fractions import Fraction
from types import TracebackType

from .container import VideoLimits
from .samples import placed_samples
from .sound_line import AudioStretch, SoundLine


class VideoSound:
    """The sound of an open video, read stretch by stretch in one pass.

    The stretches are those of :func:`read_audio`, number by number. Memory
    does not depend on the length of the video. A ``with`` block, or
    :meth:`close`, closes the file.

    Args:
        path: The video.
        sample_rate_hz: The rate to resample to.
        limits: What reading may take.
        history_s: How far a stretch may begin before the latest one.

    Raises:
        MissingDataError: If there is no such file.
        DataError: If the file is no video, has no audio track, is damaged at
            its beginning, or exceeds a limit.
    """

    def __init__(
        self,
        path: str | os.PathLike,
        sample_rate_hz: int = 16000,
        limits: VideoLimits | None = None,
        history_s: float = 2.0,
    ) -> None:
        self.sample_rate_hz = sample_rate_hz
        self.history_s = history_s
        self._line = SoundLine(
            os.fspath(path),
            placed_samples(path, limits=limits),
            sample_rate_hz,
            Fraction(history_s),
        )

    def __enter__(self) -> VideoSound:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def end_s(self) -> float | None:
        """Where the sound ends, in seconds since the first frame.

        None until reading has come there.
        """
        return self._line.end_s

    def read(
        self, start_s: float | Fraction, duration_s: float | Fraction
    ) -> AudioStretch:
        """Read a stretch; silence where the video has no sound.

        Args:
            start_s: Seconds since the first frame (since the first sample,
                in a file without pictures); at most ``history_s`` before
                the latest stretch.
            duration_s: Seconds.

        Returns:
            AudioStretch: It need not hold any sound; ``silent_s`` tells.

        Raises:
            ValueError: If the start is negative or too far back, or the
                duration is not positive or too long to be held in memory.
            DataError: If the file is damaged, or exceeds a limit.
        """
        return self._line.read(start_s, duration_s)

    def close(self) -> None:
        """Close the file."""
        self._line.close()
