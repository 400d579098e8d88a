"""What a checkpoint may hold besides tensors and plain Python values.

mmengine's checkpoints carry the log history (``HistoryBuffer``) and NumPy
scalars, which torch refuses with ``weights_only=True``. They are admitted
here one by one, and nothing else is.
"""

import io
import os
import pickle
import re
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from mmengine.logging import HistoryBuffer
from mmengine.optim.scheduler.param_scheduler import OneCycleParamScheduler


class UnsafeCheckpointError(pickle.UnpicklingError):
    """A checkpoint names a Python object it has no business with."""


# NumPy 2 renamed ``numpy.core``; files written with either are read by both.
_NUMPY_CORE = ('numpy._core.multiarray', 'numpy.core.multiarray')
_NUMPY_TYPES = (
    np.bool_,
    np.int8,
    np.int16,
    np.int32,
    np.int64,
    np.uint8,
    np.uint16,
    np.uint32,
    np.uint64,
    np.float16,
    np.float32,
    np.float64,
)

_NO_CHECKPOINT = (
    'is not a checkpoint that torch can read: it is a file of another kind, '
    'or a plain pickle, which is not read (nothing in it was run)'
)

# Functions that mmengine's checkpoints refer to, by class and name.
_METHODS: dict[type, tuple[str, ...]] = {
    HistoryBuffer: ('min', 'max', 'current', 'mean'),
    OneCycleParamScheduler: ('_annealing_cos', '_annealing_linear'),
}


class _ClassName:
    """Stand in for a class that a checkpoint may name, but not create."""

    def __init__(self, cls: type) -> None:
        self.cls = cls


def _restricted_getattr(owner: Any, name: Any) -> Callable[..., Any]:
    """Stand in for ``getattr`` in a checkpoint.

    pickle writes a method as a call of ``getattr`` with its class and name.
    The real function would reach anything from anything.

    Raises:
        UnsafeCheckpointError: For any but the few methods above.
    """
    cls = owner.cls if isinstance(owner, _ClassName) else owner
    if isinstance(cls, type) and name in _METHODS.get(cls, ()):
        return getattr(cls, name)
    raise UnsafeCheckpointError(
        f'Unsupported global: GLOBAL getattr({cls!r}, {name!r}) was not an '
        'allowed global'
    )


def _allowed_globals() -> list[Any]:
    """List the admitted globals in the form torch wants them."""
    core = np._core if hasattr(np, '_core') else np.core
    multiarray = core.multiarray
    allowed: list[Any] = [
        HistoryBuffer,
        (
            _ClassName(OneCycleParamScheduler),
            f'{OneCycleParamScheduler.__module__}.'
            f'{OneCycleParamScheduler.__qualname__}',
        ),
        (_restricted_getattr, 'builtins.getattr'),
        np.ndarray,
        np.dtype,
    ]
    for module in _NUMPY_CORE:
        allowed.append((multiarray.scalar, f'{module}.scalar'))
        allowed.append((multiarray._reconstruct, f'{module}._reconstruct'))
    # The classes of the dtype objects, which restore their own state.
    allowed.extend(type(np.dtype(scalar)) for scalar in _NUMPY_TYPES)
    return allowed


ALLOWED_GLOBALS = _allowed_globals()


def _refused_global(error: Exception) -> str:
    """Extract the object that a file was refused for, '' if it was not."""
    text = str(error)
    for pattern in (
        r'GLOBAL (.+?) was not an allowed global',
        r'unsupported GLOBAL (\S+)',
        r'unrecognized function (.+?)(?: which belongs|\n|$)',
        r'but got (<class .+?>)',
    ):
        match = re.search(pattern, text)
        if match:
            return match.group(1)
    return ''


def load_trusted_types(
    source: str | io.BytesIO, map_location: Any, name: str
) -> Any:
    """Read a torch file that holds tensors, plain values and the above.

    Args:
        source: Path of the file, or its bytes.
        map_location: As in :func:`torch.load`.
        name: What to call the file in errors.

    Raises:
        UnsafeCheckpointError: If the file names any other Python object.
            Nothing of it has been called by then.
        RuntimeError: If it is no torch file, or is cut short.
    """
    if isinstance(source, io.BytesIO):
        size = source.getbuffer().nbytes
    else:
        size = os.path.getsize(source)
    if size == 0:
        raise RuntimeError(f'{name} is empty: it holds no checkpoint')
    # ``safe_globals`` takes everything it was given off the list at the end:
    # give it only what the user has not put there before.
    listed = torch.serialization.get_safe_globals()
    allowed = [item for item in ALLOWED_GLOBALS if item not in listed]
    try:
        with (
            torch.serialization.safe_globals(allowed),
            warnings.catch_warnings(),
        ):
            # A plain pickle: the error below says it better.
            warnings.filterwarnings('ignore', 'Detected pickle protocol')
            return torch.load(
                source, map_location=map_location, weights_only=True
            )
    except pickle.UnpicklingError as error:
        refused = _refused_global(error)
        if not refused:
            raise RuntimeError(f'{name} {_NO_CHECKPOINT}') from error
        raise UnsafeCheckpointError(
            f'{name} was refused: it asks for {refused}, and reading a '
            'checkpoint must not run code. Allowed are tensors, plain Python '
            "values, NumPy arrays and numbers, and mmengine's log history. "
            'If you trust where the file comes from, read it once with '
            'torch.load(..., weights_only=False) in a separate process and '
            'save only the state dict in it.'
        ) from None
    except (
        EOFError,
        LookupError,
        OSError,
        RuntimeError,
        ValueError,
    ) as error:
        if 'magic number' in str(error):
            raise RuntimeError(f'{name} {_NO_CHECKPOINT}') from error
        # What torch raises for a file that ends early or was damaged.
        raise RuntimeError(
            f'{name} cannot be read as a checkpoint, it may have been cut '
            f'short: {type(error).__name__}: {error}'
        ) from error
