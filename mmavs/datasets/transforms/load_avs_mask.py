"""Binary masks of AVSBench."""

import io

import mmengine.fileio as fileio
import numpy as np
from mmseg.datasets.transforms import LoadAnnotations
from mmseg.registry import TRANSFORMS
from PIL import Image

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
        ValueError: If the file is no image, or its format is not one of the
            above (an alpha channel, more than 8 bits).
    """
    try:
        with Image.open(io.BytesIO(content)) as image:
            mode, stored = image.mode, np.asarray(image)
    except (OSError, SyntaxError) as error:
        raise ValueError(f'{name} is not a readable mask: {error}') from error
    if mode not in ('1', 'L', 'P', 'RGB'):
        raise ValueError(
            f"{name}: a mask must have PIL mode '1', 'L', 'P' or 'RGB', got "
            f'{mode!r}'
        )
    if mode == 'RGB':
        stored = stored.max(axis=-1)
    return (stored > 0).astype(np.uint8)


@TRANSFORMS.register_module()
class LoadAVSMask(LoadAnnotations):
    """Load the mask of one frame: 0 background, 1 sounding, 255 unlabelled.

    A frame without a mask (``seg_map_path`` None) gets a map full of 255 in
    the frame's original size, so that it passes the same resize and flip as
    its labelled neighbours and counts nowhere. Foreground becomes 1: stored
    as 255 it would be MMSegmentation's ignore index.

    Required keys: ``seg_map_path``, ``ori_shape`` (load the frame first),
    ``seg_fields``; optional ``label_map``, ``allow_empty_masks``.
    Added key: ``gt_seg_map`` (H, W) uint8.

    Args:
        backend_args (dict, optional): Arguments of the file backend.

    Raises:
        FileNotFoundError: If the mask is missing.
        ValueError: If the mask is unreadable, of another size than its
            frame, or empty although ``allow_empty_masks`` is False.
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
        try:
            content = fileio.get(path, backend_args=self.backend_args)
        except FileNotFoundError as error:
            raise FileNotFoundError(f'mask {path} does not exist') from error
        mask = decode_binary_mask(content, path)
        if mask.shape != size:
            raise ValueError(
                f'{path}: a mask must have the size of its frame '
                f'{results.get("img_path")}, {size}, got {mask.shape}'
            )
        if not results.get('allow_empty_masks', True) and not mask.any():
            raise ValueError(
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
