"""Measures clips under several sounds, as they come."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from mmavs.datasets.sound_conditions import parse_condition
from mmavs.evaluation.listening.measure import measure_clip
from mmavs.evaluation.listening.records import ClipListening


class _Heard(NamedTuple):
    """Labelled frames of a clip under a sound."""

    condition: str
    video_id: str
    probability: Tensor
    target: Tensor


class ClipMeter:
    """Collects the records of clips.

    What sounds with the sound of a twin is the mask of the twin: a clip
    waits until that comes.

    Args:
        conditions: texts of the sounds.
        twins: video id -> that of the clip's twin.
        threshold: a pixel is marked if its probability is above.
        ignore_index: the label of pixels that do not count.
        beta_squared: the weight of the F-measure.
    """

    def __init__(
        self,
        conditions: Sequence[str],
        twins: Mapping[str, str],
        threshold: float = 0.5,
        ignore_index: int = 255,
        beta_squared: float = 0.3,
    ) -> None:
        self._truths = {c: parse_condition(c).truth for c in conditions}
        self._twins = dict(twins)
        self._threshold = threshold
        self._ignore_index = ignore_index
        self._beta_squared = beta_squared
        self._order: dict[str, int] = {}
        self._records: dict[str, list[ClipListening]] = {
            condition: [] for condition in conditions
        }
        # What sounds in the clips that have a twin, (M, H, W) bool.
        self._sounding: dict[str, Tensor] = {}
        # Twin -> what waits for it.
        self._waiting: dict[str, list[_Heard]] = defaultdict(list)

    def add(
        self, video_id: str, mask: Tensor, probabilities: Mapping[str, Tensor]
    ) -> None:
        """Measure the labelled frames of a clip.

        Args:
            video_id: the clip.
            mask: of its own sound; a frame of ``ignore_index`` alone is
                skipped.
            probabilities: of the foreground, under each sound that the clip
                has.

        Shapes:
            - mask, and each of the probabilities: (T, H, W).

        Raises:
            ValueError: if shapes differ, also those of the masks of twins.
        """
        self._order[video_id] = len(self._order)
        labelled = (mask != self._ignore_index).flatten(1).any(1)
        target = mask[labelled]
        foreground = (target > 0) & (target != self._ignore_index)
        twin = self._twins.get(video_id)
        if 'twin' in self._truths.values() and twin is not None:
            self._sounding[video_id] = foreground
        sounding = {
            'matched': foreground,
            'empty': torch.zeros_like(foreground),
            'twin': None if twin is None else self._sounding.get(twin),
        }
        for condition, probability in probabilities.items():
            truth = self._truths[condition]
            heard = _Heard(condition, video_id, probability[labelled], target)
            if truth == 'twin' and twin and sounding['twin'] is None:
                self._waiting[twin].append(heard)
            else:
                self._measure(
                    heard, None if truth is None else sounding[truth]
                )
        for heard in self._waiting.pop(video_id, ()):
            self._measure(heard, foreground)

    def records(self) -> dict[str, list[ClipListening]]:
        """Records of each condition, in the order the clips were added.

        Where a twin did not come nobody knows what sounds with its sound.
        """
        for waiting in self._waiting.values():
            for heard in waiting:
                self._measure(heard, None)
        self._waiting.clear()
        return {
            condition: sorted(clips, key=lambda x: self._order[x.video_id])
            for condition, clips in self._records.items()
        }

    def _measure(self, heard: _Heard, sounding: Tensor | None) -> None:
        record = measure_clip(
            heard.video_id,
            heard.probability,
            heard.target,
            sounding,
            threshold=self._threshold,
            ignore_index=self._ignore_index,
            beta_squared=self._beta_squared,
        )
        self._records[heard.condition].append(record)
