"""Areas under the ROC curve by groups, and intervals over scenes."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from mmavs.evaluation.listening.bootstrap import (
    Estimate,
    draw_scenes,
    number_scenes,
)
from mmavs.evaluation.probes import (
    pair_wins,
)


def make(seed=0, frames=60, groups=7):
    rng = np.random.default_rng(seed)
    scores = rng.integers(0, 8, frames).astype(float)  # with ties
    labels = rng.uniform(size=frames) < 0.2 + 0.08 * scores
    return scores, labels, rng.integers(0, groups, frames)


@pytest.mark.parametrize('seed', range(3))
def test_area_is_that_of_scikit_learn(seed):
    scores, labels, groups = make(seed)
    wins = pair_wins(scores, labels, groups, 7)
    assert wins.auc() == pytest.approx(roc_auc_score(labels, scores))
    assert wins.positives.sum() == labels.sum()
    assert wins.negatives.sum() == (~labels).sum()


def test_weights_repeat_the_frames_of_a_group():
    """A group drawn twice counts as if its frames were there twice."""
    scores, labels, groups = make()
    weights = np.array([[2, 0, 1, 3, 0, 1, 1], [1, 1, 1, 1, 1, 1, 1.0]])
    rows = np.concatenate(
        [
            np.flatnonzero(groups == group)
            for group in np.repeat(range(7), weights[0].astype(int))
        ]
    )
    areas = pair_wins(scores, labels, groups, 7).auc(weights)
    assert areas[0] == pytest.approx(roc_auc_score(labels[rows], scores[rows]))
    assert areas[1] == pytest.approx(roc_auc_score(labels, scores))


def test_without_positives_or_negatives_there_is_no_area():
    scores, labels, groups = make()
    for only in (True, False):
        wins = pair_wins(scores, np.full(len(labels), only), groups, 7)
        assert np.isnan(wins.auc())
    wins = pair_wins(scores, groups == 3, groups, 7)
    weights = np.ones((2, 7))
    weights[0, 3] = 0
    assert np.isnan(wins.auc(weights)).tolist() == [True, False]


def test_scenes_are_drawn_with_replacement():
    weights = draw_scenes(40, 500, seed=3)
    assert weights.shape == (500, 40)
    assert (weights.sum(1) == 40).all()
    assert (weights == 0).mean() == pytest.approx((1 - 1 / 40) ** 40, abs=0.02)
    assert np.array_equal(weights, draw_scenes(40, 500, seed=3))
    assert not np.array_equal(weights, draw_scenes(40, 500, seed=4))


def test_interval_covers_the_truth_as_often_as_it_says():
    """Of 200 samples of a mean about 95 % have 0 in their interval."""
    rng = np.random.default_rng(0)
    weights = draw_scenes(40, 500, seed=0)
    covered = 0
    for _ in range(200):
        sample = rng.normal(size=40)
        estimate = Estimate.of(sample.mean(), weights @ sample / 40)
        covered += estimate.low <= 0 <= estimate.high
    assert 175 <= covered <= 199


def test_unknown_replicates_do_not_count():
    estimate = Estimate.of(0.5, np.array([0.5, np.nan, 0.5]))
    assert (estimate.low, estimate.high) == (0.5, 0.5)
    assert str(estimate) == '0.50 [0.50, 0.50]'
    assert str(Estimate.of(np.nan, np.array([0.5]))) == '–'


def test_twins_are_one_scene():
    twins = dict(b='c', c='b')
    assert number_scenes(['a', 'b', 'b', 'c', 'd'], twins).tolist() == [
        *(0, 1, 1, 1, 2)
    ]
