"""The array in a pickle, whether torch or NumPy wrote it."""

from __future__ import annotations

from pickle import UnpicklingError

import numpy as np

from mmavs.datasets.errors import DataError
from mmavs.datasets.restricted_pickle.numpy_forms import (
    NUMPY_FORMS,
    PickledArray,
)
from mmavs.datasets.restricted_pickle.reader import PickleReader
from mmavs.datasets.restricted_pickle.torch_forms import TORCH_FORMS
from mmavs.datasets.restricted_pickle.unpickler import RestrictedUnpickler

_ALLOWED = {**TORCH_FORMS, **NUMPY_FORMS}


def load_pickled_array(content: bytes, name: str) -> np.ndarray:
    """Read a pickled tensor or array of floating point numbers.

    All pickle protocols (0 to 5) are read, as torch since 1.0 and NumPy
    since 1.13 write them under Python 3. A tensor may require gradients and
    may have been on another device.

    Args:
        content: the bytes of the file.
        name: what to call the file in errors.

    Returns:
        np.ndarray: float16, float32 or float64 in this machine's byte order,
        in C order, writable.

    Raises:
        DataError: if the pickle asks for anything else, or is damaged.
            Nothing in it was run.
    """
    reader = PickleReader(content)
    try:
        result = RestrictedUnpickler(reader, _ALLOWED).load()
        if not isinstance(result, PickledArray) or result.values is None:
            raise UnpicklingError('it holds no tensor and no array')
        if reader.num_left:
            raise UnpicklingError(f'it is followed by {reader.num_left} bytes')
    except UnpicklingError as error:
        raise DataError(
            f'the pickle {name} was refused: {error}. A torch tensor or a '
            'NumPy array of float16, float32 or float64 is read, and nothing '
            'else; nothing in the file was run'
        ) from None
    native = result.values.dtype.newbyteorder('=')
    return np.array(result.values, dtype=native, order='C')
