"""How far codes move and how much they say."""

import numpy as np
import pytest

from mmavs.evaluation.listening.bootstrap import draw_scenes
from mmavs.evaluation.probes import (
    code_movement,
    code_spread,
)

CLIPS, T, K = 200, 5, 6


@pytest.fixture
def code():
    """Codes far from zero: their mean is not to matter."""
    rng = np.random.default_rng(0)
    clips = np.repeat(rng.normal(size=(CLIPS, K)), T, axis=0)
    scale = np.arange(1, K + 1)
    return (100 + scale * (clips + 0.1 * rng.normal(size=clips.shape))).astype(
        np.float32
    )


GROUPS = np.repeat(np.arange(CLIPS), T)
WEIGHTS = draw_scenes(CLIPS, 300, 0)


def move(code, moved):
    return code_movement(code, moved, GROUPS, WEIGHTS)


def test_a_code_that_stays_has_not_moved(code):
    estimate = move(code, code)
    assert (estimate.value, estimate.low, estimate.high) == (0, 0, 0)


def test_the_code_of_a_random_clip_is_as_far_as_one(code):
    other = code.reshape(CLIPS, T, K)[
        np.random.default_rng(1).permutation(CLIPS)
    ]
    estimate = move(code, other.reshape(-1, K))
    assert estimate.low < 1 < estimate.high
    assert estimate.value == pytest.approx(1, abs=0.1)


def test_a_known_step(code):
    """All frames move by one along one axis."""
    moved = code.copy()
    moved[:, 2] += 1
    expected = 1 / (2 * code.astype(float).var(0).sum())
    estimate = move(code, moved)
    assert estimate.value == pytest.approx(expected, rel=1e-3)
    assert estimate.low < expected < estimate.high
    scaled = move(3 * code, 3 * moved)
    assert scaled.value == pytest.approx(estimate.value, rel=1e-3)


def test_some_clips_move(code):
    """Only every second clip: the interval is that of the clips."""
    moved = code.copy()
    moved[GROUPS % 2 == 0] += 20
    estimate = move(code, moved)
    whole = move(code, code + 20).value
    assert estimate.value == pytest.approx(whole / 2, rel=1e-3)
    assert estimate.high - estimate.low > 0.1 * whole


def test_a_constant_code_has_no_scale():
    code = np.full((CLIPS * T, K), 0.3, np.float32)
    assert np.isnan(move(code, code + 1).value)


def test_scenes_without_frames_do_no_harm(code):
    """A condition that only some clips have."""
    rows = GROUPS < 2
    moved = code[rows][::-1]
    estimate = code_movement(code[rows], moved, GROUPS[rows], WEIGHTS)
    assert 0 < estimate.low <= estimate.high < np.inf


def test_spread_of_a_gaussian_channel():
    """Mutual information of N(0, s) means with noise of variance v."""
    rng = np.random.default_rng(0)
    means = rng.normal(size=(40_000, 3)) * np.sqrt([4.0, 0.5, 0.0])
    variances = np.full(means.shape, 2.0)
    spread = code_spread(means, variances)
    assert spread.size == 3
    assert spread.mean_variance == pytest.approx(1.5, rel=0.03)
    assert spread.noise_variance == 2
    assert spread.ratio == pytest.approx(0.75, rel=0.03)
    assert spread.information_nats == pytest.approx(
        0.5 * np.log(3) + 0.5 * np.log(1.25), rel=0.02
    )
    assert spread.active == 2
    assert not spread.hardly_varies


def test_a_collapsed_code_is_told():
    rng = np.random.default_rng(0)
    means = 5 + 0.05 * rng.normal(size=(1000, 16))
    spread = code_spread(means, np.ones(means.shape))
    assert spread.hardly_varies and spread.active == 0
    assert spread.information_nats < 0.03
