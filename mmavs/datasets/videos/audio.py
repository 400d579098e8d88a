"""The sound of a stretch of a video."""

from __future__ import annotations

import os
from fractions import Fraction

import numpy as np

from mmavs.datasets.errors import DataError

from .container import VideoLimits
from .samples import placed_samples
from .sound_line import AudioStretch, SoundLine

# What is softer all through cannot be heard; full scale is 1.
SILENT_PEAK = 1e-4


def read_audio(
    path: str | os.PathLike,
    start_s: float,
    duration_s: float,
    sample_rate_hz: int = 16000,
    limits: VideoLimits | None = None,
) -> AudioStretch:
    """Read the sound from ``start_s`` on, for ``duration_s``.

    Sample j sounds at ``start_s`` + j / ``sample_rate_hz`` seconds after the
    first frame appears (after the first sample, in a file without pictures),
    to within a sample, however late the track begins. What a codec adds
    before and after the sound is not part of it. Where the track begins
    late, has a gap or ends early there is silence.

    Args:
        path: The video.
        start_s: Seconds since the first frame.
        duration_s: Seconds.
        sample_rate_hz: The rate to resample to.
        limits: What reading may take.

    Raises:
        ValueError: If the start is negative, or the duration is not positive
            or too long to be held in memory.
        MissingDataError: If there is no such file.
        DataError: If the file is no video, has no audio track or no sound
            in this stretch, is damaged before its end, or exceeds a limit.
    """
    blocks = placed_samples(path, Fraction(start_s), limits)
    line = SoundLine(os.fspath(path), blocks, sample_rate_hz)
    try:
        stretch = line.read(start_s, duration_s)
    finally:
        line.close()
    if stretch.silent_s >= duration_s:
        raise DataError(
            f'{os.fspath(path)} has no sound from {start_s:g} to '
            f'{start_s + duration_s:g} s'
        )
    return stretch


def is_silent(
    path: str | os.PathLike,
    peak: float = SILENT_PEAK,
    limits: VideoLimits | None = None,
) -> bool:
    """Tell whether a video has no sound that can be heard.

    It is read up to the first sample that can be heard, of the mean of the
    channels, from the first frame on.

    Args:
        path: The video.
        peak: What is softer all through is silent; full scale is 1.
        limits: What reading may take.

    Raises:
        MissingDataError: If there is no such file.
        DataError: If the file is no video, has no audio track, is damaged
            up to there, or exceeds a limit.
    """
    blocks = placed_samples(path, limits=limits)
    try:
        return not any(
            np.any(np.abs(block.mono()[max(-block.begin, 0) :]) >= peak)
            for block in blocks
        )
    finally:
        blocks.close()
