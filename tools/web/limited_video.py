"""A video whose pictures are looked at while they are read."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from mmavs.datasets.videos import VideoFrame
from mmavs.inference.recordings.recording import Fps
from mmavs.inference.recordings.video_recording import VideoRecording


class LimitedVideo(VideoRecording):
    """A video that may end in the middle.

    What a file says of its length may be missing, or wrong: each frame is
    checked before anything is done with it.

    Args:
        path: Of the file.
        check: Called with what the file says of its length and with the time
            of each frame, in seconds; what it raises ends the reading.

    Raises:
        DataError: If it is no video or has no frame.
    """

    def __init__(self, path: str, check: Callable[[float], None]) -> None:
        super().__init__(path)
        self._check = check
        check(self.duration_s or 0.0)

    def frames(self, fps: Fps = 1) -> Iterator[VideoFrame]:
        """What is on screen at the times, or every frame."""
        for frame in super().frames(fps):
            self._check(frame.time_s)
            yield frame
