"""Which settings of AVSBench a folder holds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mmavs.datasets.errors import MissingDataError
from mmavs.datasets.layout import LAYOUTS, Layout, pattern_fields

__all__ = ['Setting', 'find_settings']


@dataclass(frozen=True)
class Setting:
    """One of the three settings, where it lies.

    Attributes:
        name: ``s4``, ``ms3`` or ``avss``.
        prefix: its folder relative to the folder that is checked, with a
            slash at the end; '' if that is it.
    """

    name: str
    prefix: str

    @property
    def layout(self) -> Layout:
        """What it should hold."""
        return LAYOUTS[self.name]


def find_settings(
    root: str | Path, names: Sequence[str] = ()
) -> list[Setting]:
    """Find the settings in a folder.

    Args:
        root: the folder that holds ``Single-source``, ``Multi-sources`` or
            ``AVSBench-semantic``, or one of these, under any name.
        names: which to look for; by default all. One that is named is in the
            result also where it is missing, so that it is found incomplete.

    Returns:
        The settings, in the order of the table of layouts.

    Raises:
        MissingDataError: if there is none of them; the message says what is
            looked for.
    """
    root = Path(root)
    wanted = tuple(names) or tuple(LAYOUTS)
    if not root.is_dir():
        raise MissingDataError(
            f'{root} {"is not a folder" if root.exists() else "is not there"}'
        )
    itself = [n for n in wanted if _is_setting(root, LAYOUTS[n])]
    if itself:
        return [Setting(name, '') for name in itself]
    below = [n for n in wanted if (root / LAYOUTS[n].root).is_dir()]
    if not below:
        raise MissingDataError(_nothing_found(root, wanted))
    return [
        Setting(name, f'{LAYOUTS[name].root}/')
        for name in LAYOUTS
        if name in (names or below)
    ]


def _is_setting(folder: Path, layout: Layout) -> bool:
    """Tell whether a folder has the list of clips or a folder of clips."""
    tops = {pattern.split('/')[0] for pattern in layout.patterns.values()}
    if any(map(pattern_fields, tops)):
        tops = set(layout.subsets)
    return (folder / layout.csv_name).is_file() or any(
        (folder / top).is_dir() for top in tops
    )


def _nothing_found(root: Path, names: Sequence[str]) -> str:
    """What to say, with where it may be meant to look instead."""
    roots = [LAYOUTS[name].root for name in names]
    lists = [LAYOUTS[name].csv_name for name in names]
    message = (
        f'{root} holds none of the folders {", ".join(roots)}, nor is it one '
        f'of them (with {" or ".join(lists)} in it)'
    )
    for folder in sorted(root.glob('*/')):
        if any((folder / name).is_dir() for name in roots):
            return f'{message}; did you mean {folder}?'
    return message
