"""The codes of the frames of a split, and what they are compared with."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mmavs.evaluation.probes.frame_table import FrameTable

# What the audio backbone gives, and the deepest level of the visual one
# averaged over its pixels: what the codes could have known.
AUDIO, VISUAL = 'audio embedding', 'visual features'
ALL = 'all codes'


@dataclass(frozen=True)
class CodedFrames:
    """The frames of a split and what the model makes of them.

    Attributes:
        table: what is known of the frames.
        means: mean of the prior of each code.
        variances: its variance.
        references: ``AUDIO`` and ``VISUAL``.
        moved: sound condition -> means and ``AUDIO`` under it; NaN in clips
            without such a sound.

    Shapes:
        - means, variances, references, moved: (N, K) each.
    """

    table: FrameTable
    means: dict[str, np.ndarray]
    variances: dict[str, np.ndarray]
    references: dict[str, np.ndarray]
    moved: dict[str, dict[str, np.ndarray]]

    @property
    def features(self) -> dict[str, np.ndarray]:
        """What is probed: each code, all at once, and the references."""
        joined = np.concatenate(list(self.means.values()), axis=1)
        return {**self.means, ALL: joined, **self.references}
