"""Frames and masks as the bytes of image files."""

from __future__ import annotations

import io
from collections.abc import Sequence

import cv2
import numpy as np
from PIL import Image

from mmavs.datasets.layout import class_palette

from .encodings import Encoding

__all__ = [
    'encode_binary_mask',
    'encode_frame',
    'encode_rgb_mask',
    'encode_semantic_mask',
]

# fast rather than small
_MASK_FLAGS = [cv2.IMWRITE_PNG_COMPRESSION, 1]
_PNG_FLAGS = [
    *_MASK_FLAGS,
    cv2.IMWRITE_PNG_STRATEGY,
    cv2.IMWRITE_PNG_STRATEGY_HUFFMAN_ONLY,
]
if hasattr(cv2, 'IMWRITE_PNG_FILTER'):  # not in older releases of OpenCV
    _PNG_FLAGS += [cv2.IMWRITE_PNG_FILTER, cv2.IMWRITE_PNG_FILTER_SUB]
_FRAME_FLAGS = {
    '.png': _PNG_FLAGS,
    '.jpg': [cv2.IMWRITE_JPEG_QUALITY, 95],
}


def encode_frame(frame: np.ndarray, suffix: str) -> bytes:
    """Encode a frame.

    Args:
        frame: uint8 (H, W, 3), RGB.
        suffix: ``.png`` or ``.jpg``.

    Returns:
        The bytes of the file.
    """
    bgr = cv2.cvtColor(frame, cv2.COLOR_RGB2BGR)
    return cv2.imencode(suffix, bgr, _FRAME_FLAGS[suffix])[1].tobytes()


def encode_binary_mask(mask: np.ndarray, encoding: Encoding) -> bytes:
    """Encode a mask of what sounds as a PNG file.

    Args:
        mask: uint8 (H, W), 0 or not.
        encoding: mode and foreground value of the file.

    Returns:
        The bytes of the file.
    """
    stored = np.where(mask, np.uint8(encoding.mask_value), np.uint8(0))
    if encoding.mask_mode == 'RGB':
        return _encode_plain(cv2.merge([stored] * 3))
    if encoding.mask_mode == '1':
        return _encode_pil(Image.fromarray(stored > 0))
    return _encode_index(
        stored, encoding.mask_mode, class_palette(encoding.mask_value + 1)
    )


def encode_semantic_mask(
    mask: np.ndarray, num_classes: int, encoding: Encoding
) -> bytes:
    """Encode a mask of class indices as a PNG file.

    Args:
        mask: uint8 (H, W).
        num_classes: classes, with the background.
        encoding: mode of the file, ``L`` or ``P``.

    Returns:
        The bytes of the file.
    """
    palette = class_palette(num_classes)
    return _encode_index(mask, encoding.mask_mode, palette)


def encode_rgb_mask(
    mask: np.ndarray, num_classes: int, encoding: Encoding
) -> bytes:
    """Encode a mask of class indices by the colours of the classes.

    Args:
        mask: uint8 (H, W).
        num_classes: classes, with the background.
        encoding: mode of the file, ``RGB`` or ``P``.

    Returns:
        The bytes of the file.
    """
    palette = class_palette(num_classes)
    if encoding.rgb_mask_mode == 'P':
        return _encode_index(mask, 'P', palette)
    bgr = np.array(palette, np.uint8)[:, ::-1]
    return _encode_plain(bgr.take(mask, axis=0))


def _encode_index(
    values: np.ndarray, mode: str, palette: Sequence[Sequence[int]]
) -> bytes:
    """Encode one channel, as grey values or as indices of a palette."""
    if mode == 'L':
        return _encode_plain(values)
    image = Image.fromarray(values)
    image.putpalette([channel for colour in palette for channel in colour])
    return _encode_pil(image)


def _encode_plain(values: np.ndarray) -> bytes:
    return cv2.imencode('.png', values, _MASK_FLAGS)[1].tobytes()


def _encode_pil(image: Image.Image) -> bytes:
    """Modes that OpenCV does not write."""
    buffer = io.BytesIO()
    image.save(buffer, 'PNG', compress_level=1)
    return buffer.getvalue()
