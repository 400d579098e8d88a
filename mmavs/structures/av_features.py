"""What the neck hands to the decode head."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from mmavs.structures.frame_labels import FrameLabels
from mmavs.structures.gaussian import DiagonalGaussian
from mmavs.structures.gaussian_mixture import GaussianMixture

Distributions = dict[str, DiagonalGaussian | GaussianMixture]


@dataclass(frozen=True)
class CodeDraw:
    """One draw of the codes of a path, and the levels that carry it.

    Attributes:
        decodings: the deepest n mapped levels with the codes injected, finest
            first, once for each decoding: one in the joint reconstruction,
            one per modality in the other.
        samples: what was drawn, by the name of the latent; in the posterior
            path an unlabelled frame carries the sample that the prior path
            drew for it.
        visual_code: code of the visual side.
        audio_code: code of the audio side.

    Shapes:
        - decodings: D x n x (N, C, h_l, w_l), n = 1 unless the codes enter
          more than the deepest level.
        - samples, visual_code, audio_code: (N, K); without latents there
          are no samples, and the codes are None.
    """

    decodings: tuple[tuple[Tensor, ...], ...]
    samples: dict[str, Tensor]
    visual_code: Tensor | None = None
    audio_code: Tensor | None = None


@dataclass(frozen=True)
class LatentPath:
    """One path through the latent space: the prior or the posterior.

    Attributes:
        levels: mapped levels without codes, finest first; every draw
            shares them.
        distributions: the distribution of each latent by its name
            (``visual_specific``, ``audio_specific``, ``shared``, ...).
        draws: the draws of the codes, at least one.

    Shapes:
        - levels: (L - n) x (N, C, h_l, w_l).
        - distributions: (N, K) in the prior, (M, K) in the posterior: it
          exists for the M labelled frames only.
    """

    levels: tuple[Tensor, ...]
    distributions: Distributions
    draws: tuple[CodeDraw, ...]


@dataclass(frozen=True)
class AVFeatures:
    """Everything the decode head needs of a batch.

    Attributes:
        prior: the path that sees frames and sound.
        posterior: the path that also sees the masks; None without masks and
            in a model without latents.
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
