"""What a video is, without reading all of it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from fractions import Fraction

from .container import VideoFile, VideoLimits
from .orientation import is_turned
from .pictures import display_matrix, first_picture, picture_rate, to_image


@dataclass(frozen=True)
class VideoInfo:
    """What a video is, by its headers and its first frame.

    Attributes:
        path: the file.
        width: of its upright frames, in pixels.
        height: of its upright frames, in pixels.
        sample_aspect_ratio: width to height of a pixel of an upright frame,
            1 if unknown.
        fps: frames per second on average, None if unknown.
        duration_s: how long the pictures last, by the headers, which need
            not be right; None if they do not tell.
        sample_rate_hz: of its sound, None without an audio track.
        num_channels: of its sound, None without an audio track.
    """

    path: str
    width: int
    height: int
    sample_aspect_ratio: Fraction
    fps: float | None
    duration_s: float | None
    sample_rate_hz: int | None
    num_channels: int | None


def probe_video(
    path: str | os.PathLike, limits: VideoLimits | None = None
) -> VideoInfo:
    """Find out what a video is.

    Args:
        path: The video.
        limits: What reading may take.

    Raises:
        MissingDataError: If there is no such file.
        DataError: If the file is no video, has no video track or no frame
            that can be decoded, or exceeds a limit.
    """
    with VideoFile(path, limits) as file:
        frame = first_picture(file)
        height, width = to_image(frame, frame).shape[:2]
        stream = file.stream('video')
        ratio = stream.sample_aspect_ratio or Fraction(1)
        if is_turned(display_matrix(frame)):
            ratio = 1 / ratio
        rate, duration = picture_rate(file), file.header_duration('video')
        sample_rate_hz = num_channels = None
        if file.has('audio'):
            sound = file.stream('audio').codec_context
            sample_rate_hz = sound.sample_rate
            num_channels = sound.layout.nb_channels
        return VideoInfo(
            file.path,
            width,
            height,
            ratio if ratio > 0 else Fraction(1),
            None if rate is None else float(rate),
            None if duration is None else float(duration),
            sample_rate_hz,
            num_channels,
        )
