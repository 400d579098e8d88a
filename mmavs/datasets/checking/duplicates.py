"""Content that is in two splits: what a model is tested on it has seen."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from mmavs.datasets.checking.problem import Problem

__all__ = ['Seen', 'find_shared_content']


@dataclass(frozen=True)
class Seen:
    """A frame or an audio file with its clip.

    Attributes:
        path: the file.
        digest: of what it shows.
        clip: id of the clip.
        split: where the clip is.
    """

    path: str
    digest: str
    clip: str
    split: str


def find_shared_content(files: Iterable[Seen], kind: str) -> list[Problem]:
    """Find clips of different splits that show or play the same.

    Args:
        files: those of one setting, in the order of the splits.
        kind: the kind of such a problem.

    Returns:
        One problem for each two clips of different splits that share
        something. It names the file of the later split.
    """
    first_in_split: dict[str, dict[str, Seen]] = {}
    shared: dict[tuple[str, ...], list[tuple[Seen, Seen]]] = {}
    for file in files:
        known = first_in_split.setdefault(file.digest, {})
        for split, other in known.items():
            # One file may belong to two clips: then the id says enough.
            if split != file.split and other.path != file.path:
                pair = (split, other.clip, file.split, file.clip)
                shared.setdefault(pair, []).append((other, file))
        known.setdefault(file.split, file)
    return [_problem(pairs, kind) for pairs in shared.values()]


def _problem(pairs: list[tuple[Seen, Seen]], kind: str) -> Problem:
    other, file = pairs[0]
    message = (
        f'{file.path} ({file.split}) is the same as {other.path} '
        f'({other.split})'
    )
    if len(pairs) > 1:
        message += f', and {len(pairs) - 1} more of these two clips'
    return Problem.of(kind, file.path, message, file.clip)
