"""What was found out about one clip."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from mmavs.datasets.checking.problem import ERROR, Problem

__all__ = ['FILE_KINDS', 'ClipFindings']

FILE_KINDS = dict(
    img_path='frames',
    seg_map_path='masks',
    seg_map_rgb_path='colour masks',
    audio_path='wav',
    log_mel_path='log-mel',
    video_path='videos',
)
"""dict[str, str]: names of the patterns of a layout to what they are."""


@dataclass
class ClipFindings:
    """The files and the problems of one clip.

    Attributes:
        problems: what is wrong.
        expected: how many files of each of ``FILE_KINDS`` it should have.
        found: how many there are, readable or not.
        frame_digests: path to digest of what each frame shows, if anything.
        audio_digests: the same of the audio.
    """

    problems: list[Problem] = field(default_factory=list)
    expected: Counter = field(default_factory=Counter)
    found: Counter = field(default_factory=Counter)
    frame_digests: dict[str, str] = field(default_factory=dict)
    audio_digests: dict[str, str] = field(default_factory=dict)

    @property
    def is_usable(self) -> bool:
        """Whether it can be trained on or tested with."""
        return all(problem.severity != ERROR for problem in self.problems)
