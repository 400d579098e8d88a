"""The pictures of a prediction: the overlay and the timeline."""

from __future__ import annotations

import os
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from mmavs.datasets.videos import VideoWriter
from mmavs.inference.recordings import Recording
from mmavs.visualization.timeline import Timeline

if TYPE_CHECKING:
    # Which writes predictions, too.
    from mmavs.inference.inferencer import AVSInferencer


def open_film(folder: Path, recording: Recording) -> VideoWriter:
    """Open overlay.mp4 for writing."""
    return VideoWriter(
        folder / 'overlay.mp4',
        recording.size,
        recording.track(),
        recording.sample_aspect_ratio,
    )


def empty_timeline(
    inferencer: AVSInferencer,
    recording: Recording,
    rate: Fraction | None,
    sound: str | os.PathLike,
) -> Timeline:
    """Begin timeline.png.

    Args:
        inferencer: the model.
        recording: what is predicted.
        rate: frames per second; None for those of the recording.
        sound: what is heard, as in ``replace_sound``.
    """
    return Timeline(
        inferencer.classes,
        inferencer.palette,
        title=recording.name,
        subtitle=_settings_line(inferencer, rate, sound),
        sample_aspect_ratio=recording.sample_aspect_ratio,
    )


def _settings_line(
    inferencer: AVSInferencer, rate: Fraction | None, sound: str | os.PathLike
) -> str:
    """What was heard, and how it was predicted."""
    name = 'its own' if sound == 'matched' else Path(sound).name
    random = '' if inferencer.weights else ', random weights'
    parts = [
        f'sound: {name}',
        'every frame' if rate is None else f'{float(rate):g} fps',
        f'{inferencer.config_name}{random}',
    ]
    num_samples = inferencer.num_samples
    if num_samples:
        parts.append(f'{num_samples} sample{"s" * (num_samples > 1)}')
    return ' · '.join(parts)
