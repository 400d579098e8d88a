"""The files of one clip, made of a video."""

from __future__ import annotations

import io
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import soundfile

from mmavs.datasets.errors import DataError, MissingDataError
from mmavs.datasets.files import read_file
from mmavs.datasets.layout import Layout, class_palette, fill_pattern
from mmavs.datasets.transforms.load_avs_mask import (
    decode_binary_mask,
    decode_semantic_mask,
)
from mmavs.datasets.videos import VideoLimits, read_clip

from .output_folder import OutputFolder
from .raw_clips import RawClip, clip_paths

SAMPLE_RATE_HZ = 16000
_JPEG_QUALITY = 95
# Of the patterns of masks the first is needed, the second a convenience.
_MASK_PATTERNS = ('seg_map_path', 'seg_map_rgb_path')


@dataclass(frozen=True)
class ClipFormat:
    """What the files of all clips have in common.

    Attributes:
        layout: where they lie.
        frame_size: (H, W) to which frames are resized, without regard to
            their shape; None leaves them as they are.
        masks: folder to copy masks from, None for clips without masks.
        num_classes: how many classes semantic masks may have.
        limits: what reading a video may take.
    """

    layout: Layout
    frame_size: tuple[int, int] | None
    masks: str | None = None
    num_classes: int = 2
    limits: VideoLimits = VideoLimits()


def is_complete(
    output: OutputFolder, clip: RawClip, clip_format: ClipFormat
) -> bool:
    """Whether all files of a clip are there.

    Args:
        output: The folder of the layout.
        clip: The clip.
        clip_format: What is made of it.
    """
    layout, row = clip_format.layout, clip.row
    # Written last, the audio is the first to be missing.
    paths = clip_paths(layout, row)[::-1]
    if clip_format.masks is not None:
        paths += [
            layout.path('seg_map_path', row, k)
            for k in layout.labelled_numbers(row)
        ]
    return all(map(output.has, paths))


def make_clip(
    video: str | os.PathLike, clip: RawClip, clip_format: ClipFormat
) -> dict[str, bytes]:
    """Make the files of a clip.

    Frames and sound are those of :func:`read_clip`. The frames become PNG, or
    JPEG where the layout says so, the sound a 16 bit wav of 16 kHz that lasts
    as long as the clip. Masks are copied.

    Args:
        video: The video.
        clip: What to take of it.
        clip_format: What to make of it.

    Returns:
        Path relative to the root of the layout to content, the audio last.

    Raises:
        MissingDataError: If the video or a mask is missing.
        DataError: If one of them cannot be used.
    """
    layout, row = clip_format.layout, clip.row
    numbers = layout.frame_numbers(row)
    *frame_paths, audio_path = clip_paths(layout, row)
    files, sizes = {}, {}
    content = read_clip(
        video,
        len(numbers),
        clip.start_s,
        SAMPLE_RATE_HZ,
        clip_format.limits,
    )
    for k, path, frame in zip(
        numbers, frame_paths, content.frames, strict=True
    ):
        image = _resize(frame.image, clip_format.frame_size)
        files[path], sizes[k] = _encode(image, path), image.shape[:2]
    if clip_format.masks is not None:
        files.update(_masks(clip_format.masks, row, sizes, clip_format))
    files[audio_path] = _wav(content.audio.waveform)
    return files


def _resize(image: np.ndarray, size: tuple[int, int] | None) -> np.ndarray:
    if size is None or image.shape[:2] == size:
        return image
    # With OpenCV's default, bilinear, as the published frames.
    return cv2.resize(image, (size[1], size[0]))


def _encode(image: np.ndarray, path: str) -> bytes:
    flags = []
    if path.endswith('.jpg'):
        flags = [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY]
    bgr = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    return cv2.imencode(os.path.splitext(path)[1], bgr, flags)[1].tobytes()


def _wav(waveform: np.ndarray) -> bytes:
    # Decoders overshoot full scale; wrapping round would click.
    samples = np.clip(np.round(waveform * 2**15), -(2**15), 2**15 - 1)
    buffer = io.BytesIO()
    soundfile.write(
        buffer,
        samples.astype(np.int16),
        SAMPLE_RATE_HZ,
        format='WAV',
        subtype='PCM_16',
    )
    return buffer.getvalue()


def _masks(
    folder: str,
    row: Mapping[str, str],
    sizes: Mapping[int, tuple[int, int]],
    clip_format: ClipFormat,
) -> dict[str, bytes]:
    """Read and check the masks of the labelled frames."""
    layout, files = clip_format.layout, {}
    may_be_empty = layout.allow_empty_masks or row['split'] != 'train'
    for k in layout.labelled_numbers(row):
        for key in _MASK_PATTERNS:
            if key not in layout.patterns:
                continue
            found = _find_mask(folder, layout.patterns[key], row, k)
            if found is None and key == 'seg_map_path':
                raise MissingDataError(
                    f'{folder} has no mask '
                    f'{layout.path(key, row, k)}, nor with fewer of the '
                    'folders before'
                )
            if found is None:
                continue
            content = read_file(str(found), 'mask')
            if layout.semantic:
                palette = class_palette(clip_format.num_classes)
                mask = decode_semantic_mask(content, str(found), palette)
            else:
                mask = decode_binary_mask(content, str(found))
            if mask.shape != sizes[k]:
                raise DataError(
                    f'{found}: a mask must have the size of its frame, '
                    f'{sizes[k]}, got {mask.shape}'
                )
            if not may_be_empty and not mask.any():
                raise DataError(
                    f'{found}: the mask of a training clip must not be empty'
                )
            files[layout.path(key, row, k)] = content
    return files


def _find_mask(
    folder: str, pattern: str, row: Mapping[str, str], k: int
) -> Path | None:
    """Find a mask under its path in the layout, or the end of that path.

    Leading folders may be left out as long as what is left names the video.
    """
    parts = pattern.split('/')
    for first in range(len(parts)):
        rest = '/'.join(parts[first:])
        if '{video_id}' not in rest:
            return None
        path = Path(folder, fill_pattern(rest, {**row, 'k': str(k)}))
        if path.is_file():
            return path
    return None
