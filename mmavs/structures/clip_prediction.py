"""What a segmentor predicts of a batch, before it is cut to frames' sizes."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class ClipPrediction:
    """Predictions of the N = B T frames of a batch.

    Attributes:
        logits: scores of each pixel at the size of the network's input.
        uncertainty: standard deviation over the draws of the probability of
            the foreground, 0 to 0.5; None where nothing was drawn.
        codes: the mean of each latent of the prior by its name
            (``visual_specific``, ``audio_specific``, ``shared``, ...); empty
            in a model without latents.

    Shapes:
        - logits: (N, C, H, W), float32 at least; C = 1 is a sigmoid's, else
          a softmax's.
        - uncertainty: (N, 1, H, W).
        - codes: (N, K).
    """

    logits: Tensor
    uncertainty: Tensor | None
    codes: dict[str, Tensor]
