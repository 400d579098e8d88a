"""The batch between the data preprocessor and the segmentor."""

from typing import NamedTuple

import torch
from torch import Tensor


class ClipBatch(NamedTuple):
    """B clips of T frames each, flattened to N = B * T frames.

    The order is clip-major: frame t of clip b is row ``n = b * T + t``.

    Attributes:
        frames: Normalised frames.
        log_mel: One log-mel patch per frame.
        num_frames: T, the frames of a clip.
        audio_keys: For each clip a digest of its log-mel, or None where its
            sound is another one every time. None without data samples.

    Shapes:
        - frames: (N, 3, H, W)
        - log_mel: (N, 1, 96, 64)
    """

    frames: Tensor
    log_mel: Tensor
    num_frames: int
    audio_keys: tuple[str | None, ...] | None = None

    @property
    def shape(self) -> torch.Size:
        """The shape of ``frames``.

        MMSegmentation's segmentors read ``inputs.shape`` when they predict
        without data samples.
        """
        return self.frames.shape
