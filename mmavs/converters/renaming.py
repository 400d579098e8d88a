"""Renaming the tensors of another code base: all of them, or an error."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor


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
    others = {k: v for k, v in state.items() if not isinstance(v, Tensor)}
    if others:
        found = [key for key, value in others.items() if _is_state(value)]
        hint = f' One seems to be under {" and ".join(map(str, found))}.'
        raise ConversionError(
            'there is no state dict, plain or under state_dict or model.'
            f'{hint if found else ""} {len(others)} of {len(state)} entries '
            f'are not tensors:{listed(map(_kind, others, others.values()))}'
        )
    nameless = [key for key in state if not isinstance(key, str)]
    if nameless:
        raise ConversionError(
            'the keys of a state dict are names, but '
            f'{len(nameless)} are not:{listed(map(repr, nameless))}'
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
    # What the file has tells more than what it has not: that comes first.
    problems = {
        'without a place': unplaced,
        'of another shape': reshaped,
        'missing': [key for key in slots if key not in state],
    }
    problems = {text: names for text, names in problems.items() if names}
    if problems:
        counts = [f'{len(names)} {text}' for text, names in problems.items()]
        lists = [f'{text}:{listed(n)}' for text, n in problems.items()]
        raise ConversionError(
            f'expected {expected}, got {len(state)} tensors: '
            + '\n'.join([', '.join(counts), *lists])
        )
    return Conversion(placed, dropped)


def listed(names: Iterable[Any]) -> str:
    """Names for the end of an error message, each on a line of its own."""
    return ''.join(f'\n  {name}' for name in names)


def _is_state(value: Any) -> bool:
    return (
        isinstance(value, Mapping)
        and len(value) > 0
        and all(isinstance(v, Tensor) for v in value.values())
    )


def _kind(key: Any, value: Any) -> str:
    of_tensors = ' of tensors' if _is_state(value) else ''
    return f'{key} ({type(value).__name__}{of_tensors})'
