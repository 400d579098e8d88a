"""Frames that are written and returned as well."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from mmavs.inference.predictions import FramePrediction


class KeepingFrames:
    """An inferencer that keeps what it predicts, without the images.

    Args:
        inferencer: predicts.
    """

    def __init__(self, inferencer: Any) -> None:
        self._inferencer = inferencer
        self.frames: list[FramePrediction] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inferencer, name)

    def stream(self, *args: Any, **options: Any) -> Iterator[FramePrediction]:
        """Predict frame by frame."""
        for frame in self._inferencer.stream(*args, **options):
            # Not a part of the image, which would keep the whole.
            nothing = np.empty((0, 0, 3), np.uint8)
            self.frames.append(replace(frame, image=nothing))
            yield frame
