"""From what a user has to recordings."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping

from mmavs.datasets.errors import DataError

from .array_recording import ArrayRecording
from .folders import FolderContent
from .frame_folder_recording import FrameFolderRecording
from .recording import Recording
from .video_recording import VideoRecording

Source = str | os.PathLike | Mapping | Recording
_ARRAY_KEYS = ('frames', 'waveform', 'sample_rate_hz', 'fps', 'name')


def open_recording(source: Source) -> Recording:
    """Open a recording.

    Args:
        source: path of a video, of a folder with frames and one audio file,
            the arguments of :class:`ArrayRecording` as a dict, or a
            recording, which is returned as it is.

    Raises:
        TypeError: if it is something else.
        ValueError: if arrays are not as they must be.
        MissingDataError: if there is no such file.
        DataError: if it cannot be read as such.
    """
    if isinstance(source, Recording):
        return source
    if isinstance(source, Mapping):
        unknown = source.keys() - set(_ARRAY_KEYS)
        if unknown or 'frames' not in source:
            raise ValueError(
                f"arrays are given as a dict with 'frames' and any of "
                f'{_ARRAY_KEYS[1:]}, got {sorted(map(str, source))}'
            )
        return ArrayRecording(**source)
    if not isinstance(source, str | os.PathLike):
        raise TypeError(
            'an input must be a path, a dict of arrays or a Recording, got '
            f'{type(source).__name__}'
        )
    if os.path.isdir(source):
        return FrameFolderRecording(source)
    return VideoRecording(source)


def list_inputs(inputs: Source | Iterable[Source]) -> list[Source]:
    """List the recordings that a user's inputs stand for.

    A folder with frames and one audio file is a recording; any other folder
    stands for the videos in it, in natural order. What is no folder is taken
    as it is: a missing file is reported when it is opened.

    Args:
        inputs: one input or several, see :func:`open_recording`.

    Raises:
        DataError: if a folder has neither videos, nor frames and one audio
            file, or has both.
    """
    if isinstance(inputs, str | os.PathLike | Mapping | Recording):
        inputs = [inputs]
    sources: list[Source] = []
    for source in inputs:
        videos = _videos_of(source)
        sources += [source] if videos is None else videos
    return sources


def is_one_recording(inputs: Source | Iterable[Source]) -> bool:
    """Whether inputs are a single recording: no list, no folder of videos.

    Raises:
        DataError: as :func:`list_inputs` does.
    """
    return (
        isinstance(inputs, str | os.PathLike | Mapping | Recording)
        and _videos_of(inputs) is None
    )


def _videos_of(source: Source) -> list[str] | None:
    """The videos that a folder stands for; None for any other input."""
    if not isinstance(source, str | os.PathLike) or not os.path.isdir(source):
        return None
    content = FolderContent.of(source)
    if content.is_recording:
        return None
    if not content.videos:
        raise DataError(
            f'{os.fspath(source)} has neither videos nor frames with one '
            f'audio file: {len(content.frames)} frames (PNG, JPEG) and '
            f'{len(content.sounds)} audio files were found'
        )
    return [str(path) for path in content.videos]
