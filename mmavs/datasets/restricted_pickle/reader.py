"""The arguments of a pickle's opcodes, as they lie in its bytes."""

from __future__ import annotations

import re
import struct
from pickle import UnpicklingError

# Protocols 0 and 1 write the truth values as numbers of two digits.
_DIGITS = {b'00': False, b'01': True}
_DECIMAL = re.compile(rb'(-?[0-9]{1,19})L?')


class PickleReader:
    """Read on through bytes; nothing is taken that is not there.

    All methods raise an UnpicklingError where the content ends too early or
    is not what it should be.

    Args:
        content: the bytes.
        position: where to begin; as an attribute, where the next byte is.
    """

    def __init__(self, content: bytes, position: int = 0) -> None:
        self.content = content
        self.position = position

    @property
    def num_left(self) -> int:
        """How many bytes there are still."""
        return len(self.content) - self.position

    def take(self, count: int) -> bytes:
        """Read so many bytes."""
        if count > self.num_left:
            raise UnpicklingError('it is cut short')
        start, self.position = self.position, self.position + count
        return self.content[start : self.position]

    def number(self, layout: str) -> int:
        """Read a number in a format of the module ``struct``."""
        return struct.unpack(layout, self.take(struct.calcsize(layout)))[0]

    def counted(self, layout: str) -> bytes:
        """Read bytes after their number."""
        return self.take(self.number(layout))

    def line(self) -> bytes:
        """Read a line, without its end."""
        end = self.content.find(b'\n', self.position)
        if end < 0:
            raise UnpicklingError('it is cut short')
        return self.take(end + 1 - self.position)[:-1]

    def decimal(self) -> int:
        """Read a line with a number of at most 19 digits, or a bool."""
        line = self.line()
        if line in _DIGITS:
            return _DIGITS[line]
        match = _DECIMAL.fullmatch(line)
        if match is None:
            raise UnpicklingError('it has a number that is none, or too long')
        return int(match[1])


def decode(content: bytes, codec: str = 'utf-8') -> str:
    """Make a text of bytes.

    Raises:
        UnpicklingError: if they are none.
    """
    try:
        return content.decode(codec)
    except UnicodeDecodeError as error:
        raise UnpicklingError(f'it has a text that is none: {error}') from None
