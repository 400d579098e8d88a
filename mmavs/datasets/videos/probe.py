"""What a video says about itself."""

from __future__ import annotations

import os
from dataclasses import dataclass

from .container import VideoFile, VideoLimits


@dataclass(frozen=True)
class VideoInfo:
    """What a container says about itself; only decoding tells the truth.

    Attributes:
        duration_s: length in seconds, None where it is not known.
        width: of a frame as stored, in pixels.
        height: of a frame as stored, in pixels.
        frame_rate_hz: mean frames per second, None where it is not known.
        audio_rate_hz: samples per second, None without an audio track.
    """

    duration_s: float | None
    width: int
    height: int
    frame_rate_hz: float | None
    audio_rate_hz: int | None


def probe_video(
    path: str | os.PathLike, limits: VideoLimits | None = None
) -> VideoInfo:
    """Read what a video says about itself, without decoding it.

    Args:
        path: The video.
        limits: What reading may take.

    Raises:
        MissingDataError: If there is no such file.
        DataError: If the file is no video or has no video track.
    """
    with VideoFile(path, limits) as file:
        video = file.stream('video')
        audio = file.stream('audio') if file.has('audio') else None
        rate = video.average_rate or video.guessed_rate
        return VideoInfo(
            file.duration_s,
            video.codec_context.width,
            video.codec_context.height,
            None if rate is None else float(rate),
            None if audio is None else audio.codec_context.sample_rate,
        )
