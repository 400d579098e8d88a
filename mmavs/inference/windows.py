"""From a stream of frames to windows, the clips that a model sees."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from mmavs.datasets.videos import VideoFrame
from mmavs.functional.log_mel import (
    HOP_SAMPLES,
    MIN_SAMPLES,
    PATCH_WINDOWS,
    SAMPLE_RATE_HZ,
    count_patches,
)
from mmavs.inference.patch_reader import PatchReader
from mmavs.inference.recordings import Sound
from mmavs.inference.whole_numbers import check_whole_number

Item = TypeVar('Item')


@dataclass(frozen=True, eq=False)
class Window:
    """T frames in a row and their sound, as a waveform or as patches.

    Attributes:
        first: position of its first frame among all, from 0.
        frames: T of them.
        sound_s: when the patch of each begins, in seconds since the first
            frame of the recording.
        waveform: samples at 16 kHz, of which the patches are still to be
            made; or None.
        log_mel: a patch for each frame; or None.

    Shapes:
        - sound_s: (T,) float64; waveform: (S,) float32.
        - log_mel: (T, 1, 96, 64) float32.
    """

    first: int
    frames: tuple[VideoFrame, ...]
    sound_s: np.ndarray
    waveform: np.ndarray | None = None
    log_mel: np.ndarray | None = None


def check_overlap(overlap: int, length: int) -> None:
    """Raise a ValueError unless it is a whole number below ``length``."""
    check_whole_number('overlap', overlap)
    if overlap >= length:
        raise ValueError(
            f'overlap must be less than the {length} frames of a window, got '
            f'{overlap}'
        )


def cut_windows(
    items: Iterable[Item], length: int, overlap: int = 0
) -> Iterator[tuple[int, tuple[Item, ...]]]:
    """Cut a stream into windows; no more than one is held.

    A window starts ``length - overlap`` items after the one before. The last
    is moved back so as to be full too; fewer than ``length`` items are one
    window.

    Args:
        items: the stream, of any length.
        length: T, items in a window.
        overlap: items that a window has in common with the one before.

    Yields:
        Position of the first item of a window, and its items.

    Raises:
        ValueError: as :func:`check_overlap` does.
    """
    check_overlap(overlap, length)
    latest: deque[Item] = deque(maxlen=length)
    count, end = 0, length  # end: of the window that is to come
    for item in items:
        latest.append(item)
        count += 1
        if count == end:
            yield count - length, tuple(latest)
            end += length - overlap
    covered = end - (length - overlap) if end > length else 0
    if count > covered:
        yield max(count - length, 0), tuple(latest)


def published_windows(
    frames: Iterable[VideoFrame],
    sound: Sound,
    length: int,
    overlap: int = 0,
    is_clip: bool = False,
) -> Iterator[Window]:
    """Windows with the timing of the published data, a frame a second.

    The window that starts at second s has the waveform [s, s + T]: patch j
    of it, [s + 0.96 j, s + 0.96 (j + 1)], goes with frame j.

    Args:
        frames: a frame a second.
        sound: of the recording.
        length: T, frames in a window.
        overlap: frames that a window has in common with the one before.
        is_clip: whether a waveform stops where the sound ends, so that its
            last patch is repeated; else silence follows.
    """
    for first, window in cut_windows(frames, length, overlap):
        waveform = sound.read(first, len(window)).waveform
        if is_clip and sound.end_s is not None:
            rest = round(sound.end_s * SAMPLE_RATE_HZ) - first * SAMPLE_RATE_HZ
            # Less than a patch cannot be repeated.
            if rest >= MIN_SAMPLES:
                waveform = waveform[:rest]
        yield Window(
            first,
            window,
            first + _patch_starts_s(len(waveform), len(window)),
            waveform=waveform,
        )


def own_time_windows(
    frames: Iterable[VideoFrame],
    sound: Sound,
    length: int,
    overlap: int = 0,
) -> Iterator[Window]:
    """Windows whose frames each have the patch around their own time.

    Args:
        frames: at any times.
        sound: of the recording.
        length: T, frames in a window.
        overlap: frames that a window has in common with the one before.
    """
    reader = PatchReader(sound)
    pairs = ((frame, reader.read(frame.time_s)) for frame in frames)
    for first, window in cut_windows(pairs, length, overlap):
        images, patches = zip(*window, strict=True)
        log_mel, sound_s = zip(*patches, strict=True)
        yield Window(
            first,
            images,
            np.array(sound_s),
            log_mel=np.stack(log_mel)[:, None],
        )


def _patch_starts_s(num_samples: int, num_patches: int) -> np.ndarray:
    """When each patch of a waveform begins; the last may be repeated."""
    patches = np.arange(num_patches).clip(max=count_patches(num_samples) - 1)
    return patches * (PATCH_WINDOWS * HOP_SAMPLES) / SAMPLE_RATE_HZ


def batch_windows(
    windows: Iterable[Window], batch_size: int
) -> Iterator[list[Window]]:
    """Gather windows of one length, ``batch_size`` at the most.

    Only a window that is alone is shorter than the others, so no batch mixes
    lengths.

    Raises:
        ValueError: unless ``batch_size`` is a whole number, 1 or more.
    """
    check_whole_number('batch_size', batch_size, 1)
    batch: list[Window] = []
    for window in windows:
        batch.append(window)
        if len(batch) == batch_size:
            yield batch
            batch = []
    if batch:
        yield batch
