"""A recording as a stream: frames in, predictions out."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Generator, Iterable, Iterator

from mmavs.datasets.errors import DataError
from mmavs.datasets.videos import VideoFrame
from mmavs.inference.audibility import check_length
from mmavs.inference.draws import Draws
from mmavs.inference.merging import merge_windows
from mmavs.inference.predictions import FramePrediction
from mmavs.inference.recordings import Recording
from mmavs.inference.recordings.recording import Fps, frame_rate
from mmavs.inference.window_predictor import WindowPredictor
from mmavs.inference.windows import (
    batch_windows,
    own_time_windows,
    published_windows,
)

Progress = Callable[[float, float | None], None]


def predict_frames(
    predictor: WindowPredictor,
    recording: Recording,
    frames: Iterator[VideoFrame],
    *,
    fps: Fps,
    length: int,
    overlap: int,
    batch_size: int,
    seed: int,
) -> Generator[FramePrediction, None, None]:
    """Predict a recording frame by frame, in the order of time.

    Args:
        predictor: predicts windows.
        recording: whose sound is heard.
        frames: of the recording, at the rate.
        fps: the rate; 1 has the timing of the published data.
        length: T, frames in a window.
        overlap: frames that a window has in common with the one before.
        batch_size: windows that are predicted at once.
        seed: of the draws of latent codes.

    Raises:
        DataError: if there is no frame, or less sound than for a patch;
            names the file.
    """
    draws = Draws(seed, predictor.device)
    num_frames = 0
    with recording.sound() as sound:
        check_length(sound, recording.source)
        if frame_rate(fps) == 1:
            windows = published_windows(
                frames, sound, length, overlap, recording.is_clip
            )
        else:
            windows = own_time_windows(frames, sound, length, overlap)
        predicted = (
            prediction
            for batch in batch_windows(windows, batch_size)
            for prediction in predictor.predict(batch, recording, draws)
        )
        for merged in merge_windows(predicted):
            num_frames += 1
            time_s = merged.frame.time_s
            yield predictor.finish(merged)
        if not num_frames:
            raise DataError(
                f'{recording.source} is too short: it has no frame at '
                f"fps={fps}; 'native' takes every frame"
            )
        _check_pace(recording, num_frames, time_s, sound.end_s)


def _check_pace(
    recording: Recording, num_frames: int, time_s: float, end_s: float | None
) -> None:
    """Warn of frames that are paced otherwise than their sound.

    Frames without times of their own, of a folder or in memory, may have
    been taken at another rate than is thought.
    """
    if recording.is_clip and end_s is not None and time_s > end_s + 1:
        warnings.warn(
            f'{recording.source}: the last of {num_frames} frames is at '
            f'{time_s:.1f} s, but the sound ends at {end_s:.1f} s: frames of '
            'a folder are taken to be a second apart, those of arrays 1 / '
            'fps; give the fps of arrays, or the video itself',
            stacklevel=2,
        )


def reported(
    frames: Iterable[FramePrediction],
    duration_s: float | None,
    progress: Progress,
) -> Iterator[FramePrediction]:
    """Tell of each frame that it is done.

    Args:
        frames: in the order of time.
        duration_s: how long the recording is said to be.
        progress: called with the seconds that are done and those there are
            (None where nobody says it).
    """
    for frame in frames:
        yield frame
        progress(frame.time_s, duration_s and max(duration_s, frame.time_s))
