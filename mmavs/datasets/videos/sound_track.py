"""The sound of a whole video, as it is played."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator
from dataclasses import dataclass

import numpy as np

from mmavs.datasets.errors import DataError

from .container import MAX_GAP_S, VideoLimits
from .downmix import to_stereo
from .samples import PlacedSamples, placed_samples

# Of a track without a sample.
_ANY_RATE_HZ = 48000


@dataclass(frozen=True, eq=False)
class SoundTrack:
    """The sound of a whole video, piece by piece.

    Attributes:
        sample_rate_hz: its rate.
        num_channels: 1 or 2, left and right.
        chunks: its samples, (num_channels, n) float32 each, full scale 1:
            one right after the other, the first sample of the first at the
            time of the first frame. They can be taken once.
        is_endless: whether there is always another chunk. Such a sound is
            played as long as there are pictures.
    """

    sample_rate_hz: int
    num_channels: int
    chunks: Iterator[np.ndarray]
    is_endless: bool = False

    def __post_init__(self) -> None:
        if self.num_channels not in (1, 2):
            raise ValueError(
                f'num_channels must be 1 or 2, got {self.num_channels}'
            )
        if self.sample_rate_hz <= 0:
            raise ValueError(
                f'sample_rate_hz must be positive, got {self.sample_rate_hz}'
            )


def stream_sound(
    path: str | os.PathLike, limits: VideoLimits | None = None
) -> SoundTrack:
    """Read the sound of a video for playing it.

    It has the rate of the file, and one or two channels; more of them are
    mixed to two. Gaps are silent, and so is the time before a sound that
    begins late; what sounds before the first frame is left out. Memory does
    not depend on the length of the video.

    Args:
        path: The video.
        limits: What reading may take.

    Raises:
        MissingDataError: If there is no such file.
        DataError: If the file is no video, has no audio track, is damaged,
            or exceeds a limit; also while the chunks are taken.
    """
    blocks = placed_samples(path, limits=limits)
    first = next(blocks, None)
    if first is None:
        return SoundTrack(_ANY_RATE_HZ, 1, iter(()))
    num_channels = min(len(first.channels), 2)
    return SoundTrack(
        first.rate_hz,
        num_channels,
        _chunks(os.fspath(path), first, blocks, num_channels),
    )


def _chunks(
    path: str,
    block: PlacedSamples | None,
    blocks: Generator[PlacedSamples],
    num_channels: int,
) -> Iterator[np.ndarray]:
    """Put the samples of ``block`` and ``blocks`` one after the other."""
    end = 0
    while block is not None:
        if block.begin - end > MAX_GAP_S * block.rate_hz:
            raise DataError(
                f'{path} has no sound from {end / block.rate_hz:.2f} to '
                f'{block.begin / block.rate_hz:.2f} s: its timestamps are '
                'broken'
            )
        while end < block.begin:
            num_samples = min(block.begin - end, block.rate_hz)
            yield np.zeros((num_channels, num_samples), np.float32)
            end += num_samples
        if num_channels == 1:
            channels = block.channels.mean(axis=0, keepdims=True)
        else:
            channels = to_stereo(block.channels, block.names)
        # What comes before the first frame is not shown.
        channels = channels[:, end - block.begin :]
        if channels.size:
            yield channels.astype(np.float32)
            end = block.end
        block = next(blocks, None)
