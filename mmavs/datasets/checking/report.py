"""What a check has found, in numbers and in words."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from mmavs.datasets.checking.problem import ERROR, KINDS, Problem
from mmavs.datasets.checking.split_counts import SplitCounts

__all__ = ['Report']


@dataclass(frozen=True)
class Report:
    """The result of checking a folder.

    Attributes:
        root: the folder.
        is_quick: whether nothing but headers was read.
        counts: what there is, one entry for each subset and split.
        problems: all of them.
    """

    root: str
    is_quick: bool
    counts: list[SplitCounts]
    problems: list[Problem]

    @property
    def num_errors(self) -> int:
        """How many problems are errors."""
        return sum(problem.severity == ERROR for problem in self.problems)

    @property
    def num_warnings(self) -> int:
        """How many are not."""
        return len(self.problems) - self.num_errors

    def groups(self) -> list[list[Problem]]:
        """Problems of one kind and severity together, errors first."""
        groups: dict[tuple[str, str], list[Problem]] = {}
        for problem in self.problems:
            groups.setdefault((problem.severity, problem.kind), []).append(
                problem
            )
        order = list(KINDS)
        return [
            groups[key]
            for key in sorted(
                groups, key=lambda key: (key[0] != ERROR, order.index(key[1]))
            )
        ]

    def to_dict(self) -> dict[str, Any]:
        """Give everything as plain values."""
        return dict(
            asdict(self), errors=self.num_errors, warnings=self.num_warnings
        )
