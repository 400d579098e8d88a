"""Frames and masks, read as training reads them."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence

import numpy as np
from PIL import Image

from mmavs.datasets.errors import DataError
from mmavs.datasets.transforms import image_files
from mmavs.datasets.transforms.load_avs_mask import (
    decode_binary_mask,
    decode_semantic_mask,
)
from mmavs.datasets.transforms.load_frame import decode_frame

__all__ = [
    'check_binary_mask',
    'check_frame',
    'check_header',
    'check_semantic_mask',
    'is_uniform',
]

Reporter = Callable[[str, str], None]
"""What a fault is told to: its kind and its message."""

# JPEG turns black into values like these.
_BLACK = 8
_MASK_VALUES = (0, 1, 255)
_PNG, _JPEG = b'\x89PNG\r\n\x1a\n', b'\xff\xd8\xff'


def check_header(
    content: bytes, name: str, kind: str, report: Reporter
) -> tuple[int, int] | None:
    """Check an image by its first and last bytes.

    Args:
        content: the file, or its beginning and its end.
        name: the file's name, for messages.
        kind: what it is, for messages.
        report: what a fault is told to.

    Returns:
        (H, W), None if it has no usable header.
    """
    try:
        width, height = image_files.check_header(content, name, kind).size
    except DataError as error:
        report(_fault_of(content), str(error))
        return None
    return height, width


def check_frame(
    content: bytes, name: str, report: Reporter
) -> np.ndarray | None:
    """Check that a frame loads and shows something.

    Args:
        content: the bytes of the file.
        name: its name, for messages.
        report: what a fault is told to.

    Returns:
        (H, W, 3) uint8, None if it does not load.
    """
    try:
        frame = decode_frame(content, name)
    except DataError as error:
        report(_fault_of(content), str(error))
        return None
    if frame.max() <= _BLACK:
        report('black_frame', f'frame {name} is black all over')
    return frame


def check_binary_mask(
    content: bytes, name: str, report: Reporter
) -> np.ndarray | None:
    """Check that a mask of what sounds loads and holds two values.

    Args:
        content: the bytes of the file.
        name: its name, for messages.
        report: what a fault is told to.

    Returns:
        (H, W) uint8 of 0 and 1, None if it does not load.
    """
    try:
        mask = decode_binary_mask(content, name)
    except DataError as error:
        report(_fault_of(content), str(error))
        return None
    with Image.open(io.BytesIO(content)) as image:
        stored = np.asarray(image)
    counts = np.bincount(stored.astype(np.uint8).ravel(), minlength=256)
    levels = np.flatnonzero(counts).tolist()
    odd = [level for level in levels if level not in _MASK_VALUES]
    count = len(levels)
    if stored.ndim == 3:
        count = len(np.unique(stored @ np.array([1 << 16, 1 << 8, 1])))
    if odd:
        report(
            'mask_values',
            f'mask {name} holds {odd[:10]}{"..." if odd[10:] else ""} beside '
            'what a mask is made of, 0 and 255 or 1; all above 0 counts as '
            'sounding',
        )
    elif count > 2:
        report(
            'mask_levels',
            f'mask {name} has {count} different values, expected are 2; all '
            'above 0 counts as sounding',
        )
    return mask


def check_semantic_mask(
    content: bytes,
    name: str,
    palette: Sequence[Sequence[int]],
    report: Reporter,
    value_kind: str = 'class_index',
) -> np.ndarray | None:
    """Check that a mask of classes loads.

    Args:
        content: the bytes of the file.
        name: its name, for messages.
        palette: the colours of the classes.
        report: what a fault is told to.
        value_kind: the kind of a value that is no class.

    Returns:
        (H, W) uint8 class indices, None if it does not load.
    """
    try:
        mask = decode_semantic_mask(content, name, palette)
    except DataError as error:
        kind = value_kind if _decodes(content) else _fault_of(content)
        report(kind, str(error))
        return None
    return mask


def is_uniform(frame: np.ndarray) -> bool:
    """Tell whether a frame shows nothing, so that many may be equal."""
    return bool(frame.max() - frame.min() <= _BLACK)


def _decodes(content: bytes) -> bool:
    """Tell whether a file is an image of a form that a mask may have."""
    try:
        image = image_files.check_image(content, '', '')
        image.load()
    except Exception:  # whatever the bytes make a decoder do
        return False
    return image.mode in image_files.MASK_MODES


def _fault_of(content: bytes) -> str:
    """Kind of the fault of an image that was refused."""
    is_image = content.startswith((_PNG, _JPEG))
    if is_image and image_files.is_cut_short(content):
        return 'truncated'
    return 'unreadable'
