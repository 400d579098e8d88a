"""What is predicted of a recording."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

import numpy as np

from mmavs.datasets.errors import DataError


@dataclass(frozen=True, eq=False)
class FramePrediction:
    """A frame and what is predicted of it.

    Attributes:
        index: its position among the frames that were segmented, from 0.
        time_s: when it was taken, in seconds since the first frame.
        image: the frame, RGB.
        mask: index of the class of each pixel, 0 the background.
        probability: of foreground, that is 1 - p(background).
        uncertainty: standard deviation of that probability over the draws
            of the codes; None where they are not drawn.
        codes: mean of each latent by its name; {} in a model without any.
        heard: the log-mel patches that were heard with the frame, by when
            each begins in seconds since the first frame. One, or several at
            1 frame a second where it is in several windows.

    Shapes:
        - image: (H, W, 3) uint8; mask: (H, W) uint8.
        - probability, uncertainty: (H, W) float32.
        - codes: (K,) float32; heard: (96, 64) float32 each.
    """

    index: int
    time_s: float
    image: np.ndarray
    mask: np.ndarray
    probability: np.ndarray
    uncertainty: np.ndarray | None
    codes: dict[str, np.ndarray]
    heard: dict[float, np.ndarray]

    def without_inputs(self) -> FramePrediction:
        """The prediction alone, without the image and the sound."""
        nothing = np.empty((0, 0, 3), np.uint8)
        return replace(self, image=nothing, heard={})


@dataclass(frozen=True, eq=False)
class VideoPrediction:
    """What is predicted of all frames of a recording, F of them.

    Attributes:
        name: of the recording.
        times_s: when the frames were taken, in seconds since the first.
        masks: index of the class of each pixel, 0 the background.
        probabilities: of foreground, that is 1 - p(background).
        uncertainty: standard deviation of the probability over the draws of
            the codes; None where they are not drawn.
        codes: mean of each latent by its name.

    Shapes:
        - times_s: (F,) float64; masks: (F, H, W) uint8.
        - probabilities, uncertainty: (F, H, W) float32.
        - codes: (F, K) float32.
    """

    name: str
    times_s: np.ndarray
    masks: np.ndarray
    probabilities: np.ndarray
    uncertainty: np.ndarray | None = None
    codes: dict[str, np.ndarray] = field(default_factory=dict)

    @classmethod
    def from_frames(
        cls, name: str, frames: Iterable[FramePrediction]
    ) -> VideoPrediction:
        """Stack the frames of a recording; their images are dropped.

        Args:
            name: of the recording.
            frames: in the order of time, one at least.

        Raises:
            DataError: if there is none.
        """
        rows = [
            (f.time_s, f.mask, f.probability, f.uncertainty, f.codes)
            for f in frames
        ]
        if not rows:
            raise DataError(f'{name} has no frame that was segmented')
        times_s, masks, probabilities, uncertainty, codes = zip(
            *rows, strict=True
        )
        return cls(
            name,
            np.array(times_s, np.float64),
            np.stack(masks),
            np.stack(probabilities),
            None if uncertainty[0] is None else np.stack(uncertainty),
            {key: np.stack([c[key] for c in codes]) for key in codes[0]},
        )
