"""Frames of a clip."""

from __future__ import annotations

import cv2
import mmcv
import numpy as np
from mmcv.transforms import LoadImageFromFile
from mmseg.registry import TRANSFORMS

from mmavs.datasets.errors import DataError
from mmavs.datasets.files import read_file
from mmavs.datasets.transforms.image_files import check_image


def load_frame(
    path: str, backend_args: dict | None = None, **kwargs
) -> np.ndarray:
    """Read a frame.

    Args:
        path: a PNG or JPEG file.
        backend_args: arguments of the file backend.
        **kwargs: further arguments of :func:`decode_frame`.

    Returns:
        (H, W, 3) uint8, BGR.

    Raises:
        MissingDataError: if the file is missing.
        DataError: if it is unreadable, cut short, damaged or too large.
    """
    return decode_frame(read_file(path, 'frame', backend_args), path, **kwargs)


def decode_frame(
    content: bytes,
    name: str,
    color_type: str = 'color',
    imdecode_backend: str = 'cv2',
) -> np.ndarray:
    """Decode the content of a frame's file.

    Args:
        content: the bytes of a PNG or JPEG file.
        name: its name, for error messages.
        color_type: as in :func:`mmcv.imfrombytes`.
        imdecode_backend: as in :func:`mmcv.imfrombytes`.

    Returns:
        (H, W, 3) uint8, BGR.

    Raises:
        DataError: as :func:`load_frame` does.
    """
    check_image(content, name, 'frame')
    try:
        image = mmcv.imfrombytes(
            content, flag=color_type, backend=imdecode_backend
        )
    except (cv2.error, OSError, SyntaxError, ValueError) as error:
        raise DataError(f'frame {name} cannot be decoded: {error}') from error
    if image is None:
        raise DataError(f'frame {name} cannot be decoded')
    return image


@TRANSFORMS.register_module()
class LoadFrame(LoadImageFromFile):
    """Load one frame; a file that is missing or broken is named.

    As mmcv's ``LoadImageFromFile``, with its arguments and keys, for PNG and
    JPEG: what its decoder silently fills up or returns nothing for is an
    error.

    Raises:
        MissingDataError: if the frame is missing.
        DataError: if it is unreadable, cut short or too large.
    """

    def transform(self, results: dict) -> dict | None:
        """Add ``img``, ``img_shape`` and ``ori_shape``."""
        try:
            image = load_frame(
                results['img_path'],
                self.backend_args,
                color_type=self.color_type,
                imdecode_backend=self.imdecode_backend,
            )
        except DataError:
            if self.ignore_empty:
                return None
            raise
        if self.to_float32:
            image = image.astype(np.float32)
        results['img'] = image
        results['img_shape'] = results['ori_shape'] = image.shape[:2]
        return results
