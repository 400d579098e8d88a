"""What is kept of a clip under one sound, and its file."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mmavs.evaluation.functional.scores import ClipScores

Records = dict[str, list['ClipListening']]


@dataclass(frozen=True)
class ClipListening(ClipScores):
    """Measures of the M labelled frames of a clip under one sound.

    IoU and F-measure are against the mask of the clip's own sound, whatever
    was played. Shares are of the labelled pixels of a frame.

    Attributes:
        foreground_share: share that the model marks.
        truth_share: share that sounds with the clip's own sound.
        active: whether the model marks more than ``ACTIVE_SHARE``.
        false_share: share that the model marks although it does not sound
            with what was played; NaN where nobody knows what does.

    Shapes:
        - foreground_share, truth_share, false_share: (M,) float64
        - active: (M,) bool
    """

    foreground_share: np.ndarray
    truth_share: np.ndarray
    active: np.ndarray
    false_share: np.ndarray


_PER_FRAME = (
    'iou',
    'f_curve',
    'non_empty',
    'foreground_share',
    'truth_share',
    'active',
    'false_share',
)


def save_records(
    path: str | os.PathLike,
    records: Mapping[str, Sequence[ClipListening]],
) -> None:
    """Write records, enough for every number of the report.

    Args:
        path: an .npz file.
        records: condition -> its clips.
    """
    clips = [clip for clips in records.values() for clip in clips]
    lengths = {name: len(clips) for name, clips in records.items()}
    arrays: dict[str, Any] = {
        name: np.concatenate([getattr(clip, name) for clip in clips])
        for name in _PER_FRAME
    }
    with open(path, 'wb') as file:
        np.savez_compressed(
            file,
            conditions=np.array(list(lengths), str),
            num_clips=np.array(list(lengths.values()), np.int64),
            video_ids=np.array([clip.video_id for clip in clips], str),
            num_frames=np.array([len(clip.iou) for clip in clips], np.int64),
            **arrays,
        )


def load_records(path: str | os.PathLike) -> Records:
    """Read what :func:`save_records` wrote; no code in it is run."""
    with np.load(path, allow_pickle=False) as file:
        content = dict(file)
    ends = content['num_frames'].cumsum()[:-1]
    frames = [np.split(content[name], ends) for name in _PER_FRAME]
    clips = [
        ClipListening(str(video_id), *values)
        for video_id, *values in zip(
            content['video_ids'], *frames, strict=True
        )
    ]
    ends = content['num_clips'].cumsum()
    return {
        str(name): clips[end - size : end]
        for name, size, end in zip(
            content['conditions'], content['num_clips'], ends, strict=True
        )
    }
