"""Everything that is found out about the codes of a model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mmavs.evaluation.listening.bootstrap import (
    Estimate,
    draw_scenes,
    number_scenes,
)
from mmavs.evaluation.probes.coded_frames import ALL, AUDIO, CodedFrames
from mmavs.evaluation.probes.frame_table import FrameTable
from mmavs.evaluation.probes.linear_probe import clips_of_others
from mmavs.evaluation.probes.movement import code_movement, code_spread
from mmavs.evaluation.probes.reading import ProbeScore, read_targets
from mmavs.evaluation.probes.report import LatentReport
from mmavs.evaluation.probes.targets import (
    ProbeTarget,
    class_names,
    probe_targets,
    twin_target,
)

CONTROL = 'all codes, labels of other clips'
NUM_SHUFFLES = 10
SEVERAL, NOTHING, SOUND, UNKNOWN = 'several', 'silence', 'sound', 'unlabelled'


def probe_codes(
    fit: CodedFrames,
    scored: CodedFrames,
    clips: Mapping[str, Mapping] | None,
    mask_classes: Sequence[str],
    twins: Mapping[str, str],
    *,
    strength: float = 1.0,
    seed: int = 0,
    num_bootstrap: int = 2000,
    facts: Mapping[str, Any] | None = None,
    notes: Sequence[str] = (),
) -> LatentReport:
    """Probe codes, and measure how far they move.

    Args:
        fit: frames the probes are fitted to.
        scored: frames of other clips, and of other scenes.
        clips: ``clips.json`` of a synthetic set, None for any other.
        mask_classes: names of the classes of the masks, background first.
        twins: scored clip to the one that shows the same scene.
        strength: see :func:`fit_and_score`.
        seed: of the resampling and of the shuffled labels.
        num_bootstrap: resamplings of the scenes.
        facts: what the report says besides.
        notes: likewise.

    Raises:
        ValueError: if a scene is on both sides.
    """
    ids = set(scored.table.video_ids)
    both = set(fit.table.video_ids) & ids.union(twins.values())
    if both:
        raise ValueError(
            f'{len(both)} clips, or their twins, are fitted to and scored, '
            f'such as {sorted(both)[:3]}: probes must be scored on other '
            'scenes'
        )
    classes = class_names([fit.table, scored.table], clips, mask_classes)
    fit_targets = probe_targets(fit.table, clips, classes)
    targets = probe_targets(scored.table, clips, classes)
    if 'sounds' in targets and twins:
        targets['sounds_in_twin'] = twin_target(
            targets['sounds'], scored.table, twins
        )
    groups = number_scenes(scored.table.video_ids, twins)
    weights = draw_scenes(int(groups.max()) + 1, num_bootstrap, seed)
    features, fit_features = scored.features, fit.features
    probes = read_targets(
        fit_features, fit_targets, features, targets, groups, weights, strength
    )
    control = _average(
        [
            read_targets(
                {CONTROL: fit_features[ALL]},
                {name: t.select(rows) for name, t in fit_targets.items()},
                {CONTROL: features[ALL]},
                targets,
                groups,
                weights,
                strength,
            )[CONTROL]
            for rows in _shuffled(fit.table.video_ids, seed)
        ]
    )
    labels, other = frame_labels(scored.table, targets.get('sounds'))
    return LatentReport(
        facts=dict(
            facts or {},
            fit_clips=len(set(fit.table.video_ids)),
            clips=len(ids),
            scenes=weights.shape[1],
            strength=strength,
            seed=seed,
            bootstrap=num_bootstrap,
        ),
        spread={
            name: code_spread(means, scored.variances[name])
            for name, means in scored.means.items()
        },
        probes={**probes, CONTROL: control},
        movement=_movement(scored, groups, weights),
        codes=scored.means,
        labels=labels,
        other=other,
        notes=tuple(notes),
    )


def frame_labels(
    table: FrameTable, sounds: ProbeTarget | None
) -> tuple[np.ndarray, tuple[str, ...]]:
    """What sounds in each frame, in one word.

    Args:
        table: the frames.
        sounds: the target ``'sounds'``, None where there are no classes.

    Returns:
        The words, (N,), and those that are the name of no class.
    """
    if sounds is None:
        words = np.where(table.sounding, SOUND, NOTHING).astype(object)
        words[~table.labelled] = UNKNOWN
        return words, (NOTHING, UNKNOWN)
    number = sounds.labels.sum(1)
    words = np.array(sounds.classes, object)[sounds.labels.argmax(1)]
    words[number > 1] = SEVERAL
    words[number == 0] = NOTHING
    words[~sounds.known.any(1)] = UNKNOWN
    return words, (NOTHING, SEVERAL, UNKNOWN)


def _shuffled(video_ids: np.ndarray, seed: int) -> list[np.ndarray]:
    """Rows in which every clip has the labels of another one."""
    rng = np.random.default_rng(seed)
    return [clips_of_others(video_ids, rng) for _ in range(NUM_SHUFFLES)]


def _average(
    runs: Sequence[Mapping[str, ProbeScore]],
) -> dict[str, ProbeScore]:
    """Mean of several fits, with their range in the place of the interval.

    How far such a fit is from chance is a matter of the order of the labels,
    not of the scored scenes.
    """

    def average(estimates: Sequence[Estimate]) -> Estimate:
        values = [estimate.value for estimate in estimates]
        return Estimate(float(np.mean(values)), min(values), max(values))

    found = {}
    for name, first in runs[0].items():
        scores = [run[name] for run in runs]
        accuracies = [s.accuracy for s in scores if s.accuracy is not None]
        found[name] = ProbeScore(
            average([score.auc for score in scores]),
            {
                label: float(np.mean([s.classes[label] for s in scores]))
                for label in first.classes
            },
            average(accuracies) if accuracies else None,
            first.chance,
        )
    return found


def _movement(
    frames: CodedFrames, groups: np.ndarray, weights: np.ndarray
) -> dict[str, dict[str, Estimate]]:
    """How far every code, and the audio embedding, moves."""
    own = {**frames.means, AUDIO: frames.references[AUDIO]}
    movement: dict[str, dict[str, Estimate]] = {name: {} for name in own}
    for condition, moved in frames.moved.items():
        for name, code in own.items():
            rows = ~np.isnan(moved[name][:, 0])
            movement[name][condition] = code_movement(
                code[rows], moved[name][rows], groups[rows], weights
            )
    return movement
