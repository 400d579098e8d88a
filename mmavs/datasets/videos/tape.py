"""The latest part of a signal that is too long to be kept."""

from __future__ import annotations

import numpy as np


class Tape:
    """Values that are appended at one end and forgotten at the other.

    Args:
        dtype: Type of the values.
        begin: Index of the first value.

    Attributes:
        begin: index of the first value that is kept.
    """

    def __init__(self, dtype: type, begin: int = 0) -> None:
        self.begin = begin
        self._values: np.ndarray = np.zeros(0, dtype)

    @property
    def end(self) -> int:
        """Index behind the last value."""
        return self.begin + len(self._values)

    def forget(self, before: int) -> None:
        """Keep what is at ``before`` and later.

        Args:
            before: An index; behind the end, the tape goes on there.
        """
        if before > self.begin:
            self._values = self._values[before - self.begin :]
            self.begin = before

    def append(self, values: np.ndarray) -> None:
        """Add values at the end."""
        self._values = np.concatenate([self._values, values])

    def part(self, low: int, high: int) -> np.ndarray:
        """Values from ``low`` up to ``high``.

        Raises:
            IndexError: If they are not on the tape.
        """
        if not self.begin <= low <= high <= self.end:
            raise IndexError(
                f'{low} to {high} must be within {self.begin} to {self.end}'
            )
        return self._values[low - self.begin : high - self.begin]
