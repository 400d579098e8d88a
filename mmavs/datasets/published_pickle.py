"""The form in which AVSBench publishes log-mel patches."""

from __future__ import annotations

import io
import pickle
import struct

import numpy as np
import torch

# Python's default when AVSBench was made.
PROTOCOL = 3


class _PublishedPickler(pickle.Pickler):
    """Pickle a tensor as torch does, but for the key of its storage."""

    def reducer_override(self, obj):
        if not isinstance(obj, torch.storage.TypedStorage):
            return NotImplemented
        # torch takes an address in memory as the key, and writes it twice
        # before the values.
        key = str(obj._untyped_storage._cdata)
        function, (content,) = obj.__reduce__()
        content = content.replace(_pickled_text(key), _pickled_text('0'), 2)
        return function, (content,)


def _pickled_text(text: str) -> bytes:
    return pickle.BINUNICODE + struct.pack('<I', len(text)) + text.encode()


def published_pickle(array: np.ndarray, protocol: int = PROTOCOL) -> bytes:
    """Pickle an array as a torch tensor that requires gradients.

    The bytes depend on the array and the protocol alone.

    Args:
        array: floating point numbers of any shape.
        protocol: of the pickle, 0 to 5.
    """
    tensor = torch.tensor(array, requires_grad=True)
    buffer = io.BytesIO()
    _PublishedPickler(buffer, protocol).dump(tensor)
    return buffer.getvalue()
