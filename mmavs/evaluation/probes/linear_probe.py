"""What a linear classifier reads from a code."""

from __future__ import annotations

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from mmavs.evaluation.probes.targets import ProbeTarget

# Frames of either kind that a classifier is fitted to at least.
MIN_EXAMPLES = 10


def fit_and_score(
    fit_features: np.ndarray,
    target: ProbeTarget,
    features: np.ndarray,
    strength: float = 1.0,
) -> np.ndarray:
    """Fit one classifier per class and score other frames with it.

    Features are standardised by the frames of the fit; the classifier is a
    logistic regression with a ridge penalty.

    Args:
        fit_features: codes of the frames to fit to.
        target: what to read from them.
        features: codes of the frames to score.
        strength: C, the inverse of the weight of the penalty.

    Shapes:
        - fit_features: (N, K), N frames of the target.
        - features: (M, K).
        - returns: (M, S) log-odds, NaN for a class with fewer than
          ``MIN_EXAMPLES`` known positives or negatives in the fit.
    """
    if len(fit_features) != len(target.labels):
        raise ValueError(
            f'target {target.name!r} has {len(target.labels)} frames, the '
            f'codes have {len(fit_features)}'
        )
    scores = np.full((len(features), len(target.classes)), np.nan)
    for k in range(len(target.classes)):
        known = target.known[:, k]
        labels = target.labels[known, k]
        if min(labels.sum(), (~labels).sum()) < MIN_EXAMPLES:
            continue
        classifier = make_pipeline(
            StandardScaler(), LogisticRegression(C=strength, max_iter=1000)
        )
        classifier.fit(fit_features[known], labels)
        scores[:, k] = classifier.decision_function(features)
    return scores


def clips_of_others(
    video_ids: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Rows that give every clip the frames of another one.

    Labels in this order have lost every tie to the codes but how often they
    occur and how long they last. Clips exchange with clips of their length;
    a clip that is alone with its length keeps its own.

    Args:
        video_ids: clip of each row, the frames of a clip in a row.
        rng: source of randomness.

    Shapes:
        - video_ids, returns: (N,).
    """
    starts = np.flatnonzero(np.r_[True, video_ids[1:] != video_ids[:-1]])
    lengths = np.diff(np.r_[starts, len(video_ids)])
    rows = np.arange(len(video_ids))
    for length in np.unique(lengths):
        clips = rng.permutation(starts[lengths == length])
        others = np.roll(clips, 1)  # in a circle: nobody keeps its own
        steps = np.arange(length)
        rows[clips[:, None] + steps] = others[:, None] + steps
    return rows
