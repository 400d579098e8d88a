"""How much there is of one split."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from mmavs.datasets.checking.clip_findings import FILE_KINDS, ClipFindings

__all__ = ['SplitCounts']


@dataclass(frozen=True)
class SplitCounts:
    """Clips and files of one split of one subset.

    Attributes:
        subset: ``s4``, ``ms3``, ``v1s``, ``v1m`` or ``v2``.
        split: ``train``, ``val`` or ``test``.
        clips: how many the CSV lists.
        published: how many there are in the published set, None if unknown.
        usable: how many have everything that training or testing needs.
        found: how many files there are, by the names in ``FILE_KINDS``.
        expected: how many there would be of a complete set.
    """

    subset: str
    split: str
    clips: int
    published: int | None
    usable: int
    found: dict[str, int] = field(default_factory=dict)
    expected: dict[str, int] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        subset: str,
        split: str,
        published: int | None,
        findings: Sequence[ClipFindings],
    ) -> SplitCounts:
        """Count what was found of the clips of a split."""
        found: Counter = Counter()
        expected: Counter = Counter()
        for clip in findings:
            found.update(clip.found)
            expected.update(clip.expected)
        return cls(
            subset,
            split,
            len(findings),
            published,
            sum(clip.is_usable for clip in findings),
            {n: found[key] for key, n in FILE_KINDS.items() if expected[key]},
            {
                n: expected[key]
                for key, n in FILE_KINDS.items()
                if expected[key]
            },
        )
