"""Sums per clip, of which every mean over a set of clips is made."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np

from mmavs.evaluation.listening.records import ClipListening

MEASURES = (
    'mIoU',
    'F',
    'foreground_share',
    'active_share',
    'false_share',
)
"""tuple[str]: what is reported of each condition."""


@dataclass(frozen=True)
class ClipSums:
    """Sums over the frames of each of C clips under one sound.

    A clip without such a sound has zeros: it counts nowhere.

    Attributes:
        num_frames: labelled frames.
        iou, foreground, truth, active: sums over them.
        num_sounding: frames in which something sounds.
        f_curve: sum over these.
        num_known: frames of which is known what sounds with what was played.
        false: sum over these.

    Shapes:
        - f_curve: (C, 255), everything else (C,); float64.
    """

    num_frames: np.ndarray
    iou: np.ndarray
    foreground: np.ndarray
    truth: np.ndarray
    active: np.ndarray
    num_sounding: np.ndarray
    f_curve: np.ndarray
    num_known: np.ndarray
    false: np.ndarray

    @classmethod
    def of(
        cls, clips: Sequence[ClipListening], video_ids: Sequence[str]
    ) -> ClipSums:
        """Add up the frames of each clip.

        Args:
            clips: the records, in any order.
            video_ids: the C clips; the order of the sums.

        Raises:
            ValueError: if a record is of none of the clips, or two clips
                have one id.
        """
        place = {video_id: c for c, video_id in enumerate(video_ids)}
        if len(place) < len(video_ids):
            twice = sorted(k for k, n in Counter(video_ids).items() if n > 1)
            raise ValueError(
                f'every clip needs an id of its own, got twice: {twice[:5]}'
            )
        strange = {clip.video_id for clip in clips} - place.keys()
        if strange:
            raise ValueError(
                f'records of clips that are not among the {len(place)}: '
                f'{sorted(strange)[:5]}'
            )
        size = len(place)
        sums = {field.name: np.zeros(size) for field in fields(cls)}
        sums['f_curve'] = np.zeros((size, 255))
        for clip in clips:
            c = place[clip.video_id]
            sums['num_frames'][c] = len(clip.iou)
            sums['iou'][c] = clip.iou.sum()
            sums['foreground'][c] = clip.foreground_share.sum()
            sums['truth'][c] = clip.truth_share.sum()
            sums['active'][c] = clip.active.sum()
            sums['num_sounding'][c] = clip.non_empty.sum()
            sums['f_curve'][c] = clip.f_curve[clip.non_empty].sum(
                0, dtype=np.float64
            )
            sums['num_known'][c] = np.isfinite(clip.false_share).sum()
            sums['false'][c] = np.nansum(clip.false_share)
        return cls(**sums)

    @property
    def present(self) -> np.ndarray:
        """Which clips count, (C,) of 0 and 1."""
        return (self.num_frames > 0).astype(np.float64)

    def means(self, weights: np.ndarray) -> dict[str, np.ndarray]:
        """Measures of sets of clips, each clip as often as its weight says.

        Args:
            weights: of R sets.

        Shapes:
            - weights: (R, C).
            - returns: each (R,), NaN where nothing is counted; those of
              ``MEASURES`` and ``truth_share``.
        """
        with np.errstate(invalid='ignore'):
            frames = weights @ self.num_frames
            curves = weights @ self.f_curve
            sounding = weights @ self.num_sounding
            return dict(
                mIoU=weights @ self.iou / frames,
                F=curves.max(1) / sounding,
                foreground_share=weights @ self.foreground / frames,
                active_share=weights @ self.active / frames,
                false_share=(weights @ self.false)
                / (weights @ self.num_known),
                truth_share=weights @ self.truth / frames,
            )
