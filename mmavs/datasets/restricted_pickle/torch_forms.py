"""What torch's pickles name: stand-ins that need no torch."""

from __future__ import annotations

from dataclasses import dataclass
from pickle import UnpicklingError
from typing import Any

import numpy as np

from mmavs.datasets.restricted_pickle.numpy_forms import (
    PickledArray,
    count_values,
)
from mmavs.datasets.restricted_pickle.reader import PickleReader
from mmavs.datasets.restricted_pickle.unpickler import RestrictedUnpickler

# The bytes of a storage are a file in torch's first format: magic number and
# version, the sizes of C types, a reference to the storage, the list of all
# references, and the values after their number.
_HEADER = b'\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.\x80\x02M\xe9\x03.'
_STORAGES = {
    ('torch', 'DoubleStorage'): np.dtype('<f8'),
    ('torch', 'FloatStorage'): np.dtype('<f4'),
    ('torch', 'HalfStorage'): np.dtype('<f2'),
}


@dataclass(frozen=True)
class _Reference:
    """What a torch file says of its storage before the values."""

    dtype: np.dtype
    key: str
    count: int


@dataclass(frozen=True)
class _Storage:
    """The values of a tensor, in one row."""

    values: np.ndarray


def _reference(persistent_id: Any) -> _Reference:
    """Read a persistent id; the device that it names plays no part."""
    match persistent_id:
        case (
            'storage',
            np.dtype() as dtype,
            str() as key,
            str(),
            int() as count,
            None,
        ):
            return _Reference(dtype, key, count)
    raise UnpicklingError('it has a torch storage of unknown form')


# Each stands for the function it is named after.


def _load_from_bytes(*arguments: Any) -> _Storage:
    match arguments:
        case (bytes() as content,) if content.startswith(_HEADER):
            reader = PickleReader(content, len(_HEADER))
        case _:
            raise UnpicklingError('it has a torch storage of unknown form')
    # The sizes, the reference and the references.
    objects = [
        RestrictedUnpickler(reader, _STORAGES, _reference).load()
        for _ in range(3)
    ]
    match objects:
        case (dict(), _Reference(dtype, key, count), [str() as listed]) if (
            key == listed
        ):
            stored_count = reader.number('<q')
        case _:
            raise UnpicklingError('it has a torch storage of unknown form')
    if not count == stored_count == reader.num_left / dtype.itemsize:
        raise UnpicklingError(
            f'it has a torch storage of {count} {dtype}, with '
            f'{reader.num_left} bytes'
        )
    return _Storage(np.frombuffer(content, dtype, offset=reader.position))


def _rebuild_tensor_v2(*arguments: Any) -> PickledArray:
    match arguments:
        case (
            _Storage(values),
            int() as offset,
            tuple() as shape,
            tuple() as strides,
            bool(),
            dict() as hooks,
        ) if not hooks:
            count = count_values(shape)
        case _:
            raise UnpicklingError('it has no plain torch.Tensor')
    # The step along a side of 1 is never taken, and may be anything.
    steps = [
        step if side != 1 else 0
        for side, step in zip(shape, strides, strict=False)
    ]
    is_valid = len(strides) == len(shape) and all(
        type(step) is int and step >= 0 for step in steps
    )
    # With steps of 0 a few values make any number of them.
    if (
        not is_valid
        or offset < 0
        or count > len(values)
        or (offset + _reach(shape, steps) >= len(values))
    ):
        raise UnpicklingError(
            f'it has a torch.Tensor beyond its {len(values)} stored values'
        )
    size = values.itemsize
    return PickledArray(
        np.ndarray(
            shape,
            values.dtype,
            values,
            offset=offset * size,
            strides=[step * size for step in steps],
        )
    )


def _reach(shape: tuple, steps: list[int]) -> int:
    """Distance of the last value from the first."""
    return sum(
        (side - 1) * step for side, step in zip(shape, steps, strict=True)
    )


def _ordered_dict(*arguments: Any) -> dict:
    """Stand for ``collections.OrderedDict``, the hooks of a tensor: none."""
    if arguments:
        raise UnpicklingError('it has a torch.Tensor with hooks')
    return {}


TORCH_FORMS = {
    ('torch._utils', '_rebuild_tensor_v2'): _rebuild_tensor_v2,
    ('torch.storage', '_load_from_bytes'): _load_from_bytes,
    ('collections', 'OrderedDict'): _ordered_dict,
}
