"""Shim 1: mmcv without compiled operators.

``mmcv.ops`` loads the extension ``mmcv._ext`` while it is imported. Where
that was not built (``mmcv-lite``, or a build without operators), released
mmsegmentation cannot import ``mmseg.models`` at all, although next to none of
its models use an operator. Here ``mmcv.ops`` becomes a module whose
attributes can be imported and subclassed, and raise when they are *called*.
"""

import importlib
import sys
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from types import ModuleType
from typing import Any, NoReturn

# ``mmcv.cnn`` imports this submodule by name, and warns where it is missing.
_STUBBED = ('mmcv.ops', 'mmcv.ops.multi_scale_deform_attn')

# Not operators: mmcv's environment report calls these two if it can import
# them, and prints this very value where there is no extension.
_REPORTS = ('get_compiler_version', 'get_compiling_cuda_version')


def _make_operator(name: str) -> type:
    """Make the stand-in of one operator.

    It is a class, and so serves as a callable, as a base class next to any
    ``nn.Module`` and in ``isinstance``.

    Args:
        name: Name of the operator in ``mmcv.ops``.
    """

    def __new__(cls, *args: Any, **kwargs: Any) -> NoReturn:
        raise RuntimeError(
            f'mmcv.ops.{name} needs the compiled operators of mmcv, and the '
            'installed mmcv has none (there is no mmcv._ext). Install the '
            'full mmcv instead of mmcv-lite, or choose a model without this '
            'operator: see docs/install.md.'
        )

    return type(
        name,
        (),
        {
            '__new__': __new__,
            '__module__': 'mmcv.ops',
            '__doc__': f'Stand-in for the operator {name} of mmcv.',
        },
    )


class _MissingOps(ModuleType):
    """A module that has every operator, none of which can be called."""

    def __getattr__(self, name: str) -> Any:
        # Import machinery, inspect and pickle probe dunder names: to them
        # this must look like an ordinary module.
        if name.startswith('__'):
            raise AttributeError(f'module {self.__name__} has no {name}')
        value: Any
        if name in _REPORTS:

            def value() -> str:
                return 'n/a'
        else:
            value = _make_operator(name)
        setattr(self, name, value)
        return value


def stub_missing_ops() -> bool:
    """Stand in for ``mmcv.ops`` where mmcv has no compiled operators.

    ``mmcv._ext`` stays missing, so everything that asks for it (mmengine's
    ``mmcv_full_available``, mmcv's ``check_ops_exist``) still hears no.

    Returns:
        True if the stand-in is in place, False if mmcv has its operators or
        another module took the place already.
    """
    if find_spec('mmcv._ext') is not None:
        return False
    present = sys.modules.get(_STUBBED[0])
    if present is not None:
        return isinstance(present, _MissingOps)
    for name in _STUBBED:
        module = _MissingOps(name, __doc__)
        # No loader and no path: there is nothing behind it to load.
        module.__spec__ = ModuleSpec(name, None)
        sys.modules[name] = module
        parent, _, child = name.rpartition('.')
        setattr(importlib.import_module(parent), child, module)
    return True
