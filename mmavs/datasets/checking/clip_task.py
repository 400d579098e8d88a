"""What a worker is told to check."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from mmavs.datasets.checking.setting import Setting

__all__ = ['ClipTask']


@dataclass(frozen=True)
class ClipTask:
    """One clip.

    Attributes:
        number: which of all tasks it is.
        root: the folder that is checked.
        setting: where in it the clip belongs.
        clip: the columns of the clip.
        num_classes: how many classes its masks may have.
        is_quick: whether headers are enough.
        skipped: paths that no process has survived reading.
    """

    number: int
    root: str
    setting: Setting
    clip: Mapping[str, str]
    num_classes: int
    is_quick: bool = False
    skipped: frozenset[str] = field(default_factory=frozenset)
