"""What each frame of a prediction stands for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction

from mmavs.inference.predictions import FramePrediction


def displayed(
    predictions: Iterable[FramePrediction],
    rate: Fraction | None,
    duration_s: float | None = None,
) -> Iterator[tuple[FramePrediction, float, float]]:
    """Find out what each frame stands for.

    Args:
        predictions: in the order of time.
        rate: frames per second; None for those of the recording.
        duration_s: how long the recording is said to be; where that can be
            right the last frame ends then.

    Yields:
        Each frame, the second from which on it is shown, and that up to
        which. These leave no gap and begin with 0.
    """
    predictions = iter(predictions)
    shown = next(predictions, None)
    if shown is None:
        return
    # At any rate but the published one the first frame is at 0. The others
    # are each shown during their second.
    is_published = shown.time_s > 0
    gap = 1.0 if rate is None else float(1 / rate)
    start_s = 0.0
    for prediction in predictions:
        end_s = float(prediction.index if is_published else prediction.time_s)
        if rate is None and end_s > start_s:
            gap = end_s - start_s
        yield shown, start_s, end_s
        shown, start_s = prediction, end_s
    end_s = start_s + gap
    # A header that is further off speaks of something else.
    if duration_s is not None and start_s < duration_s < end_s + gap:
        end_s = duration_s
    yield shown, start_s, end_s
