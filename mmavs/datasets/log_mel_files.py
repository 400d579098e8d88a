"""Files of log-mel patches: AVSBench's pickles, and what replaces them."""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from math import prod

import numpy as np
import safetensors.numpy

from mmavs.datasets.errors import DataError
from mmavs.datasets.files import exists, read_file, write_file
from mmavs.datasets.published_pickle import PROTOCOL, published_pickle
from mmavs.datasets.restricted_pickle import load_pickled_array

PICKLE = '.pkl'
# What a pickle is converted to; such a sibling is read in its place.
CONVERTED = ('.safetensors', '.npy')
TENSOR_NAME = 'log_mel'
PATCH_SHAPE = (1, 96, 64)
# A clip of AVSBench takes 0.25 MB, an hour of audio 92 MB.
MAX_BYTES = 64 * 2**20
# The header of an array of numbers takes 128 bytes.
_MAX_NPY_HEADER = 512
_NPY_HEADERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}


def load_log_mel(
    path: str, backend_args: dict | None = None, max_bytes: int = MAX_BYTES
) -> np.ndarray:
    """Read the log-mel patches of a clip.

    In the place of a pickle a ``.safetensors`` or ``.npy`` file of its name
    is read, if there is one and, both lying on a local disk, it is not older
    than the pickle.

    Args:
        path: a ``.pkl``, ``.safetensors`` or ``.npy`` file.
        backend_args: arguments of the file backend.
        max_bytes: the size from which a file is refused.

    Returns:
        np.ndarray: (P, 1, 96, 64) float32, writable.

    Raises:
        MissingDataError: if there is no such file.
        DataError: if it is anything else than patches of finite floating
            point numbers. No code in it is run, and no memory taken that it
            only asks for.
    """
    for sibling in _siblings(path):
        if exists(sibling, backend_args) and not _is_older(sibling, path):
            path = sibling
            break
    return load_log_mel_file(path, backend_args, max_bytes)


def load_log_mel_file(
    path: str, backend_args: dict | None = None, max_bytes: int = MAX_BYTES
) -> np.ndarray:
    """Read one file as :func:`load_log_mel` does, whatever lies beside it."""
    _decoder_of(path)  # before a file of another kind is read
    content = read_file(path, 'log-mel', backend_args, max_bytes)
    return decode_log_mel(content, path)


def decode_log_mel(content: bytes, path: str) -> np.ndarray:
    """Decode the content of such a file.

    Args:
        content: its bytes.
        path: its name, whose suffix says what it is.

    Returns:
        np.ndarray: (P, 1, 96, 64) float32, writable.

    Raises:
        DataError: as :func:`load_log_mel` does.
    """
    return _check(_decoder_of(path)(content, str(path)), path)


def _decoder_of(path: str) -> Callable[[bytes, str], np.ndarray]:
    suffix = os.path.splitext(path)[1]
    if suffix not in _DECODERS:
        raise DataError(
            f'log-mel patches are read from {", ".join(_DECODERS)} files, '
            f'got {path}'
        )
    return _DECODERS[suffix]


def save_log_mel(path: str, log_mel: np.ndarray) -> None:
    """Write the log-mel patches of a clip; the file is complete or not there.

    Args:
        path: a ``.safetensors`` or ``.npy`` file in an existing folder.
        log_mel: (P, 1, 96, 64).

    Raises:
        DataError: if the patches are no such array, or the name of the file
            says neither of the two.
        OSError: if the file cannot be written.
    """
    suffix = os.path.splitext(path)[1]
    log_mel = _check(log_mel, path)
    if suffix == '.safetensors':
        content = safetensors.numpy.save({TENSOR_NAME: log_mel})
    elif suffix == '.npy':
        buffer = io.BytesIO()
        np.save(buffer, log_mel, allow_pickle=False)
        content = buffer.getvalue()
    else:
        raise DataError(
            f'log-mel patches are written to {" and ".join(CONVERTED)} '
            f'files, got {path}'
        )
    write_file(path, content)


def save_published_pickle(
    path: str, log_mel: np.ndarray, protocol: int = PROTOCOL
) -> None:
    """Write log-mel patches in the form in which AVSBench publishes them.

    That is a plain pickle of a torch tensor that requires gradients. The
    bytes depend on the patches and the protocol alone.

    Args:
        path: a ``.pkl`` file in an existing folder.
        log_mel: (P, 1, 96, 64).
        protocol: of the pickle, 0 to 5.

    Raises:
        DataError: if the patches are no such array.
        OSError: if the file cannot be written.
    """
    write_file(path, published_pickle(_check(log_mel, path), protocol))


def _siblings(path: str) -> list[str]:
    """The files that are read in the place of a pickle."""
    stem, suffix = os.path.splitext(path)
    return [stem + other for other in CONVERTED] if suffix == PICKLE else []


def _is_older(path: str, other: str) -> bool:
    try:
        return os.stat(path).st_mtime_ns < os.stat(other).st_mtime_ns
    except OSError:
        # Not on a local disk, or the pickle was removed.
        return False


def _check_form(dtype: np.dtype, shape: tuple, path: str) -> None:
    if dtype.kind != 'f' or dtype.itemsize not in (2, 4, 8):
        raise DataError(
            f'{path}: log_mel must be float16, float32 or float64, got {dtype}'
        )
    if shape[1:] != PATCH_SHAPE or shape[0] < 1:
        raise DataError(f'{path}: log_mel must be (P, 1, 96, 64), got {shape}')


def _check(log_mel: np.ndarray, path: str) -> np.ndarray:
    """Patches as float32, a copy."""
    _check_form(log_mel.dtype, log_mel.shape, path)
    with np.errstate(over='ignore'):
        log_mel = np.array(log_mel, dtype=np.float32, order='C')
    if not np.isfinite(log_mel).all():
        raise DataError(f'{path}: log_mel holds values that are not finite')
    return log_mel


def _decode_npy(content: bytes, name: str) -> np.ndarray:
    file = io.BytesIO(content)
    try:
        read_header = _NPY_HEADERS[np.lib.format.read_magic(file)]
        shape, is_fortran, dtype = read_header(
            file, max_header_size=_MAX_NPY_HEADER
        )
    except Exception as error:  # whatever the bytes make a parser do
        raise DataError(f'{name} is not a readable .npy file: {error}') from (
            error
        )
    # Before anything is made of the values: those of objects are a pickle.
    _check_form(dtype, shape, name)
    values = content[file.tell() :]
    if prod(shape) * dtype.itemsize != len(values):
        raise DataError(
            f'{name} has {len(values)} bytes of values, its header says '
            f'{shape} of {dtype}'
        )
    array = np.frombuffer(values, dtype)
    return array.reshape(shape, order='F' if is_fortran else 'C')


def _decode_safetensors(content: bytes, name: str) -> np.ndarray:
    try:
        tensors = safetensors.numpy.load(content)
    except Exception as error:  # whatever the bytes make a parser do
        raise DataError(
            f'{name} is not a readable .safetensors file: {error}'
        ) from error
    if tensors.keys() != {TENSOR_NAME}:
        raise DataError(
            f'{name} must hold one tensor, {TENSOR_NAME}, got '
            f'{sorted(tensors)[:10]}'
        )
    return tensors[TENSOR_NAME]


_DECODERS = {
    PICKLE: load_pickled_array,
    '.safetensors': _decode_safetensors,
    '.npy': _decode_npy,
}
