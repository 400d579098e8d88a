"""Many videos to a data set in the layout of AVSBench."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from mmavs.datasets.errors import DataError, MissingDataError
from mmavs.datasets.files import read_file
from mmavs.datasets.layout import (
    LABEL_FILE,
    LAYOUTS,
    OFF_SCREEN,
    read_labels,
    write_clips,
)
from mmavs.datasets.processes import Failure, run_tasks
from mmavs.datasets.videos import VideoLimits
from mmavs.datasets.videos.frames import VideoEndsError

from .clip_files import ClipFormat, is_complete, make_clip
from .output_folder import OutputFolder
from .raw_clips import RawClip, VideoFolder, read_raw_clips

_BACKGROUND = 'background'
# Names of sounds whose source is not in the picture are no class.
_NO_CLASS = ('', OFF_SCREEN)


@dataclass(frozen=True)
class ConversionReport:
    """What has become of a list of clips.

    Attributes:
        root: folder of the data set.
        made: how many clips were made.
        kept: how many were there already.
        broken: id of every clip that could not be made, and why.
    """

    root: Path
    made: int
    kept: int
    broken: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class _Task:
    """One clip to make, the ``number``-th of the list."""

    number: int
    video: Path
    clip: RawClip
    clip_format: ClipFormat
    output: OutputFolder


@dataclass(frozen=True)
class _NotWritten:
    """The result of a clip that is whole, but for which there is no room."""

    reason: str


def convert_videos(
    videos: str | os.PathLike,
    csv_file: str | os.PathLike,
    out: str | os.PathLike,
    subset: str,
    masks: str | os.PathLike | None = None,
    frame_size: tuple[int, int] | None = None,
    trimmed: bool = False,
    num_workers: int = 0,
    limits: VideoLimits | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> ConversionReport:
    """Make a data set in the layout of AVSBench of videos.

    A clip that cannot be made does not stop the others. Clips that are there
    already are kept: a run that was interrupted goes on where it was. The
    CSV file, written last, lists the clips that exist.

    Args:
        videos: Folder with the videos.
        csv_file: The clips to make, see :func:`read_raw_clips`.
        out: The folder of the layout is made in this one.
        subset: ``s4``, ``ms3`` or ``avss``.
        masks: Folder to copy masks from.
        frame_size: (H, W) of the frames; by default that of the layout, or
            as they are where it has none.
        trimmed: Whether the videos are the clips already.
        num_workers: Processes; 0 works in this one, where a video can do
            harm to the others.
        limits: What reading a video may take.
        progress: Called with the number of clips done and of all clips.

    Raises:
        DataError: If the list of clips is not one, or a folder is missing.
        FileExistsError: If the folder holds anything but the same
            conversion, or one that has made no clip.
        OSError: If a file cannot be written.
    """
    layout = LAYOUTS[subset]
    limits = limits or VideoLimits()
    name = os.fspath(csv_file)
    content = read_file(name, 'list of clips')
    clips = read_raw_clips(content, layout, name, trimmed)
    folder = VideoFolder(videos)
    if masks is not None and not Path(masks).is_dir():
        raise MissingDataError(f'{masks} is not a folder of masks')
    classes = _classes(clips, masks, name) if layout.semantic else ()
    clip_format = ClipFormat(
        layout,
        frame_size or layout.frame_size,
        None if masks is None else os.fspath(masks),
        len(classes),
        limits,
    )
    output = OutputFolder(Path(out, layout.root))
    output.begin(
        dict(
            made_by='videos_to_avsbench',
            version=1,
            subset=subset,
            csv_sha256=hashlib.sha256(content).hexdigest(),
            frame_size=clip_format.frame_size and [*clip_format.frame_size],
            masks=masks is not None,
            trimmed=trimmed,
        )
    )
    if layout.semantic:
        output.write(LABEL_FILE, _label_file(classes))

    def is_made(clip: RawClip) -> bool:
        return is_complete(output, clip, clip_format)

    kept = sum(map(is_made, clips))
    tasks, broken = [], {}
    for number, clip in enumerate(clips):
        if not is_made(clip):
            try:
                video = folder.find(clip)
            except DataError as error:
                broken[number] = str(error)
            else:
                tasks.append(_Task(number, video, clip, clip_format, output))
    num_done = kept + len(broken)
    report_progress = progress or (lambda done, total: None)
    report_progress(num_done, len(clips))
    # Reading keeps to its own limit, unless a decoder is stuck.
    time_limit_s = 3 * limits.max_wall_s
    try:
        with closing(_make_all(tasks, num_workers, time_limit_s)) as results:
            for number, reason in results:
                num_done += 1
                if reason is not None:
                    broken[number] = reason
                report_progress(num_done, len(clips))
    finally:
        # Also if it is interrupted: the list is of what there is.
        rows = [clip.row for clip in clips if is_made(clip)]
        output.write(layout.csv_name, write_clips(layout, rows))
        output.end()
    return ConversionReport(
        output.root,
        len(rows) - kept,
        kept,
        tuple(
            (clips[number].row['video_id'], reason)
            for number, reason in sorted(broken.items())
        ),
    )


def _make_all(
    tasks: Sequence[_Task], num_workers: int, time_limit_s: float
) -> Generator[tuple[int, str | None], None, None]:
    """Make the clips; yields their numbers and what is wrong with them."""
    for task, result in run_tasks(_make, tasks, num_workers, time_limit_s):
        if isinstance(result, _NotWritten):
            raise OSError(result.reason)
        if isinstance(result, Failure):
            result = f'{task.video}: {result.reason}'
        yield task.number, result


def _make(
    task: _Task, tell: Callable[[str], None]
) -> str | _NotWritten | None:
    """Make one clip; tells what is wrong with it."""
    tell(str(task.video))
    try:
        files = make_clip(task.video, task.clip, task.clip_format)
    except VideoEndsError as error:
        start_s = task.clip.start_s
        if start_s < error.end_s:
            return str(error)
        return (
            f'{error}; the clip begins at {start_s:g} s: if the video is cut '
            'already, give --trimmed'
        )
    except DataError as error:
        return str(error)
    try:
        for path, content in files.items():
            task.output.write(path, content)
    except OSError as error:
        return _NotWritten(str(error))
    return None


def _classes(
    clips: Sequence[RawClip], masks: str | os.PathLike | None, name: str
) -> tuple[str, ...]:
    """Classes by their indices: those of the masks, or made of the list."""
    if masks is not None:
        path = str(Path(masks, LABEL_FILE))
        return read_labels(read_file(path, 'list of classes'), path)
    objects = '_'.join(clip.row['objects'] for clip in clips).split('_')
    names = set(objects).difference(_NO_CLASS, (_BACKGROUND,))
    # As the data set will read it: there may be too many.
    content = _label_file([_BACKGROUND, *sorted(names)])
    return read_labels(content, f'the column a_obj of {name}')


def _label_file(classes: Sequence[str]) -> bytes:
    labels = {name: index for index, name in enumerate(classes)}
    return f'{json.dumps(labels, indent=1, ensure_ascii=False)}\n'.encode()
