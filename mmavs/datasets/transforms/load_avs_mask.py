"""Masks of AVSBench, binary or semantic."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from mmseg.datasets.transforms import LoadAnnotations
from mmseg.registry import TRANSFORMS

from mmavs.datasets.errors import DataError
from mmavs.datasets.files import read_file
from mmavs.datasets.transforms.image_files import (
    MASK_MODES,
    check_header,
    check_image,
)

UNLABELLED = 255


def decode_binary_mask(content: bytes, name: str) -> np.ndarray:
    """Decode an image file into a mask of what sounds.

    AVSBench's masks are 0/255 or 0/1, in one channel or three, with or
    without a palette. The image is read as it is stored: a conversion to
    PIL's mode '1' dithers, and a palette entry says nothing about a label.

    Args:
        content: The bytes of the file.
        name: The file's name, for error messages.

    Returns:
        np.ndarray: (H, W) uint8, 1 where the stored value (index, grey
        value, or any of the RGB values) is above 0, else 0.

    Raises:
        DataError: If the file is no image, or its format is not one of the
            above (an alpha channel, more than 8 bits).
    """
    stored, mode = _decode(content, name)
    if mode == 'RGB':
        stored = stored.max(axis=-1)
    return (stored > 0).astype(np.uint8)


def decode_semantic_mask(
    content: bytes, name: str, palette: Sequence[Sequence[int]]
) -> np.ndarray:
    """Decode an image file into class indices.

    Args:
        content: The bytes of the file: indices in one channel (PIL mode 'L'
            or 'P'), or the classes' colours in RGB.
        name: The file's name, for error messages.
        palette: The colour (R, G, B) of every class.

    Returns:
        np.ndarray: (H, W) uint8 class indices; 255, which is no class, is
        left as it is: unlabelled.

    Raises:
        DataError: If the file is no such image, or has an index or a colour
            that is no class.
    """
    stored, mode = _decode(content, name)
    if mode == 'RGB':
        return _classes_of_colours(stored, name, palette)
    mask = stored.astype(np.uint8)
    unknown = np.unique(mask[(mask >= len(palette)) & (mask != UNLABELLED)])
    if len(unknown):
        raise DataError(
            f'mask {name} has the values {unknown[:10].tolist()}, but there '
            f'are {len(palette)} classes, 0 to {len(palette) - 1}'
        )
    return mask


def _classes_of_colours(
    image: np.ndarray, name: str, palette: Sequence[Sequence[int]]
) -> np.ndarray:
    """(H, W, 3) colours to (H, W) indices."""
    codes, known = (
        (rgb[..., 0] << 16) + (rgb[..., 1] << 8) + rgb[..., 2]
        for rgb in (image.astype(np.int32), np.asarray(palette, np.int32))
    )
    order = np.argsort(known)
    position = np.searchsorted(known[order], codes).clip(max=len(known) - 1)
    mask = order[position]
    wrong = known[mask] != codes
    if wrong.any():
        colours = np.unique(image[wrong], axis=0)
        raise DataError(
            f'mask {name} has {len(colours)} colours that are no class, '
            f'such as (R, G, B) = {tuple(colours[0].tolist())} in '
            f'{int(wrong.sum())} pixels'
        )
    return mask.astype(np.uint8)


def _decode(content: bytes, name: str) -> tuple[np.ndarray, str]:
    """Stored values of a mask, and their PIL mode."""
    image = check_image(content, name, 'mask')
    if image.mode not in MASK_MODES:
        raise DataError(
            f'mask {name} must have a PIL mode among {MASK_MODES}, got '
            f'{image.mode!r}'
        )
    try:
        return np.asarray(image), image.mode
    except Exception as error:  # whatever the bytes make a decoder do
        raise DataError(f'mask {name} cannot be decoded: {error}') from error


@TRANSFORMS.register_module()
class LoadAVSMask(LoadAnnotations):
    """Load the mask of one frame: 0 background, 255 unlabelled.

    Without a ``palette`` a mask is binary, and 1 is what sounds: stored as
    255 it would be MMSegmentation's ignore index. With one it is semantic,
    the index of a class or its colour. A frame without a mask
    (``seg_map_path`` None) gets a map full of 255 in the frame's original
    size, so that it passes the same resize and flip as its labelled
    neighbours and counts nowhere.

    Required keys: ``seg_map_path``, ``ori_shape`` (load the frame first),
    ``seg_fields``; optional ``palette``, ``label_map``,
    ``allow_empty_masks``.
    Added key: ``gt_seg_map`` (H, W) uint8.

    Args:
        backend_args (dict, optional): Arguments of the file backend.

    Raises:
        MissingDataError: If the mask is missing.
        DataError: If the mask is unreadable, of another size than its
            frame, has a value that is no class, or is empty although
            ``allow_empty_masks`` is False.
    """

    def __init__(self, backend_args: dict | None = None) -> None:
        super().__init__(backend_args=backend_args)

    def _load_seg_map(self, results: dict) -> None:
        path = results.get('seg_map_path')
        size = tuple(results['ori_shape'][:2])
        if path is None:
            mask = np.full(size, UNLABELLED, dtype=np.uint8)
        else:
            mask = self._read(path, size, results)
        results['gt_seg_map'] = mask
        results['seg_fields'].append('gt_seg_map')

    def _read(self, path: str, size: tuple, results: dict) -> np.ndarray:
        content = read_file(path, 'mask', self.backend_args)
        # Before the pixels are decoded: a small file can hold a great many.
        width, height = check_header(content, path, 'mask').size
        if (height, width) != size:
            raise DataError(
                f'{path}: a mask must have the size of its frame '
                f'{results.get("img_path")}, {size}, got {(height, width)}'
            )
        palette = results.get('palette')
        if palette is None:
            mask = decode_binary_mask(content, path)
        else:
            mask = decode_semantic_mask(content, path, palette)
        if not results.get('allow_empty_masks', True) and not mask.any():
            raise DataError(
                f'{path}: the mask is empty, which this dataset excludes; '
                'set allow_empty_masks=True in the dataset if it is right'
            )
        label_map = results.get('label_map')
        if label_map is not None:
            lookup = np.arange(256, dtype=np.uint8)
            lookup[list(label_map)] = list(label_map.values())
            mask = lookup[mask]
        return mask

    def __repr__(self) -> str:
        return f'{self.__class__.__name__}(backend_args={self.backend_args})'
