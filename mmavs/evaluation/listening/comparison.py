"""Models compared, with intervals over seeds and clips.

A repetition of an experiment would have other seeds and other test clips, so
both are resampled: the seeds of the trainings, and the scenes of the test
set, in which twins stay together. Every model gets the same draws, so that
what is hard for all of them cancels out of a difference.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from mmavs.evaluation.listening.bootstrap import (
    Estimate,
    number_scenes,
    resample_clips,
)
from mmavs.evaluation.listening.clip_sums import ClipSums
from mmavs.evaluation.listening.records import ClipListening
from mmavs.evaluation.listening.scores import listening_score, quietness

NUM_DRAWS = 2000
MATCHED = 'matched'
# Condition -> the measure that says how far the mIoU falls under it.
GAPS = dict(twin='twin_gap', swapped='swapped_gap')


def draw_clips(
    video_ids: Sequence[str],
    twins: Mapping[str, str],
    num_draws: int = NUM_DRAWS,
    seed: int = 0,
) -> np.ndarray:
    """How often every clip is in every draw of scenes with replacement.

    Row 0 is the set as it is, for the value itself.

    Args:
        video_ids: the clips.
        twins: clip -> the one with the same frames, as far as it has one.
        num_draws: R.
        seed: what is drawn.

    Shapes:
        - returns: (R + 1, B) float64
    """
    scenes = number_scenes(video_ids, twins)
    return _with_the_set(resample_clips(scenes, num_draws, seed))


def draw_seeds(
    num_seeds: int, num_draws: int = NUM_DRAWS, seed: int = 0
) -> np.ndarray:
    """How much every seed weighs in every draw of them with replacement.

    Row 0 is their plain mean. A single seed is what it is: then intervals
    are over clips alone.

    Shapes:
        - returns: (R + 1, S) float64, rows with sum 1
    """
    # Not the draws of as many scenes.
    counts = resample_clips(np.arange(num_seeds), num_draws, seed + 1)
    return _with_the_set(counts) / num_seeds


def _with_the_set(counts: np.ndarray) -> np.ndarray:
    return np.concatenate([np.ones_like(counts[:1]), counts])


def measure(
    records: Mapping[str, Sequence[ClipListening]], weights: np.ndarray
) -> dict[str, np.ndarray]:
    """Measures of one training on sets that have each clip so many times.

    Args:
        records: condition -> clips. A condition may lack some of the clips
            of 'matched'.
        weights: multiplicities of the clips of 'matched'.

    Shapes:
        - weights: (R, B)
        - each measure: (R,), NaN where nothing counts

    Returns:
        ``mIoU`` and ``F`` with the clips' own sound, ``quietness`` and
        ``score``; of every other condition ``mIoU_CONDITION``, ``twin_gap``
        and ``swapped_gap`` where they were played; and of all conditions
        ``share_CONDITION``, the share of the pixels that is marked.

    Raises:
        ValueError: if 'matched' is missing, or lacks a clip of another
            condition.
    """
    if MATCHED not in records:
        raise ValueError(
            f'a comparison needs {MATCHED!r}, got {sorted(records)}'
        )
    video_ids = [clip.video_id for clip in records[MATCHED]]
    sums = {k: ClipSums.of(v, video_ids) for k, v in records.items()}
    means = {k: v.means(weights) for k, v in sums.items()}
    matched, quiet = means[MATCHED], quietness(sums, weights)
    found = dict(
        mIoU=matched['mIoU'],
        F=matched['F'],
        quietness=quiet,
        score=listening_score(matched['mIoU'], quiet),
    )
    for condition, name in GAPS.items():
        if condition in sums:
            # Of the same clips, so that the difference is the sound's.
            own = sums[MATCHED].means(weights * sums[condition].present)
            found[name] = own['mIoU'] - means[condition]['mIoU']
    for condition, values in means.items():
        if condition != MATCHED:
            found[f'mIoU_{condition}'] = values['mIoU']
        found[f'share_{condition}'] = values['foreground_share']
    return found


def summarise(
    seeds: Mapping[int, Mapping[str, np.ndarray]],
    reference: Mapping[int, Mapping[str, np.ndarray]] | None = None,
) -> dict[str, Estimate]:
    """Means over seeds, or how far they are above those of a reference.

    Args:
        seeds: seed -> what :func:`measure` gave with the weights of
            :func:`draw_clips`.
        reference: the same of another model with the same weights. Then it
            is the difference over the seeds that both have.

    Returns:
        Every measure that all of them have.

    Raises:
        ValueError: if there is no (common) seed.
    """
    chosen = [s for s in seeds if reference is None or s in reference]
    if not chosen:
        raise ValueError(
            f'no common seed: {list(seeds)} and {list(reference or ())}'
        )
    names = list(seeds[chosen[0]])
    if reference is not None:
        names = [n for n in names if n in reference[chosen[0]]]
    num_draws = len(seeds[chosen[0]]['mIoU']) - 1
    weights = draw_seeds(len(chosen), num_draws)
    found = {}
    for name in names:
        values = np.stack([seeds[seed][name] for seed in chosen], 1)
        if reference is not None:
            values -= np.stack([reference[seed][name] for seed in chosen], 1)
        drawn = (weights * values).sum(1)
        found[name] = Estimate.of(drawn[0], drawn[1:])
    return found
