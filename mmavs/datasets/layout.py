"""Where the files of AVSBench lie, in all three settings.

Everything in which the settings differ on disk is in this table. What reads,
writes, makes or checks a data set takes it from here.
"""

from __future__ import annotations

import csv
import io
import json
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from mmavs.datasets.errors import DataError

__all__ = [
    'LABEL_FILE',
    'LAYOUTS',
    'OFF_SCREEN',
    'SPLITS',
    'Column',
    'Layout',
    'class_palette',
    'fill_pattern',
    'pattern_fields',
    'read_clips',
    'read_labels',
    'read_rows',
    'write_clips',
]

SPLITS = ('train', 'val', 'test')
LABEL_FILE = 'label2idx.json'
"""str: the classes of AVSBench-semantic, in its root."""
OFF_SCREEN = 'off-the-screen'
"""str: what ``objects`` says of a sound whose source is not in view."""
# Masks are 8-bit images, and 255 marks what has no label.
_MAX_CLASSES = 255
# Columns whose values become parts of paths, for reading and for writing.
_PATH_COLUMNS = ('video_id', 'category', 'split', 'subset')
_FIELD = re.compile(r'\{(\w*)\}')


@dataclass(frozen=True)
class Column:
    """Where a column of the CSV file is.

    Attributes:
        position: its index, for files without a header, or with another one
            than these.
        headers: the names it has in a header; the first is written. Where
            the header has one, the position plays no part.
    """

    position: int | None
    headers: tuple[str, ...] = ()


@dataclass(frozen=True)
class Layout:
    """The files of one setting, relative to its root.

    Attributes:
        root: its folder, as published.
        csv_name: the file that lists the clips.
        columns: what is read of it, ``video_id`` and ``split`` among them;
            ``subset`` where one file lists several.
        patterns: paths with the columns as fields; those of frames and masks
            (``img_path``, ``seg_map_path``, ``seg_map_rgb_path``) also with
            ``k``, the number of the frame; those of a clip are
            ``audio_path``, ``log_mel_path`` and ``video_path``.
        num_frames: T of each subset.
        first_frame: the number k of the first frame.
        labelled: the numbers k of the frames that have a mask, by split or
            by subset and split; what is not named has them all.
        semantic: masks hold class indices, not what sounds.
        allow_empty_masks: whether a training mask may be empty.
        frame_size: (H, W) of all frames, None if they differ.
        published: how many clips each (subset, split) has, where known.
    """

    root: str
    csv_name: str
    columns: Mapping[str, Column]
    patterns: Mapping[str, str]
    num_frames: Mapping[str, int]
    first_frame: int = 1
    labelled: Mapping = field(default_factory=dict)
    semantic: bool = False
    allow_empty_masks: bool = True
    frame_size: tuple[int, int] | None = None
    published: Mapping[tuple[str, str], int] = field(default_factory=dict)

    @property
    def subsets(self) -> tuple[str, ...]:
        """Names of the subsets."""
        return tuple(self.num_frames)

    def subset(self, clip: Mapping[str, str]) -> str:
        """Subset of a clip; the only one where the CSV has no such column.

        Raises:
            DataError: if it is not one of ``subsets``.
        """
        name = clip.get('subset', self.subsets[0])
        if name not in self.num_frames:
            raise DataError(
                f'clip {clip["video_id"]!r} is of subset {name!r}, not one '
                f'of {self.subsets}'
            )
        return name

    def frame_numbers(self, clip: Mapping[str, str]) -> range:
        """Numbers k of the frames of a clip."""
        count = self.num_frames[self.subset(clip)]
        return range(self.first_frame, self.first_frame + count)

    def labelled_numbers(self, clip: Mapping[str, str]) -> Sequence[int]:
        """Numbers k of the frames of a clip that have a mask."""
        by_split = self.labelled.get(self.subset(clip), self.labelled)
        numbers = by_split.get(clip['split'], self.frame_numbers(clip))
        return [k for k in self.frame_numbers(clip) if k in numbers]

    def path(
        self, key: str, clip: Mapping[str, str], k: int | None = None
    ) -> str:
        """Path of a file of a clip, by the name of its pattern."""
        fields = dict(clip)
        if k is not None:
            fields['k'] = str(k)
        return fill_pattern(self.patterns[key], fields)


def fill_pattern(pattern: str, fields: Mapping[str, str]) -> str:
    """Replace ``{name}`` by the field of that name.

    Unlike ``str.format`` this leaves other braces, of a data root say, as
    they are.

    Args:
        pattern: a path pattern.
        fields: name to value.

    Returns:
        The path.
    """
    return _FIELD.sub(lambda m: fields.get(m[1], m[0]), pattern)


def pattern_fields(pattern: str) -> set[str]:
    """Names of the fields of a pattern."""
    return set(_FIELD.findall(pattern))


def read_clips(
    content: bytes,
    columns: Mapping[str, Column],
    name: str,
    in_paths: Iterable[str] = (),
) -> list[dict[str, str]]:
    """Read the list of clips, every value as a string.

    Args:
        content: the bytes of the CSV file, UTF-8.
        columns: what to read.
        name: the file's name, for error messages.
        in_paths: columns besides those of the layouts whose values become
            parts of paths.

    Returns:
        One dict per row, column to value, without the header and empty rows.

    Raises:
        DataError: if the file is no CSV file, a row is too short, a column
            is nowhere, or a value that names a file is not a plain name.
    """
    clips = []
    for _, clip in read_rows(content, columns, name, in_paths):
        if isinstance(clip, DataError):
            raise clip
        clips.append(clip)
    return clips


def read_rows(
    content: bytes,
    columns: Mapping[str, Column],
    name: str,
    in_paths: Iterable[str] = (),
) -> Iterator[tuple[int, dict[str, str] | DataError]]:
    """Read the list of clips row by row, so that a bad one hides no other.

    A first row with the header of the column ``split`` is a header; each
    column is then found by one of its headers, and by its position where the
    header has none of them. Ids that look like numbers stay as they are.

    Args:
        content: the bytes of the CSV file, UTF-8.
        columns: what to read.
        name: the file's name, for error messages.
        in_paths: see :func:`read_clips`.

    Yields:
        The number of the row, from 1, and its clip, or what is wrong with
        it.

    Raises:
        DataError: if the file is no CSV file, or a column is nowhere.
    """
    rows = _parse(content, name)
    positions = {column: c.position for column, c in columns.items()}
    first = rows[0][1]
    header = {cell.lower(): i for i, cell in enumerate(first)}
    if any(h in header for h in columns['split'].headers):
        rows = rows[1:]
        for column, c in columns.items():
            found = [header[h] for h in c.headers if h in header]
            positions[column] = found[0] if found else c.position
    for column, position in positions.items():
        if position is None:
            raise DataError(
                f'{name} has no column {columns[column].headers[0]!r}: its '
                f'first row is {first}'
            )
    in_paths = {*_PATH_COLUMNS, *in_paths}
    for number, row in rows:
        try:
            yield number, _clip_of(row, positions, in_paths)
        except DataError as error:
            yield number, DataError(f'{name}, row {number}: {error}')


def _clip_of(
    row: Sequence[str],
    positions: Mapping[str, int | None],
    in_paths: Iterable[str],
) -> dict[str, str]:
    """Clip of one row; the error does not name the row."""
    width = 1 + max(p for p in positions.values() if p is not None)
    if len(row) < width:
        raise DataError(f'needs {width} columns, got {len(row)}: {row}')
    clip = {column: row[i] for column, i in positions.items() if i is not None}
    for column in sorted(in_paths):
        if not _is_plain(clip.get(column, '-')):
            raise DataError(
                f'{column} {clip[column]!r} must be the plain name of a file '
                'or folder'
            )
    return clip


def _parse(content: bytes, name: str) -> list[tuple[int, list[str]]]:
    """Number and cells of every row that is not empty, one at least."""
    try:
        text = content.decode('utf-8-sig')
        rows = [
            (number, [cell.strip() for cell in row])
            for number, row in enumerate(csv.reader(io.StringIO(text)), 1)
            if row
        ]
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f'{name} is not a CSV file: {error}') from error
    if not rows:
        raise DataError(f'{name} is empty: it must list the clips')
    return rows


def _is_plain(value: str) -> bool:
    """Tell whether a value names one file or folder and nothing above it.

    A control character would write what it likes into lists and logs: more
    lines, or commands to a terminal.
    """
    return (
        value not in ('', '.', '..')
        and not {'/', '\\'} & set(value)
        and all(unicodedata.category(c) != 'Cc' for c in value)
        and len(value.encode('utf-8', 'replace')) < 256
    )


def write_clips(layout: Layout, clips: Iterable[Mapping[str, str]]) -> bytes:
    """Make the CSV file of a layout, with a header, in UTF-8.

    Args:
        layout: what is written.
        clips: every column of the layout for each clip.
    """
    columns = sorted(
        layout.columns, key=lambda c: layout.columns[c].position or 0
    )
    text = io.StringIO()
    writer = csv.writer(text, lineterminator='\n')
    writer.writerow(layout.columns[column].headers[0] for column in columns)
    for clip in clips:
        writer.writerow(clip[column] for column in columns)
    return text.getvalue().encode()


def read_labels(content: bytes, name: str) -> tuple[str, ...]:
    """Read the classes of AVSBench-semantic.

    Args:
        content: the bytes of the JSON file, {name: index}.
        name: the file's name, for error messages.

    Returns:
        Names of the classes in the order of their indices; the first is the
        background.

    Raises:
        DataError: if it is no such file, or the indices are not 0, 1, 2 ...
    """
    try:
        indices = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise DataError(f'{name} is not a JSON file: {error}') from error
    if not isinstance(indices, dict):
        raise DataError(
            f'{name} must hold an object with the classes, {{name: index}}, '
            f'got a {type(indices).__name__}'
        )
    count = len(indices)
    if not 0 < count <= _MAX_CLASSES:
        raise DataError(
            f'{name} has {count} classes, it must have 1 to {_MAX_CLASSES}'
        )
    values = list(indices.values())
    if any(type(value) is not int for value in values) or (
        sorted(values) != list(range(count))
    ):
        raise DataError(
            f'{name}: the indices of {count} classes must be 0 to '
            f'{count - 1}, each once, got {values[:100]}'
        )
    return tuple(sorted(indices, key=indices.__getitem__))


def class_palette(num_classes: int) -> list[list[int]]:
    """Colours of the classes of AVSBench-semantic.

    Args:
        num_classes: how many, with the background.

    Returns:
        ``num_classes`` colours (R, G, B), the background black.

    Equation:
        The bits of the index, three at a time from the lowest, become the
        bits of R, G and B from the highest, as in PASCAL VOC.
    """
    palette = []
    for index in range(num_classes):
        colour = [0, 0, 0]
        for bit in range(24):
            value = index >> bit & 1
            colour[bit % 3] |= value << (7 - bit // 3)
        palette.append(colour)
    return palette


_S4_CLIP = '{split}/{category}/{video_id}'

LAYOUTS = dict(
    s4=Layout(
        root='Single-source',
        csv_name='s4_meta_data.csv',
        # Loaders in use address the first two by position only.
        columns=dict(
            video_id=Column(0, ('name',)),
            start=Column(1, ('start',)),
            category=Column(2, ('category',)),
            split=Column(3, ('split',)),
        ),
        patterns=dict(
            img_path=f's4_data/visual_frames/{_S4_CLIP}/{{video_id}}_{{k}}.png',
            seg_map_path=f's4_data/gt_masks/{_S4_CLIP}/{{video_id}}_{{k}}.png',
            audio_path=f's4_data/audio_wav/{_S4_CLIP}.wav',
            log_mel_path=f's4_data/audio_log_mel/{_S4_CLIP}.pkl',
            video_path=f's4_data/raw_videos/{_S4_CLIP}.mp4',
        ),
        num_frames=dict(s4=5),
        labelled=dict(train=(1,)),
        allow_empty_masks=False,
        frame_size=(224, 224),
        published={
            ('s4', 'train'): 3452,
            ('s4', 'val'): 740,
            ('s4', 'test'): 740,
        },
    ),
    ms3=Layout(
        root='Multi-sources',
        csv_name='ms3_meta_data.csv',
        columns=dict(
            video_id=Column(0, ('video_id',)), split=Column(1, ('split',))
        ),
        patterns=dict(
            # Frames carry '.mp4' in their names and lie in no split folder.
            img_path='ms3_data/visual_frames/{video_id}/{video_id}.mp4_{k}.png',
            seg_map_path='ms3_data/gt_masks/{split}/{video_id}/'
            '{video_id}_{k}.png',
            audio_path='ms3_data/audio_wav/{split}/{video_id}.wav',
            log_mel_path='ms3_data/audio_log_mel/{split}/{video_id}.pkl',
            video_path='ms3_data/raw_videos/{video_id}.mp4',
        ),
        num_frames=dict(ms3=5),
        frame_size=(224, 224),
        published={
            ('ms3', 'train'): 296,
            ('ms3', 'val'): 64,
            ('ms3', 'test'): 64,
        },
    ),
    avss=Layout(
        root='AVSBench-semantic',
        csv_name='metadata.csv',
        columns=dict(
            source=Column(0, ('vid',)),
            video_id=Column(1, ('uid',)),
            s_min=Column(2, ('s_min',)),
            s_sec=Column(3, ('s_sec',)),
            objects=Column(4, ('a_obj',)),
            split=Column(5, ('split',)),
            subset=Column(6, ('label',)),
        ),
        patterns=dict(
            img_path='{subset}/{video_id}/frames/{k}.jpg',
            seg_map_path='{subset}/{video_id}/labels_semantic/{k}.png',
            seg_map_rgb_path='{subset}/{video_id}/labels_rgb/{k}.png',
            audio_path='{subset}/{video_id}/audio.wav',
            log_mel_path='{subset}/{video_id}/audio.pkl',
        ),
        num_frames=dict(v1s=5, v1m=5, v2=10),
        first_frame=0,
        labelled=dict(v1s=dict(train=(0,))),
        semantic=True,
        # v1s has the clips of S4 and v1m those of MS3; of v2 it is not clear.
        published={
            ('v1s', 'train'): 3452,
            ('v1s', 'val'): 740,
            ('v1s', 'test'): 740,
            ('v1m', 'train'): 296,
            ('v1m', 'val'): 64,
            ('v1m', 'test'): 64,
        },
    ),
)
"""dict[str, Layout]: ``s4``, ``ms3`` and ``avss``."""
