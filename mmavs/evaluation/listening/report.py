"""The report of a listening test, made of the records of its clips."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from mmavs.datasets.sound_conditions import parse_condition
from mmavs.datasets.sound_conditions.condition import Truth
from mmavs.evaluation.functional.scores import dataset_scores
from mmavs.evaluation.listening.bootstrap import (
    Estimate,
    number_scenes,
    resample_clips,
)
from mmavs.evaluation.listening.clip_sums import MEASURES, ClipSums
from mmavs.evaluation.listening.records import ClipListening
from mmavs.evaluation.listening.scores import (
    QUIET_CONDITIONS,
    listening_score,
    quietness,
)

MATCHED = 'matched'


@dataclass(frozen=True)
class ConditionReport:
    """What a model does under one sound.

    Attributes:
        truth: whose mask is right then; None: nobody knows.
        num_clips: clips that have such a sound.
        measures: ``MEASURES`` and ``gap``, the mIoU with the own sound minus
            that with this one, of the same clips.
    """

    truth: Truth | None
    num_clips: int
    measures: dict[str, Estimate]


@dataclass(frozen=True)
class ListeningReport:
    """Whether a model listens.

    Attributes:
        num_clips: of the split.
        num_frames: labelled ones.
        num_bootstrap: resampled sets of each interval.
        seed: of these, and of the sounds.
        truth_share: share of the pixels that sounds with the own sound.
        conditions: condition -> what the model does under it.
        gap: ``gap`` of ``swapped``; None if it was not played.
        twin_gap: that of ``twin``.
        quietness: see :func:`~mmavs.evaluation.listening.scores.quietness`;
            None unless all its sounds were played.
        score: see
            :func:`~mmavs.evaluation.listening.scores.listening_score`.
        left_out: condition -> why it was not played.
        pairs: whose sound each clip was played, {video id: {relation: id}}.
        records: of every condition and clip.
    """

    num_clips: int
    num_frames: int
    num_bootstrap: int
    seed: int
    truth_share: Estimate
    conditions: dict[str, ConditionReport]
    gap: Estimate | None
    twin_gap: Estimate | None
    quietness: Estimate | None
    score: Estimate | None
    left_out: dict[str, str] = field(default_factory=dict)
    pairs: dict[str, dict[str, str]] = field(default_factory=dict)
    records: dict[str, list[ClipListening]] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Everything but pairs and records; None where no number exists."""
        shown = {
            name: value
            for name, value in vars(self).items()
            if name not in ('pairs', 'records')
        }
        shown['conditions'] = {
            name: dict(
                truth=found.truth, num_clips=found.num_clips, **found.measures
            )
            for name, found in self.conditions.items()
        }
        return _plain(shown)


def summarise_listening(
    records: Mapping[str, Sequence[ClipListening]],
    num_bootstrap: int = 2000,
    seed: int = 0,
    left_out: Mapping[str, str] | None = None,
    pairs: Mapping[str, Mapping[str, str]] | None = None,
) -> ListeningReport:
    """Make a report; every number gets an interval over clips.

    All numbers are of the same resampled sets, so a difference has an
    interval of its own. Twins are drawn together.

    Args:
        records: condition -> its clips; ``matched`` has all of them.
        num_bootstrap: R, resampled sets.
        seed: which.
        left_out: as in the report.
        pairs: as in the report.

    Raises:
        ValueError: if ``matched`` is missing, or no frame is labelled.
    """
    if MATCHED not in records:
        raise ValueError(
            f'the records must have {MATCHED!r}, got {sorted(records)}'
        )
    matched = records[MATCHED]
    video_ids = [clip.video_id for clip in matched]
    sums = {k: ClipSums.of(v, video_ids) for k, v in records.items()}
    played = {k: dict(partners) for k, partners in (pairs or {}).items()}
    twins = {k: v['twin'] for k, v in played.items() if 'twin' in v}
    scenes = number_scenes(video_ids, twins)
    draws = resample_clips(scenes, num_bootstrap, seed)
    whole = np.ones((1, len(video_ids)))
    reports = {
        name: ConditionReport(
            parse_condition(name).truth,
            len(clips),
            _measures(clips, sums[name], whole, draws)
            | dict(gap=_gap(matched, clips, sums[MATCHED], sums[name], draws)),
        )
        for name, clips in records.items()
    }
    truth = [sums[MATCHED].means(w)['truth_share'] for w in (whole, draws)]
    quiet = score = None
    if all(name in records for name in QUIET_CONDITIONS):
        value, values = (quietness(sums, w) for w in (whole, draws))
        quiet = Estimate.of(value[0], values)
        miou = np.array([reports[MATCHED].measures['mIoU'].value])
        score = Estimate.of(
            listening_score(miou, value)[0],
            listening_score(sums[MATCHED].means(draws)['mIoU'], values),
        )
    gaps = {name: found.measures['gap'] for name, found in reports.items()}
    return ListeningReport(
        num_clips=len(video_ids),
        num_frames=int(sums[MATCHED].num_frames.sum()),
        num_bootstrap=num_bootstrap,
        seed=seed,
        truth_share=Estimate.of(truth[0][0], truth[1]),
        conditions=reports,
        gap=gaps.get('swapped'),
        twin_gap=gaps.get('twin'),
        quietness=quiet,
        score=score,
        left_out=dict(left_out or {}),
        pairs=played,
        records={k: list(v) for k, v in records.items()},
    )


def _measures(
    clips: Sequence[ClipListening],
    sums: ClipSums,
    whole: np.ndarray,
    draws: np.ndarray,
) -> dict[str, Estimate]:
    values = {k: v[0] for k, v in sums.means(whole).items()}
    # As the metric adds it up, to the last digit.
    values['mIoU'], values['F'] = dataset_scores(clips)
    found = sums.means(draws)
    return {k: Estimate.of(values[k], found[k]) for k in MEASURES}


def _gap(
    matched: Sequence[ClipListening],
    clips: Sequence[ClipListening],
    own: ClipSums,
    other: ClipSums,
    draws: np.ndarray,
) -> Estimate:
    """How much mIoU another sound costs, on the clips that have it."""
    heard = {clip.video_id for clip in clips}
    both = [clip for clip in matched if clip.video_id in heard]
    value = dataset_scores(both)[0] - dataset_scores(clips)[0]
    own_means = own.means(draws * other.present)
    return Estimate.of(value, own_means['mIoU'] - other.means(draws)['mIoU'])


def _plain(value: Any) -> Any:
    """For JSON, which has no NaN."""
    if isinstance(value, Estimate):
        return _plain(asdict(value))
    if isinstance(value, Mapping):
        return {name: _plain(item) for name, item in value.items()}
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
