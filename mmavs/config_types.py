"""What the ``type`` of a part of a config names."""

from __future__ import annotations

from collections.abc import Mapping


def type_name(part: Mapping) -> str:
    """Name of the class of a part.

    Args:
        part: has a ``type``: a class, its name, or its name with a scope or
            a module before it.
    """
    kind = part['type']
    return getattr(kind, '__name__', str(kind)).split('.')[-1]
