"""How a recording is to be segmented, checked before it is opened."""

from __future__ import annotations

import os
from collections.abc import Sequence

from mmavs.inference.recordings.recording import Fps, frame_rate
from mmavs.inference.replaced_sound import check_sound
from mmavs.inference.whole_numbers import check_whole_number
from mmavs.inference.windows import check_overlap

NO_AUDIO_POLICIES = ('error', 'silence')


def check_options(
    num_frames: int,
    *,
    fps: Fps,
    overlap: int,
    batch_size: int,
    sound: str | os.PathLike,
    no_audio_policy: str,
) -> None:
    """Check the options of ``AVSInferencer.stream``; no file is opened.

    Args:
        num_frames: T, the frames of a window.
        fps: as there.
        overlap: as there.
        batch_size: as there.
        sound: as there.
        no_audio_policy: as there.

    Raises:
        ValueError: if one is out of range; names it.
    """
    frame_rate(fps)
    check_overlap(overlap, num_frames)
    check_whole_number('batch_size', batch_size, 1)
    check_sound(sound)
    check_choice('no_audio_policy', no_audio_policy, NO_AUDIO_POLICIES)


def check_choice(name: str, value: str, choices: Sequence[str]) -> None:
    """Raise a ValueError unless an option is one of its choices."""
    if value not in choices:
        raise ValueError(
            f'{name} must be one of {tuple(choices)}, got {value!r}'
        )
