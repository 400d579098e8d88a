"""The list of clips that are to be made of videos."""

from __future__ import annotations

import csv
import io
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath

from mmavs.datasets.errors import DataError, MissingDataError
from mmavs.datasets.layout import (
    SPLITS,
    Column,
    Layout,
    read_clips,
    write_clips,
)
from mmavs.datasets.videos.container import VIDEO_SUFFIXES

_FURTHER_COLUMNS = dict(
    video=Column(None, ('video',)), start=Column(None, ('start',))
)
_FURTHER_HEADERS = dict(video_id=('video_id',), subset=('subset',))
# What decides where the files of a clip go has no default.
_NEEDED = ('video_id', 'category', 'split', 'subset')
_MAX_START_S = 1_000_000
_MAX_NAME_BYTES = 255


@dataclass(frozen=True)
class RawClip:
    """A clip that is to be made of a video.

    Attributes:
        row: its row in the CSV file of the layout, column to value.
        start_s: where it begins, in seconds since the first frame.
        video: the file, relative to the folder of the videos; '' for the one
            that has the clip's id as its name.
    """

    row: Mapping[str, str]
    start_s: float
    video: str = ''


def read_raw_clips(
    content: bytes, layout: Layout, name: str, trimmed: bool = False
) -> list[RawClip]:
    """Read the list of clips.

    Columns are found by their header; a file without a header has those of
    the layout in its order. Besides these there may be ``video``, a file
    relative to the folder of the videos, which may also stand for the id,
    and ``start`` in seconds.

    Args:
        content: The bytes of the CSV file, UTF-8.
        layout: What is made of the videos.
        name: The file's name, for error messages.
        trimmed: Whether the videos are the clips already, so that a clip
            begins where its video does; the start is a mere note then.

    Raises:
        DataError: If the file is no such list, a value is not allowed, or
            two clips would have the same files.
    """
    rows = read_clips(content, _columns_of(content, layout, name), name)
    clips = [_raw_clip(row, layout, name, trimmed) for row in rows]
    table = write_clips(layout, [clip.row for clip in clips])
    # As the data set will read it, with the same rules for names.
    if read_clips(table, layout.columns, name) != [c.row for c in clips]:
        raise DataError(f'{name} has values that a CSV file does not keep')
    _check_files(clips, layout, name)
    return clips


def clip_paths(layout: Layout, row: Mapping[str, str]) -> list[str]:
    """Paths of the frames of a clip and, last, of its audio."""
    return [
        *(layout.path('img_path', row, k) for k in layout.frame_numbers(row)),
        layout.path('audio_path', row),
    ]


def _columns_of(
    content: bytes, layout: Layout, name: str
) -> Mapping[str, Column]:
    """Columns to read: those in the header, and those that are needed.

    What the header does not name is at its published position, unless the
    list is one of own videos or the name there is that of another column.
    """
    text = io.StringIO(content.decode('utf-8-sig', errors='replace'))
    try:
        first = next(filter(None, csv.reader(text)), [])
    except csv.Error as error:
        raise DataError(f'{name} is not a CSV file: {error}') from error
    header = [cell.strip().lower() for cell in first]
    if set(header).isdisjoint(layout.columns['split'].headers):
        return layout.columns
    names = {
        column: known.headers + _FURTHER_HEADERS.get(column, ())
        for column, known in {**_FURTHER_COLUMNS, **layout.columns}.items()
    }
    unknown = set(header).difference(*names.values())
    has_video = 'video' in header
    columns = {}
    for column, headers in names.items():
        position = None
        if column in layout.columns and not has_video:
            # Not all headers of the published files are known.
            place = layout.columns[column].position
            if place is not None and unknown & set(header[place:][:1]):
                position = place
        is_needed = column in _NEEDED and column in layout.columns
        if column == 'video_id' and has_video:
            is_needed = False
        is_there = position is not None or not set(header).isdisjoint(headers)
        if is_needed or is_there:
            columns[column] = Column(position, headers)
    return columns


def _raw_clip(
    found: Mapping[str, str], layout: Layout, name: str, trimmed: bool
) -> RawClip:
    video = found.get('video', '')
    path = PurePath(video)
    if path.is_absolute() or '..' in path.parts or '\0' in video:
        raise DataError(
            f'{name}: video {video!r} must be a file in the folder of the '
            'videos'
        )
    row = {column: found.get(column, '') for column in layout.columns}
    row['video_id'] = row['video_id'] or path.stem
    where = f'{name}, clip {row["video_id"]!r}'
    if row['split'] not in SPLITS:
        raise DataError(
            f'{where}: split must be one of {SPLITS}, got {row["split"]!r}'
        )
    try:
        layout.subset(row)
    except DataError as error:
        raise DataError(f'{name}: {error}') from error
    start_s = _start_of(found, where)
    minutes = int(start_s // 60)
    noted = dict(
        start=f'{start_s:.12g}',
        s_min=str(minutes),
        s_sec=f'{start_s - 60 * minutes:.12g}',
    )
    for column, value in noted.items():
        if column in row:
            row[column] = row[column] or value
    return RawClip(row, 0.0 if trimmed else start_s, video)


def _start_of(found: Mapping[str, str], where: str) -> float:
    """Seconds, from ``start`` or else from minutes and seconds."""
    values = [found.get(column, '') for column in ('start', 's_min', 's_sec')]
    try:
        start, minutes, seconds = (float(value or 0) for value in values)
    except ValueError:
        start, minutes, seconds = math.nan, 0.0, 0.0
    total = start if values[0] else 60 * minutes + seconds
    if not 0 <= total <= _MAX_START_S:
        raise DataError(
            f'{where}: the start must be a number of seconds from 0 to '
            f'{_MAX_START_S}, got {" ".join(filter(None, values))!r}'
        )
    return total


def _check_files(clips: Sequence[RawClip], layout: Layout, name: str) -> None:
    """Check that every clip has files of its own, with possible names."""
    taken = set()
    for clip in clips:
        # The first frame and the audio: either may be in a shared folder.
        paths = clip_paths(layout, clip.row)
        for path in {paths[0], paths[-1]}:
            if path in taken:
                raise DataError(
                    f'{name} lists {clip.row["video_id"]!r} twice: both '
                    f'would be {path}'
                )
            taken.add(path)
        longest = max(
            (part for path in paths for part in path.split('/')),
            key=lambda part: len(os.fsencode(part)),
        )
        if len(os.fsencode(longest)) > _MAX_NAME_BYTES:
            raise DataError(
                f'{name}, clip {clip.row["video_id"]!r}: a file name may '
                f'have {_MAX_NAME_BYTES} bytes, {longest!r} has more'
            )


class VideoFolder:
    """Finds the videos of a folder and those below it.

    Args:
        root: The folder.

    Raises:
        MissingDataError: If it is not there.
    """

    def __init__(self, root: str | os.PathLike) -> None:
        self.root = Path(root)
        if not self.root.is_dir():
            raise MissingDataError(f'{root} is not a folder of videos')
        self._by_stem: dict[str, list[Path]] = {}
        for folder, _, names in os.walk(self.root):
            for name in sorted(names):
                path = Path(folder, name)
                if path.suffix.lower() in VIDEO_SUFFIXES:
                    self._by_stem.setdefault(path.stem, []).append(path)

    def find(self, clip: RawClip) -> Path:
        """Find the video of a clip.

        Raises:
            MissingDataError: If there is none.
            DataError: If several have the name.
        """
        if clip.video:
            return self.root / clip.video
        video_id = clip.row['video_id']
        found = self._by_stem.get(video_id, [])
        if not found:
            raise MissingDataError(
                f"{self.root} has no file with a video's extension named "
                f'{video_id!r}'
            )
        if len(found) > 1:
            raise DataError(
                f'{self.root} has several videos with the name {video_id!r}: '
                + ', '.join(str(p.relative_to(self.root)) for p in found)
            )
        return found[0]
