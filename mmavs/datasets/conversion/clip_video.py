"""A video made of the files of a clip."""

from __future__ import annotations

import os
from collections.abc import Sequence

from mmavs.datasets.errors import MissingDataError
from mmavs.datasets.files import exists
from mmavs.datasets.transforms.load_frame import load_frame
from mmavs.datasets.videos import VideoWriter, stream_sound


def write_clip_video(
    path: str | os.PathLike, frame_paths: Sequence[str], audio_path: str
) -> None:
    """Write a clip of a data set as an mp4 file with sound.

    Each frame is on screen for a second, so that what is read of the video
    at the published times is that frame. Compression changes its pixels a
    little.

    Args:
        path: The video.
        frame_paths: The frames, one at least.
        audio_path: The sound.

    Raises:
        MissingDataError: If a frame or the sound is missing.
        DataError: If one of them cannot be read.
        ValueError: If the frames differ in size.
        OSError: If the video cannot be written.
    """
    if not exists(audio_path):
        raise MissingDataError(f'audio {audio_path} does not exist')
    frames = (load_frame(name)[..., ::-1] for name in frame_paths)
    first = next(frames)
    with VideoWriter(path, first.shape[:2], stream_sound(audio_path)) as file:
        file.add(first, 1)
        for second, frame in enumerate(frames, 2):
            file.add(frame, second)
