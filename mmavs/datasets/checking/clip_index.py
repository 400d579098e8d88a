"""What a setting says about itself: its list of clips and its classes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from mmavs.datasets.checking.problem import Problem
from mmavs.datasets.checking.setting import Setting
from mmavs.datasets.errors import DataError, MissingDataError
from mmavs.datasets.files import read_file
from mmavs.datasets.layout import (
    LABEL_FILE,
    OFF_SCREEN,
    SPLITS,
    read_labels,
    read_rows,
)

__all__ = ['PUBLISHED_CLASSES', 'ClipIndex', 'read_index']

PUBLISHED_CLASSES = 71


@dataclass
class ClipIndex:
    """The clips of a setting and what is wrong with their list.

    Attributes:
        setting: whose they are.
        clips: columns of each clip, in order, none twice.
        num_classes: how many classes the masks may have.
        problems: of the list and of the label file.
    """

    setting: Setting
    clips: list[dict[str, str]] = field(default_factory=list)
    num_classes: int = PUBLISHED_CLASSES
    problems: list[Problem] = field(default_factory=list)

    @property
    def csv_name(self) -> str:
        """The list, relative to the folder that is checked."""
        return self.setting.prefix + self.setting.layout.csv_name

    def report(
        self, kind: str, path: str, message: str, clip: str = ''
    ) -> None:
        """Add a problem."""
        self.problems.append(Problem.of(kind, path, message, clip))


def read_index(root: str | Path, setting: Setting) -> ClipIndex:
    """Read and check the list of clips of a setting, and its classes.

    Args:
        root: the folder that is checked.
        setting: what to read in it.

    Returns:
        The clips that can be checked further, with the problems so far.
    """
    index, folder = ClipIndex(setting), Path(root) / setting.prefix
    names = _check_labels(folder, index) if setting.layout.semantic else set()
    rows = _read_csv(folder, index)
    if rows is None:
        return index
    _check_rows(rows, names, index)
    if not index.clips:
        name = index.csv_name
        index.report('no_clips', name, f'{name} lists no clip to be checked')
    else:
        _check_splits(index)
    _check_categories(folder, index)
    return index


def _read_csv(
    folder: Path, index: ClipIndex
) -> dict[int, dict[str, str]] | None:
    """Rows of the list by number, None if there is no such list."""
    layout, name = index.setting.layout, index.csv_name
    path = str(folder / layout.csv_name)
    try:
        content = read_file(path, 'the list of clips')
        rows = dict(read_rows(content, layout.columns, name))
    except MissingDataError as error:
        message = str(error).replace(path, name)
        index.report('csv_missing', name, message)
        return None
    except DataError as error:
        message = str(error).replace(path, name)
        index.report('csv_unreadable', name, message)
        return None
    clips = {}
    for number, row in rows.items():
        if isinstance(row, DataError):
            index.report('bad_row', name, str(row))
        else:
            clips[number] = row
    return clips


def _check_rows(
    rows: Mapping[int, dict[str, str]], names: set[str], index: ClipIndex
) -> None:
    """Add the clips of the rows to the index, and report the others.

    Args:
        rows: by number.
        names: of the classes; none if they are unknown.
        index: what to add to.
    """
    layout = index.setting.layout
    listed: dict[tuple, int] = {}
    splits: dict[str, tuple[str, int]] = {}
    for number, clip in rows.items():
        video_id, split = clip['video_id'], clip['split']

        def report(kind: str, said: str, number=number, clip=video_id) -> None:
            message = f'{index.csv_name}, row {number}: {said}'
            index.report(kind, index.csv_name, message, clip)

        try:
            subset = layout.subset(clip)
        except DataError as error:
            report('bad_row', str(error))
            continue
        if split not in SPLITS:
            said = f'split {split!r} is not one of {SPLITS}, it is never read'
            report('unknown_split', said)
            continue
        key = (subset, split, clip.get('category'), video_id)
        first = listed.setdefault(key, number)
        if first != number:
            report('repeated_id', f'{video_id} is in row {first} already')
            continue
        other, first = splits.setdefault(video_id, (split, number))
        if other != split:
            said = f'{video_id} is in {split}, and in {other} in row {first}'
            report('id_in_two_splits', said)
        if names:
            for unknown in _unknown_objects(clip.get('objects', ''), names):
                said = f'{unknown!r} is not in {LABEL_FILE}'
                report('unknown_object', said)
        index.clips.append(clip)


def _check_splits(index: ClipIndex) -> None:
    """Report the splits of which no clip is listed."""
    listed = {clip['split'] for clip in index.clips}
    for split in SPLITS:
        if split not in listed:
            message = f'{index.csv_name}: it lists no {split} clip'
            index.report('no_clips_in_split', index.csv_name, message)


def _check_labels(folder: Path, index: ClipIndex) -> set[str]:
    """Names of the classes; sets how many there are."""
    name, path = index.setting.prefix + LABEL_FILE, str(folder / LABEL_FILE)
    try:
        labels = read_labels(read_file(path, 'the label file'), name)
    except DataError as error:
        index.report('label_file', name, str(error).replace(path, name))
        return set()
    index.num_classes = len(labels)
    if len(labels) != PUBLISHED_CLASSES:
        index.report(
            'class_count',
            name,
            f'{name} has {len(labels)} classes, {PUBLISHED_CLASSES} are '
            'published',
        )
    return set(labels)


def _unknown_objects(joined: str, names: set[str]) -> list[str]:
    """Names among those joined with ``_`` that are no class.

    A name may have a ``_`` of its own: of what starts at one place the
    longest known name is taken.
    """
    parts, unknown = joined.split('_') if joined else [], []
    while parts:
        for size in range(len(parts), 0, -1):
            candidate = '_'.join(parts[:size])
            if candidate in names or candidate == OFF_SCREEN:
                break
        else:
            unknown.append(parts[0])
        del parts[:size]
    return unknown


def _check_categories(folder: Path, index: ClipIndex) -> None:
    """Report categories that no split has a folder of frames for."""
    name = index.csv_name
    listed: dict[str, str] = {}
    for clip in index.clips:
        if 'category' in clip:
            listed.setdefault(clip['category'], clip['video_id'])
    pattern = index.setting.layout.patterns['img_path']
    above, _, _ = pattern.partition('{split}')
    known = {path.name for path in (folder / above).glob('*/*/')}
    for category, video_id in listed.items():
        if category not in known:
            message = (
                f'{name}: category {category!r} has no folder in {above}*/, '
                f'{len(known)} others have'
            )
            index.report('unknown_category', name, message, video_id)
