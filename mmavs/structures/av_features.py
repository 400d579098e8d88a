"""What the neck hands to the decode head."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from mmavs.structures.frame_labels import FrameLabels
from mmavs.structures.gaussian import DiagonalGaussian


@dataclass(frozen=True)
class LatentPath:
    """One path through the latent space: the prior or the posterior.

    Attributes:
        levels: mapped levels, finest first; the codes are injected into the
            last one.
        gaussians: the distribution of each latent by its name
            (``visual_specific``, ``audio_specific``, ``shared``).
        samples: what was drawn from them; in the posterior path an unlabelled
            frame carries the sample that the prior path drew for it.
        visual_code: visual-specific and shared samples, fused.
        audio_code: audio-specific and shared samples, fused.

    Shapes:
        - levels: L x (N, C, h_l, w_l).
        - gaussians: (N, K) in the prior, (M, K) in the posterior: it exists
          for the M labelled frames only.
        - samples, visual_code, audio_code: (N, K).
    """

    levels: tuple[Tensor, ...]
    gaussians: dict[str, DiagonalGaussian]
    samples: dict[str, Tensor]
    visual_code: Tensor
    audio_code: Tensor


@dataclass(frozen=True)
class AVFeatures:
    """Everything the decode head needs of a batch.

    Attributes:
        prior: the path that sees frames and sound.
        posterior: the path that also sees the masks; None without masks.
        audio: audio embedding in the channels of the levels.
        num_frames: T, frames per clip.
        frame_size: (H, W) of the input frames.
        labels: masks of the labelled frames; None without masks.

    Shapes:
        - audio: (N, C), N = B * T, clip-major.
    """

    prior: LatentPath
    posterior: LatentPath | None
    audio: Tensor
    num_frames: int
    frame_size: tuple[int, int]
    labels: FrameLabels | None = None
