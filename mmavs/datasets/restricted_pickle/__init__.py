"""Pickled tensors and arrays, read without running anything in the file.

What torch and NumPy name in their pickles can itself be made to run code or
to fill the memory: ``torch.storage._load_from_bytes`` unpickles again without
any restriction, NumPy's ``_reconstruct`` allocates what it is told to. None
of it is called: :mod:`unpickler` knows the opcodes, :mod:`torch_forms` and
:mod:`numpy_forms` stand for what may be named.
"""

from .arrays import load_pickled_array

__all__ = ['load_pickled_array']
