"""From predictions of windows to one of each frame."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import torch
from mmseg.structures import SegDataSample
from torch import Tensor

from mmavs.datasets.videos import VideoFrame
from mmavs.functional.predictive import average_logits
from mmavs.inference.windows import Window
from mmavs.structures import ClipPrediction


@dataclass(frozen=True, eq=False)
class WindowPrediction:
    """A window and what is predicted of its T frames.

    Attributes:
        window: the window.
        prediction: of its frames.
        samples: how each frame was prepared.
        log_mel: the patch of each frame.

    Shapes:
        - log_mel: (T, 1, 96, 64).
    """

    window: Window
    prediction: ClipPrediction
    samples: list[SegDataSample]
    log_mel: Tensor


@dataclass(eq=False)
class MergedFrame:
    """A frame, and the predictions of the windows that it is in.

    Attributes:
        index: its position among all frames.
        frame: the frame.
        sample: how it was prepared.
        heard: its patches in the windows, by when each begins in seconds
            since the first frame; most often it is the same one in all.
        predictions: one of each window, N = 1.

    Shapes:
        - heard: (1, 96, 64) each.
    """

    index: int
    frame: VideoFrame
    sample: SegDataSample
    heard: dict[float, Tensor] = field(default_factory=dict)
    predictions: list[ClipPrediction] = field(default_factory=list)

    @property
    def prediction(self) -> ClipPrediction:
        """The average of the predictions; that of probabilities."""
        if len(self.predictions) == 1:
            return self.predictions[0]
        maps = [
            p.uncertainty
            for p in self.predictions
            if p.uncertainty is not None
        ]
        codes = [p.codes for p in self.predictions]
        return ClipPrediction(
            average_logits([p.logits for p in self.predictions]),
            torch.stack(maps).mean(0) if maps else None,
            {
                name: torch.stack([c[name] for c in codes]).mean(0)
                for name in codes[0]
            },
        )


def merge_windows(
    windows: Iterable[WindowPrediction],
) -> Iterator[MergedFrame]:
    """Gather what several windows say of a frame.

    A frame leaves as soon as no further window can have it.

    Args:
        windows: in order, from the first frame on, without a gap between
            one and the next.

    Yields:
        MergedFrame: every frame once, in order.

    Raises:
        ValueError: if a frame is in no window, or a window comes too late.
    """
    pending: deque[MergedFrame] = deque()
    start = end = 0  # of the window before
    for item in windows:
        first = item.window.first
        if not start <= first <= end:
            raise ValueError(
                f'a window from frame {first} on cannot follow one of the '
                f'frames from {start} up to {end}'
            )
        start, end = first, first + len(item.window.frames)
        while pending and pending[0].index < first:
            yield pending.popleft()
        for t, frame in enumerate(item.window.frames):
            if t == len(pending):
                pending.append(MergedFrame(first + t, frame, item.samples[t]))
            pending[t].heard[float(item.window.sound_s[t])] = item.log_mel[t]
            pending[t].predictions.append(
                select_frames(item.prediction, t, t + 1)
            )
    yield from pending


def select_frames(
    prediction: ClipPrediction, start: int, stop: int
) -> ClipPrediction:
    """The frames from ``start`` to ``stop`` of a prediction."""
    return ClipPrediction(
        prediction.logits[start:stop],
        None
        if prediction.uncertainty is None
        else prediction.uncertainty[start:stop],
        {name: code[start:stop] for name, code in prediction.codes.items()},
    )
