"""Linear probes of codes that know something, or nothing."""

import numpy as np
import pytest

from mmavs.evaluation.listening.bootstrap import draw_scenes
from mmavs.evaluation.probes import (
    ProbeTarget,
    clips_of_others,
    fit_and_score,
    read_targets,
    score_target,
)

FRAMES = 400
NAMES = ('cat', 'dog', 'owl')


def make_target(seed, name='sounds', frames=FRAMES):
    """One of three classes in each frame."""
    classes = np.random.default_rng(seed).integers(0, 3, frames)
    labels = classes[:, None] == np.arange(3)
    return ProbeTarget(name, NAMES, labels, np.ones(labels.shape, bool))


def make_code(target, seed, noise):
    rng = np.random.default_rng(seed)
    return target.labels @ np.eye(3, 8) + noise * rng.normal(
        size=(len(target.labels), 8)
    )


def read(codes, fit_codes, fit, scored):
    groups = np.arange(FRAMES) // 5
    weights = draw_scenes(FRAMES // 5, 200, 0)
    return read_targets(fit_codes, fit, codes, scored, groups, weights)


@pytest.fixture(scope='module')
def scores():
    fit, scored = make_target(0), make_target(1)
    fit_codes = dict(
        clear=make_code(fit, 2, 0.05),
        dim=make_code(fit, 3, 1.0),
        empty=np.random.default_rng(4).normal(size=(FRAMES, 8)),
        constant=np.ones((FRAMES, 2)),
    )
    codes = dict(
        clear=make_code(scored, 5, 0.05),
        dim=make_code(scored, 6, 1.0),
        empty=np.random.default_rng(7).normal(size=(FRAMES, 8)),
        constant=np.ones((FRAMES, 2)),
    )
    return read(codes, fit_codes, dict(sounds=fit), dict(sounds=scored))


def test_a_code_that_knows_is_read(scores):
    clear = scores['clear']['sounds']
    assert clear.auc.value == 1 == clear.accuracy.value
    assert clear.classes == dict.fromkeys(NAMES, 1)
    dim = scores['dim']['sounds']
    assert 0.65 < dim.auc.low < dim.auc.value < dim.auc.high < 0.9
    assert dim.chance < dim.accuracy.low < dim.accuracy.value < 0.8


def test_a_code_that_does_not_know_is_at_chance(scores):
    empty = scores['empty']['sounds']
    assert empty.auc.low < 0.5 < empty.auc.high
    assert abs(empty.auc.value - 0.5) < 0.06
    assert empty.chance == pytest.approx(1 / 3, abs=0.06)
    constant = scores['constant']['sounds']
    assert constant.auc.value == constant.auc.high == 0.5
    # Every frame gets the class that is most frequent in the fit.
    assert constant.accuracy.value == constant.chance


def test_scores_do_not_depend_on_the_scale_of_a_code():
    fit = make_target(0)
    code, other = make_code(fit, 2, 1.0), make_code(make_target(1), 3, 1.0)
    expected = fit_and_score(code, fit, other)
    moved = fit_and_score(1000 * code - 7, fit, 1000 * other - 7)
    assert moved == pytest.approx(expected, rel=1e-3, abs=1e-3)


def test_only_known_frames_are_fitted_and_scored():
    """Where nobody asks, labels may be anything."""
    fit, scored = make_target(0), make_target(1)
    code, other = make_code(fit, 2, 1.0), make_code(scored, 3, 1.0)
    rng = np.random.default_rng(8)

    def half_known(target, wrong):
        known = np.ones(target.labels.shape, bool)
        known[::2] = False
        labels = target.labels.copy()
        if wrong:
            labels[::2] = rng.uniform(size=labels[::2].shape) < 0.5
        return ProbeTarget('sounds', NAMES, labels, known)

    expected, value = (
        read(
            dict(code=other),
            dict(code=code),
            dict(sounds=half_known(fit, wrong)),
            dict(sounds=half_known(scored, wrong)),
        )['code']['sounds']
        for wrong in (False, True)
    )
    assert value.auc == expected.auc and value.classes == expected.classes


def test_rare_classes_are_left_out():
    target = make_target(0)
    target.labels[:, 2] = False
    target.labels[:9, 2] = True
    scores = fit_and_score(make_code(target, 2, 1.0), target, np.ones((5, 8)))
    assert np.isnan(scores[:, 2]).all() and not np.isnan(scores[:, :2]).any()
    groups = np.zeros(5, int)
    few = ProbeTarget(
        'sounds', NAMES, np.eye(5, 3, dtype=bool), np.ones((5, 3), bool)
    )
    score = score_target(scores, few, target, groups, np.ones((4, 1)))
    assert set(score.classes) == {'cat', 'dog'}
    nothing = score_target(
        np.full((5, 3), np.nan), few, target, groups, np.ones((4, 1))
    )
    assert np.isnan(nothing.auc.value) and nothing.classes == {}


def test_the_twin_is_scored_by_the_probe_of_what_sounds():
    fit, scored = make_target(0), make_target(1)
    twin = ProbeTarget(
        'sounds_in_twin', NAMES, np.roll(scored.labels, 1, 1), scored.known
    )
    code = dict(code=make_code(scored, 5, 0.05))
    found = read(
        code,
        dict(code=make_code(fit, 2, 0.05)),
        dict(sounds=fit),
        dict(sounds=scored, sounds_in_twin=twin, number=scored),
    )['code']
    assert set(found) == {'sounds', 'sounds_in_twin'}  # no number to fit to
    # The class of the twin is never the highest.
    assert found['sounds_in_twin'].auc.value < 0.5
    assert found['sounds_in_twin'].accuracy is None


def test_codes_of_other_frames_are_refused():
    with pytest.raises(ValueError, match="'sounds' has 400 frames.*3"):
        fit_and_score(np.zeros((3, 8)), make_target(0), np.zeros((3, 8)))


def test_labels_of_other_clips_are_never_their_own():
    ids = np.array([*'aaabbbccdddee'])
    for seed in range(5):
        rows = clips_of_others(ids, np.random.default_rng(seed))
        assert sorted(rows) == list(range(len(ids)))
        assert not (ids[rows] == ids).any()
        # Whole clips of the same length, their frames in order.
        for own in np.unique(ids):
            taken = rows[ids == own]
            assert (np.diff(taken) == 1).all()
            assert len(set(ids[taken])) == 1
    # Alone with its length it stays.
    assert (
        clips_of_others(np.array([*'aab']), np.random.default_rng(0))[2] == 2
    )
