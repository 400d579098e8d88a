"""What NumPy's pickles name: stand-ins that compare sizes and view bytes."""

from __future__ import annotations

from math import prod
from pickle import UnpicklingError
from typing import Any, Literal

import numpy as np

from mmavs.datasets.restricted_pickle.unpickler import Buildable

MAX_DIMENSIONS = 8
_NDARRAY = object()


class PickledArray(Buildable):
    """An array; NumPy's older form gets its values when it is built.

    Args:
        values: a view of bytes of the file.
    """

    def __init__(self, values: np.ndarray | None = None) -> None:
        self.values = values

    def build(self, state: Any) -> None:
        """Take over shape, type, order and bytes."""
        match state:
            case (
                1,
                tuple() as shape,
                _Dtype(dtype=dtype),
                int() as is_fortran,
                bytes() as content,
            ):
                self.values = _from_bytes(
                    content, dtype, shape, 'F' if is_fortran else 'C'
                )
            case _:
                raise UnpicklingError('it has no plain numpy.ndarray')


class _Dtype(Buildable):
    """A type of floating point numbers; its byte order comes last."""

    def __init__(self, code: str) -> None:
        self.code = code
        self.dtype = np.dtype(code)

    def build(self, state: Any) -> None:
        match state:
            case (3, '<' | '>' | '=' as order, None, None, None, -1, -1, 0):
                self.dtype = np.dtype(order + self.code)
            case _:
                raise UnpicklingError('it has no plain numpy.dtype')


def count_values(shape: tuple) -> int:
    """Check a shape and count the values of an array of it.

    Raises:
        UnpicklingError: if a side is no number, or none at all.
    """
    if len(shape) > MAX_DIMENSIONS or not all(
        type(side) is int and side >= 1 for side in shape
    ):
        raise UnpicklingError(
            'it has an array with a side that is not at least 1, or with '
            f'more than {MAX_DIMENSIONS} sides'
        )
    return prod(shape)


def _from_bytes(
    content: bytes, dtype: np.dtype, shape: tuple, order: Literal['C', 'F']
) -> np.ndarray:
    count = count_values(shape)
    if count * dtype.itemsize != len(content):
        raise UnpicklingError(
            f'it has a numpy.ndarray of {count} {dtype}, with '
            f'{len(content)} bytes'
        )
    return np.frombuffer(content, dtype).reshape(shape, order=order)


# Each stands for the function it is named after.


def _dtype(*arguments: Any) -> _Dtype:
    match arguments:
        case ('f2' | 'f4' | 'f8' as code, int(), int()):
            return _Dtype(code)
        case (str() as code, *_):
            raise UnpicklingError(f'it has a numpy.dtype {code[:20]!a}')
    raise UnpicklingError('it has no plain numpy.dtype')


def _reconstruct(*arguments: Any) -> PickledArray:
    match arguments:
        case (cls, (0,), b'b') if cls is _NDARRAY:
            return PickledArray()
    raise UnpicklingError('it has no plain numpy.ndarray')


def _frombuffer(*arguments: Any) -> PickledArray:
    match arguments:
        case (
            bytes() as content,
            _Dtype(dtype=dtype),
            tuple() as shape,
            'C' | 'F' as order,
        ):
            values = _from_bytes(content, dtype, shape, order)
            return PickledArray(values)
        case (
            bytes() as content,
            _Dtype(dtype=dtype),
            tuple() as shape,
            'K',
            tuple() as axes,
        ) if all(type(axis) is int for axis in axes) and (
            sorted(axes) == list(range(len(shape)))
        ):
            values = _from_bytes(content, dtype, shape, 'C')
            return PickledArray(values.transpose(axes))
    raise UnpicklingError('it has no plain numpy.ndarray')


def _encode(*arguments: Any) -> bytes:
    """Stand for ``_codecs.encode``, which makes bytes in protocols 0 to 2."""
    match arguments:
        case (str() as text, 'latin1'):
            try:
                return text.encode('latin1')
            except UnicodeEncodeError:
                pass
    raise UnpicklingError('it has bytes of unknown form')


NUMPY_FORMS = {
    ('_codecs', 'encode'): _encode,
    ('numpy', 'ndarray'): _NDARRAY,
    ('numpy', 'dtype'): _dtype,
}
# NumPy 2 renamed ``numpy.core``.
for _core in ('numpy.core', 'numpy._core'):
    NUMPY_FORMS[f'{_core}.multiarray', '_reconstruct'] = _reconstruct
    NUMPY_FORMS[f'{_core}.numeric', '_frombuffer'] = _frombuffer
