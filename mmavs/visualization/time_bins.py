"""Means over time that take the same room however long the time is."""

from __future__ import annotations

import numpy as np


class TimeBins:
    """Means of some values in equal stretches of time.

    The bins begin narrow. Whenever the time outgrows them they double in
    width: two neighbours become one.

    Args:
        num_values: how many values a bin has.
        width_s: width of a bin at first.
        capacity: most bins; even.

    Attributes:
        num_values: how many values a bin has.
        width_s: width of a bin now.
        end_s: the latest time that was asked for.
    """

    def __init__(
        self, num_values: int, width_s: float = 0.01, capacity: int = 4096
    ) -> None:
        self.num_values = num_values
        self.width_s = width_s
        self.end_s = 0.0
        self._sums = np.zeros((capacity, num_values))
        self._counts = np.zeros((capacity, num_values), dtype=np.int64)

    def stretch(self, start_s: float, end_s: float) -> np.ndarray:
        """Bins whose middle lies in [start, end), one at least.

        Args:
            start_s: seconds, 0 or more.
            end_s: seconds, more than ``start_s``.

        Shapes:
            - returns: (M,) whole numbers; right until the next call.
        """
        self._reach(end_s)
        # Rounded, so that one stretch begins where the one before ended.
        first, last = (
            int(np.ceil(round(x / self.width_s, 6) - 0.5))
            for x in (start_s, end_s)
        )
        if last <= first:
            first = int((start_s + end_s) / 2 / self.width_s)
            last = first + 1
        return np.arange(first, min(last, len(self._sums)))

    def at(self, times_s: np.ndarray) -> np.ndarray:
        """Bins that hold times.

        Args:
            times_s: seconds, 0 or more.

        Shapes:
            - times_s: (M,).
            - returns: (M,) whole numbers; right until the next call.
        """
        self._reach(float(times_s.max()))
        # Rounded, so that equal steps of a bin's width meet each bin once.
        bins = np.floor(np.round(times_s / self.width_s, 6)).astype(int)
        return bins.clip(max=len(self._sums) - 1)

    def add(self, bins: np.ndarray, values: np.ndarray) -> None:
        """Count values in; NaN stands for none.

        Shapes:
            - bins: (M,).
            - values: (M, V) or (V,).
        """
        known = np.isfinite(values)
        # Unlike +=, counts in what a bin gets more than once; several times
        # as fast where the types are the same.
        np.add.at(self._sums, bins, np.where(known, values, 0.0))
        np.add.at(self._counts, bins, known.astype(np.int64))

    def means(self) -> np.ndarray:
        """Mean of each bin up to the last one in use; NaN for none.

        Shapes:
            - returns: (M, V).
        """
        used = np.flatnonzero(self._counts.any(1)).max(initial=-1) + 1
        sums, counts = self._sums[:used], self._counts[:used]
        return np.divide(
            sums, counts, out=np.full_like(sums, np.nan), where=counts > 0
        )

    def _reach(self, end_s: float) -> None:
        self.end_s = max(self.end_s, end_s)
        while self.end_s > len(self._sums) * self.width_s:
            self._double()

    def _double(self) -> None:
        for values in (self._sums, self._counts):
            half = len(values) // 2
            values[:half] = values[0::2] + values[1::2]
            values[half:] = 0
        self.width_s *= 2
