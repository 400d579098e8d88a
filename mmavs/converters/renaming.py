"""Renaming the tensors of another code base: all of them, or an error."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor

# How many names an error lists of each kind.
_SHOWN = 20


class ConversionError(ValueError):
    """The weights are not what the converter was told to convert."""


@dataclass(frozen=True)
class Slot:
    """The place of one tensor in our model.

    Attributes:
        name: our name.
        shape: our shape.
        source_shape: the shape it has in the file; ours if None. Both hold
            the same numbers in the same order.
    """

    name: str
    shape: tuple[int, ...]
    source_shape: tuple[int, ...] | None = None


@dataclass(frozen=True)
class Conversion:
    """A state dict under our names, and what was left out of it.

    Attributes:
        state_dict: name to tensor.
        dropped: module in the file that our model has no use for, to the
            number of its tensors.
    """

    state_dict: dict[str, Tensor]
    dropped: dict[str, int]


def unwrap(content: Any) -> dict[str, Tensor]:
    """State dict in what a checkpoint holds.

    Args:
        content: a state dict, plain or wrapped in ``state_dict`` or
            ``model``; a prefix ``module.`` that every key has is taken off.

    Raises:
        ConversionError: if there is none.
    """
    state = content
    for wrapper in ('state_dict', 'model'):
        if isinstance(state, Mapping):
            state = state.get(wrapper, state)
    if not isinstance(state, Mapping) or not state:
        raise ConversionError(
            'there is no state dict, plain or under state_dict or model, but '
            f'{"an empty " if isinstance(state, Mapping) else "a "}'
            f'{type(state).__name__}'
        )
    others = [k for k, v in state.items() if not isinstance(v, Tensor)]
    if others:
        raise ConversionError(
            'a state dict, plain or under state_dict or model, holds tensors '
            f'alone, but {_listed(others)} '
            f'{"is" if len(others) == 1 else "are"} none'
        )
    if all(key.startswith('module.') for key in state):
        return {k.removeprefix('module.'): v for k, v in state.items()}
    return dict(state)


def rename_exactly(
    state: Mapping[str, Tensor],
    slots: Mapping[str, Slot],
    expected: str,
    unused: Sequence[str] = (),
) -> Conversion:
    """Give every tensor its place in our model.

    Args:
        state: the weights under their own names.
        slots: own name to our place; every one must be filled.
        expected: what the file should be, for the error message.
        unused: own names of the modules to drop.

    Raises:
        ConversionError: naming every tensor that is missing, that has no
            place, or that has another shape.
    """
    placed: dict[str, Tensor] = {}
    dropped: dict[str, int] = {}
    unplaced, reshaped = [], []
    for key, value in state.items():
        slot = slots.get(key)
        if slot is None:
            module = next((m for m in unused if key.startswith(f'{m}.')), None)
            if module is None:
                unplaced.append(key)
            else:
                dropped[module] = dropped.get(module, 0) + 1
            continue
        shape = slot.shape if slot.source_shape is None else slot.source_shape
        if tuple(value.shape) == shape:
            placed[slot.name] = value.detach().reshape(slot.shape)
        else:
            reshaped.append(f'{key} {tuple(value.shape)} instead of {shape}')
    missing = [key for key in slots if key not in state]
    problems = [
        f'{len(names)} {text}: {_listed(names)}'
        for names, text in (
            (missing, 'missing'),
            (unplaced, 'without a place'),
            (reshaped, 'of another shape'),
        )
        if names
    ]
    if problems:
        raise ConversionError(
            '\n  '.join([f'these are not {expected}:', *problems])
        )
    return Conversion(placed, dropped)


def _listed(names: Iterable[Any]) -> str:
    names = [str(name) for name in names]
    more = len(names) - _SHOWN
    return ', '.join(names[:_SHOWN]) + (
        f' and {more} more' if more > 0 else ''
    )
