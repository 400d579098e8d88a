"""The samples of a video's sound, each where it belongs."""

from __future__ import annotations

import itertools
import os
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import av
import numpy as np
from av.audio.plane import AudioPlane

from mmavs.datasets.errors import DataError
from mmavs.datasets.transforms.load_audio import MAX_RATE_HZ, MIN_RATE_HZ

from .container import VideoFile, VideoLimits
from .picture_clock import PictureClock
from .pictures import first_picture

# A packet that is later than the end of the one before leaves a gap. Less is
# the rounding of timestamps, up to a millisecond each, or their jitter.
_JITTER_S = Fraction(1, 50)
# Decoded before the stretch begins, so that the decoder has settled.
_PREROLL_S = 1
_SEEK_FROM_S = 4
# Type, value of silence and of full scale.
_SAMPLE_FORMATS = dict(
    u8=(np.uint8, 128, 2**7),
    s16=(np.int16, 0, 2**15),
    s32=(np.int32, 0, 2**31),
    s64=(np.int64, 0, 2**63),
    flt=(np.float32, 0, 1),
    dbl=(np.float64, 0, 1),
)


@dataclass(frozen=True, eq=False)
class PlacedSamples:
    """Samples one right after the other, at the rate of the file.

    Attributes:
        channels: (C, n) float64, full scale 1.
        names: FFmpeg's names of the channels.
        begin: place of the first one; 0 is the time of the first frame.
        rate_hz: samples per second.
    """

    channels: np.ndarray
    names: tuple[str, ...]
    begin: int
    rate_hz: int

    @property
    def end(self) -> int:
        """Place behind the last one."""
        return self.begin + self.channels.shape[1]

    def mono(self) -> np.ndarray:
        """(n,) float32: the mean of the channels."""
        return self.channels.mean(axis=0).astype(np.float32)


def placed_samples(
    path: str | os.PathLike,
    start: Fraction = Fraction(0),
    limits: VideoLimits | None = None,
) -> Generator[PlacedSamples]:
    """Decode the sound of a video.

    Args:
        path: The video.
        start: Seconds since the first frame (since the first sample, in a
            file without pictures). Decoding begins there or earlier.
        limits: What reading may take.

    Yields:
        PlacedSamples: They ascend, do not overlap and have one rate. What
        is missing between two of them, the video has no sound for.

    Raises:
        MissingDataError: If there is no such file.
        DataError: If the file is no video, has no audio track, is damaged,
            changes its rate, or exceeds a limit.
    """
    with VideoFile(path, limits) as file:
        origin = None
        if file.has('video'):
            origin = PictureClock(file, first_picture(file)).origin
        rate_hz, end = 0, None
        for time, frame in _timed_frames(file, origin, start):
            _check_rate(file.path, rate_hz, frame.rate)
            rate_hz = frame.rate
            begin = _place(time, rate_hz, end)
            channels = _channels(file.path, frame)
            if end is not None and begin < end:
                # Time goes back: what was there first stays.
                channels = channels[:, end - begin :]
                begin = end
            end = begin + channels.shape[1]
            names = tuple(c.name for c in frame.layout.channels)
            yield PlacedSamples(channels, names, begin, rate_hz)


def _check_rate(path: str, before_hz: int, rate_hz: int) -> None:
    if not MIN_RATE_HZ <= rate_hz <= MAX_RATE_HZ:
        raise DataError(
            f'{path}: the sample rate must be between {MIN_RATE_HZ} '
            f'and {MAX_RATE_HZ} Hz, got {rate_hz}'
        )
    if before_hz not in (0, rate_hz):
        raise DataError(
            f'{path}: the sample rate changes from {before_hz} to {rate_hz} Hz'
        )


def _place(time: Fraction | None, rate_hz: int, end: int | None) -> int:
    """Where samples of this time go, after those that end at ``end``."""
    if time is None:
        return end or 0
    place = round(time * rate_hz)
    if end is not None and abs(place - end) <= _JITTER_S * rate_hz:
        return end
    return place


def _timed_frames(
    file: VideoFile, origin: Fraction | None, start: Fraction
) -> Iterator[tuple[Fraction | None, Any]]:
    """Decode the audio from some point before ``start`` on.

    Args:
        file: An open video, at its beginning.
        origin: Zero on the clock of the container; None: the first sample.
        start: Seconds since the origin.

    Yields:
        Seconds since the origin (None: right after those before), and a
        frame of audio.
    """
    tick = file.stream('audio').time_base
    if origin is not None and start > _SEEK_FROM_S:
        frames = _frames_from(file, origin + start)
    else:
        frames = file.decode('audio')
    for frame in frames:
        time = None
        if frame.pts is not None:
            time = frame.pts * tick
            origin = time if origin is None else origin
            time -= origin
        yield time, frame


def _frames_from(file: VideoFile, target: Fraction) -> Iterator[Any]:
    """Decode from some time before ``target`` on, or from the beginning."""
    try:
        file.seek('audio', target - _PREROLL_S)
        frames = file.decode('audio')
        first = next(frames)
        tick = file.stream('audio').time_base
        if first.pts is not None and first.pts * tick <= target:
            return itertools.chain([first], frames)
    except (av.FFmpegError, DataError, StopIteration):
        pass
    # The index is wrong, or there is a gap.
    file.rewind()
    return file.decode('audio')


def _channels(path: str, frame: Any) -> np.ndarray:
    """(C, n) float64: the samples of a frame."""
    kind = frame.format.name.removesuffix('p')
    if kind not in _SAMPLE_FORMATS:
        raise DataError(f'{path} has samples of an unknown format, {kind!r}')
    dtype, offset, full_scale = _SAMPLE_FORMATS[kind]
    num_channels = frame.layout.nb_channels

    def plane(index: int, count: int) -> np.ndarray:
        # Not frame.to_ndarray: it reads beyond the planes of eight channels.
        content: Any = AudioPlane(frame, index)
        return np.frombuffer(content, dtype, count)

    if frame.format.is_planar:
        stored = np.stack(
            [plane(i, frame.samples) for i in range(num_channels)]
        )
    else:
        samples = plane(0, frame.samples * num_channels)
        stored = samples.reshape(-1, num_channels).T
    channels = (stored.astype(np.float64) - offset) / full_scale
    # As float32 they must be finite, too.
    if not (np.abs(channels) < np.finfo(np.float32).max).all():
        raise DataError(f'{path} holds samples that are not finite')
    return channels
