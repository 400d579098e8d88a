"""A clip of a video: a frame a second and their sound."""

from __future__ import annotations

import os
from dataclasses import dataclass
from fractions import Fraction

from .audio import read_audio
from .container import VideoLimits
from .frames import VideoFrame, read_frames
from .sound_line import AudioStretch


@dataclass(frozen=True, eq=False)
class VideoClip:
    """A clip of a video.

    Attributes:
        frames: one for each second.
        audio: the sound of all these seconds.
    """

    frames: tuple[VideoFrame, ...]
    audio: AudioStretch


def clip_times(num_frames: int, start_s: float = 0.0) -> list[float]:
    """Times of the frames of a clip, in seconds.

    AVSBench samples a video 16 times a second and keeps every 16th picture:
    frame k = 1, 2 ... is what is on screen 1/16 s before second k ends.

    Args:
        num_frames: T.
        start_s: where the clip begins.

    Equation:
        t_k = start + k - 1/16
    """
    start = Fraction(start_s)
    return [
        float(start + k - Fraction(1, 16)) for k in range(1, num_frames + 1)
    ]


def read_clip(
    path: str | os.PathLike,
    num_frames: int,
    start_s: float = 0.0,
    sample_rate_hz: int = 16000,
    limits: VideoLimits | None = None,
) -> VideoClip:
    """Read ``num_frames`` seconds of a video as AVSBench has them.

    Args:
        path: The video.
        num_frames: T, a frame a second at :func:`clip_times`.
        start_s: Where the clip begins, in seconds since the first frame.
        sample_rate_hz: The rate of its waveform of T seconds.
        limits: What reading may take.

    Raises:
        MissingDataError: If there is no such file.
        DataError: As :func:`read_frames` and :func:`read_audio` do.
    """
    times_s = clip_times(num_frames, start_s)
    return VideoClip(
        tuple(read_frames(path, times_s, limits)),
        read_audio(path, start_s, num_frames, sample_rate_hz, limits),
    )
