"""How well targets can be read from codes, as a table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from mmavs.evaluation.listening.bootstrap import Estimate
from mmavs.evaluation.probes.auc import pair_wins
from mmavs.evaluation.probes.frame_table import Features
from mmavs.evaluation.probes.linear_probe import fit_and_score
from mmavs.evaluation.probes.targets import ProbeTarget

# Targets that are scored with the classifiers of another one.
_FITTED_AS = dict(sounds_in_twin='sounds')


@dataclass(frozen=True)
class ProbeScore:
    """How well a target can be read from a code.

    Attributes:
        auc: mean over classes of the area under the ROC curve.
        classes: the area of each class that could be scored.
        accuracy: share of the frames whose class has the highest score,
            where every frame has exactly one class; else None.
        chance: that share for the class that is most frequent in the fit.
    """

    auc: Estimate
    classes: dict[str, float]
    accuracy: Estimate | None = None
    chance: float | None = None


def read_targets(
    fit_features: Features,
    fit_targets: Mapping[str, ProbeTarget],
    features: Features,
    targets: Mapping[str, ProbeTarget],
    groups: np.ndarray,
    weights: np.ndarray,
    strength: float = 1.0,
) -> dict[str, dict[str, ProbeScore]]:
    """Fit linear probes on some frames and score them on others.

    Args:
        fit_features: codes by name, of the frames to fit to.
        fit_targets: targets of these frames.
        features: the same codes of the frames to score.
        targets: targets of these frames; those that were not fitted are
            left out.
        groups: scene of each scored frame, 0 to G - 1.
        weights: how often each scene counts in each resampling.
        strength: see :func:`fit_and_score`.

    Shapes:
        - fit_features: (N, K) each; features: (M, K) each.
        - groups: (M,); weights: (B, G).

    Returns:
        Name of the code -> name of the target -> score. The intervals tell
        how the score varies with the scored scenes, for the classifiers as
        they are.
    """
    scores: dict[str, dict[str, ProbeScore]] = {}
    for code, values in features.items():
        fitted: dict[str, np.ndarray] = {}
        scores[code] = {}
        for name, target in targets.items():
            source = _FITTED_AS.get(name, name)
            if source not in fit_targets:
                continue
            if source not in fitted:
                fitted[source] = fit_and_score(
                    fit_features[code], fit_targets[source], values, strength
                )
            scores[code][name] = score_target(
                fitted[source], target, fit_targets[source], groups, weights
            )
    return scores


def score_target(
    scores: np.ndarray,
    target: ProbeTarget,
    fit_target: ProbeTarget,
    groups: np.ndarray,
    weights: np.ndarray,
) -> ProbeScore:
    """Score the log-odds (M, S) of a target; see :func:`read_targets`."""
    areas, replicates = {}, []
    scorable = target.varies & ~np.isnan(scores).any(0)
    for k in np.flatnonzero(scorable):
        known = target.known[:, k]
        wins = pair_wins(
            scores[known, k],
            target.labels[known, k],
            groups[known],
            weights.shape[1],
        )
        areas[target.classes[k]] = float(wins.auc())
        replicates.append(wins.auc(weights))
    if not areas:
        nothing = Estimate(np.nan, np.nan, np.nan)
        return ProbeScore(nothing, {})
    auc = Estimate.of(
        float(np.mean(list(areas.values()))), _known_mean(replicates)
    )
    is_one_of = target.is_one_of and fit_target.is_one_of
    if not is_one_of or target.name != fit_target.name:
        return ProbeScore(auc, areas)
    known = target.known.all(1)
    truth = target.labels[known].argmax(1)
    best = np.where(np.isnan(scores), -np.inf, scores)[known].argmax(1)
    right = _group_sums(best == truth, groups[known], weights.shape[1])
    frames = _group_sums(known[known], groups[known], weights.shape[1])
    shares = (weights @ right) / np.maximum(weights @ frames, 1)
    usual = (fit_target.labels & fit_target.known).sum(0).argmax()
    return ProbeScore(
        auc,
        areas,
        accuracy=Estimate.of(float((best == truth).mean()), shares),
        chance=float((truth == usual).mean()),
    )


def _known_mean(replicates: list[np.ndarray]) -> np.ndarray:
    """Mean over classes of S arrays (B,), of those that are numbers."""
    values = np.stack(replicates)
    known = ~np.isnan(values)
    return np.divide(
        np.where(known, values, 0).sum(0),
        known.sum(0),
        out=np.full(values.shape[1], np.nan),
        where=known.any(0),
    )


def _group_sums(
    values: np.ndarray, groups: np.ndarray, num_groups: int
) -> np.ndarray:
    return np.bincount(groups, values, minlength=num_groups)
