"""Options that are numbers of things."""

from __future__ import annotations

from numbers import Integral
from typing import Any


def check_whole_number(name: str, value: Any, least: int = 0) -> None:
    """Raise a ValueError unless an option is a whole number.

    Args:
        name: of the option.
        value: of the option; True is no number of things.
        least: the smallest that it may be.
    """
    is_whole = isinstance(value, Integral) and not isinstance(value, bool)
    if not is_whole or value < least:
        raise ValueError(
            f'{name} must be a whole number, {least} or more, got {value!r}'
        )
