"""A reader of pickles that runs nothing of what a pickle asks for.

A pickle is a program for a small stack machine, and Python's own machine
imports and calls whatever the program names. This one knows the opcodes that
arrays are written with and no others, and what a program names it looks up in
a table of stand-ins; nothing is imported, and no attribute is set.
"""

from __future__ import annotations

import pickle
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from pickle import UnpicklingError
from types import FunctionType
from typing import Any

from mmavs.datasets.restricted_pickle.reader import PickleReader, decode

# An array takes about 70 opcodes and 4 calls. An opcode makes as many bytes
# as it is long itself, a call may make as many as the file is long.
MAX_OPCODES = 1000
MAX_CALLS = 6

_NAMES = {
    value: name
    for name, value in vars(pickle).items()
    if name.isupper() and isinstance(value, bytes) and len(value) == 1
}
_CONSTANTS = {
    pickle.NONE: None,
    pickle.NEWTRUE: True,
    pickle.NEWFALSE: False,
    pickle.EMPTY_TUPLE: (),
}
_TUPLES = {pickle.TUPLE1: 1, pickle.TUPLE2: 2, pickle.TUPLE3: 3}
# Formats of a number, and of the length of what follows.
_NUMBERS = {pickle.BININT: '<i', pickle.BININT1: '<B', pickle.BININT2: '<H'}
_TEXTS = {pickle.BINUNICODE: '<I', pickle.SHORT_BINUNICODE: '<B'}
_BYTES = {
    pickle.BINBYTES: '<I',
    pickle.SHORT_BINBYTES: '<B',
    pickle.BYTEARRAY8: '<Q',
}


class Buildable(ABC):
    """What the opcode BUILD may give a state to."""

    @abstractmethod
    def build(self, state: Any) -> None:
        """Take over a state, or raise an UnpicklingError."""


class RestrictedUnpickler:
    """Run one pickle, from where a reader stands.

    Time and memory are bounded by the length of the content, whatever it
    says: opcodes and calls are counted, lengths are compared with what is
    left, numbers have at most 19 digits, and the keys of dicts are texts.

    Args:
        reader: the bytes; it is left behind the pickle.
        allowed: what the pickle may name, (module, name) to stand-in. Plain
            functions among them may be called; they take any arguments, and
            check them.
        persistent_load: what makes an object of a persistent id; without it
            the pickle may have none.
    """

    def __init__(
        self,
        reader: PickleReader,
        allowed: Mapping[tuple[str, str], Any],
        persistent_load: Callable[[Any], Any] | None = None,
    ) -> None:
        self._reader = reader
        self._allowed = allowed
        self._persistent_load = persistent_load
        self._stack: list[Any] = []
        self._marks: list[int] = []
        self._memo: dict[int, Any] = {}
        self._num_calls = 0

    def load(self) -> Any:
        """Run the pickle.

        Returns:
            What it makes, out of plain values and what the stand-ins return.

        Raises:
            UnpicklingError: if it asks for anything else, or is damaged.
        """
        for _ in range(MAX_OPCODES):
            opcode = self._reader.take(1)
            if opcode == pickle.STOP:
                result = self._pop()
                if self._stack or self._marks:
                    raise UnpicklingError('it leaves objects over')
                return result
            self._run(opcode)
        raise UnpicklingError(
            f'it has more than the {MAX_OPCODES} opcodes an array may take'
        )

    def _run(self, opcode: bytes) -> None:
        """Run any opcode but STOP."""
        push = self._stack.append
        if opcode in _CONSTANTS:
            push(_CONSTANTS[opcode])
        elif opcode in _NUMBERS:
            push(self._reader.number(_NUMBERS[opcode]))
        elif opcode in _TEXTS:
            push(decode(self._reader.counted(_TEXTS[opcode])))
        elif opcode in _BYTES:
            push(self._reader.counted(_BYTES[opcode]))
        elif opcode in _TUPLES:
            items = [self._pop() for _ in range(_TUPLES[opcode])]
            push(tuple(reversed(items)))
        else:
            self._run_other(opcode, push)

    def _run_other(self, opcode: bytes, push: Callable[[Any], None]) -> None:
        match opcode:
            case pickle.PROTO | pickle.FRAME:
                # Neither changes what the other opcodes mean.
                self._reader.take(1 if opcode == pickle.PROTO else 8)
            case pickle.MARK:
                self._marks.append(len(self._stack))
            case pickle.TUPLE:
                push(tuple(self._pop_to_mark()))
            case pickle.UNICODE:
                push(decode(self._reader.line(), 'raw-unicode-escape'))
            case pickle.INT | pickle.LONG:
                push(self._reader.decimal())
            case pickle.EMPTY_LIST:
                push([])
            case pickle.APPEND:
                self._append()
            case pickle.EMPTY_DICT:
                push({})
            case pickle.SETITEM:
                value, key = self._pop(), self._pop()
                self._set_items([key, value])
            case pickle.SETITEMS:
                self._set_items(self._pop_to_mark())
            case pickle.MEMOIZE:
                self._memo[len(self._memo)] = self._top()
            case pickle.PUT:
                self._memo[self._reader.decimal()] = self._top()
            case pickle.BINPUT:
                self._memo[self._reader.number('<B')] = self._top()
            case pickle.LONG_BINPUT:
                self._memo[self._reader.number('<I')] = self._top()
            case pickle.GET:
                push(self._recall(self._reader.decimal()))
            case pickle.BINGET:
                push(self._recall(self._reader.number('<B')))
            case pickle.LONG_BINGET:
                push(self._recall(self._reader.number('<I')))
            case pickle.GLOBAL:
                module = decode(self._reader.line())
                push(self._find(module, decode(self._reader.line())))
            case pickle.STACK_GLOBAL:
                name, module = self._pop(), self._pop()
                push(self._find(module, name))
            case pickle.REDUCE:
                arguments, function = self._pop(), self._pop()
                push(self._call(function, arguments))
            case pickle.BUILD:
                self._build(self._pop())
            case pickle.BINPERSID if self._persistent_load is not None:
                push(self._persistent_load(self._pop()))
            case _:
                name = _NAMES.get(opcode, f'0x{opcode.hex()}')
                raise UnpicklingError(
                    f'it has the opcode {name}, which no array needs'
                )

    # The stack and the memo.

    def _top(self) -> Any:
        if len(self._stack) <= (self._marks[-1] if self._marks else 0):
            raise UnpicklingError('it takes an object that is not there')
        return self._stack[-1]

    def _pop(self) -> Any:
        self._top()
        return self._stack.pop()

    def _pop_to_mark(self) -> list[Any]:
        if not self._marks:
            raise UnpicklingError('it takes a mark that is not there')
        start = self._marks.pop()
        items = self._stack[start:]
        del self._stack[start:]
        return items

    def _recall(self, key: int) -> Any:
        if key not in self._memo:
            raise UnpicklingError(f'it recalls object {key}, never stored')
        return self._memo[key]

    # What may do harm elsewhere.

    def _find(self, module: Any, name: Any) -> Any:
        if not isinstance(module, str) or not isinstance(name, str):
            raise UnpicklingError('it names something by what is no text')
        if (module, name) not in self._allowed:
            raise UnpicklingError(f'it names {f"{module}.{name}"[:80]!a}')
        return self._allowed[module, name]

    def _call(self, function: Any, arguments: Any) -> Any:
        if not isinstance(function, FunctionType):
            raise UnpicklingError(f'it calls a {type(function).__name__}')
        if not isinstance(arguments, tuple):
            raise UnpicklingError('it calls a function without arguments')
        self._num_calls += 1
        if self._num_calls > MAX_CALLS:
            raise UnpicklingError(
                f'it makes more than the {MAX_CALLS} calls an array may take'
            )
        return function(*arguments)

    def _build(self, state: Any) -> None:
        target = self._top()
        if not isinstance(target, Buildable):
            raise UnpicklingError(
                f'it sets the state of a {type(target).__name__}'
            )
        target.build(state)

    def _append(self) -> None:
        item, target = self._pop(), self._top()
        if not isinstance(target, list):
            raise UnpicklingError('it appends to what is no list')
        target.append(item)

    def _set_items(self, items: list[Any]) -> None:
        target, keys, values = self._top(), items[::2], items[1::2]
        # The hash of a nested tuple can take for ever.
        if (
            not isinstance(target, dict)
            or len(keys) != len(values)
            or not all(isinstance(key, str) for key in keys)
        ):
            raise UnpicklingError('it sets items of what is no dict of texts')
        target.update(zip(keys, values, strict=True))
