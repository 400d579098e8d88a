"""Some frames of a video, evenly spread, however long it is."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

# Frames are kept no larger than the largest that is drawn, (width, height).
KEPT_SIZE = (480, 240)


@dataclass(frozen=True)
class KeptFrame:
    """A frame to show: its time, image (h, w, 3) and mask (h, w)."""

    time_s: float
    image: np.ndarray
    mask: np.ndarray


class FrameChoice:
    """Keeps some of the frames that come in.

    One of each stretch of time is kept. The stretches begin short, and double
    whenever there are too many.

    Args:
        max_frames: most frames that will be wanted; several times as many are
            kept, for an even choice.
    """

    def __init__(self, max_frames: int) -> None:
        self.max_frames = max_frames
        self._frames: list[KeptFrame] = []
        self._spacing_s = 0.01

    @property
    def aspect(self) -> float:
        """Width of a frame over its height, in pixels as they were kept."""
        height, width = self._frames[0].mask.shape
        return width / height

    def add(self, time_s: float, image: np.ndarray, mask: np.ndarray) -> None:
        """Keep the next frame, a copy and no larger than it is drawn, or not.

        Args:
            time_s: later than that of the frame before.
            image: RGB.
            mask: class of each pixel.

        Shapes:
            - image: (H, W, 3) uint8.
            - mask: (H, W) whole numbers.
        """
        if self._frames and not self._is_later(self._frames[-1], time_s):
            return
        height, width = mask.shape
        scale = min(1.0, KEPT_SIZE[0] / width, KEPT_SIZE[1] / height)
        size = tuple(max(1, round(x * scale)) for x in (width, height))
        self._frames.append(
            KeptFrame(
                time_s,
                cv2.resize(image, size, interpolation=cv2.INTER_AREA),
                cv2.resize(
                    mask.astype(np.int32),
                    size,
                    interpolation=cv2.INTER_NEAREST_EXACT,
                ),
            )
        )
        while len(self._frames) > 4 * self.max_frames:
            self._spacing_s *= 2
            kept = self._frames[:1]
            for frame in self._frames[1:]:
                if self._is_later(kept[-1], frame.time_s):
                    kept.append(frame)
            self._frames = kept

    def spread(self, count: int, end_s: float) -> list[KeptFrame]:
        """Choose frames spread evenly over the time from 0 on, in order.

        Args:
            count: most frames.
            end_s: end of the time.
        """
        if len(self._frames) <= count:
            return self._frames
        times = np.array([frame.time_s for frame in self._frames])
        wanted = (np.arange(count) + 0.5) / count * end_s
        distances = np.abs(times - wanted[:, None])
        return [self._frames[k] for k in np.unique(distances.argmin(1))]

    def _is_later(self, frame: KeptFrame, time_s: float) -> bool:
        """Whether a time is in a later stretch than a frame."""
        return time_s // self._spacing_s > frame.time_s // self._spacing_s
