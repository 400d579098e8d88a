"""Means over time in a bounded number of bins."""

import numpy as np
import pytest

from mmavs.visualization.time_bins import TimeBins


def fill(bins, start_s, end_s, *values):
    bins.add(bins.stretch(start_s, end_s), np.array(values, dtype=float))


def test_stretches_by_hand():
    bins = TimeBins(2, width_s=0.5, capacity=8)
    fill(bins, 0.0, 1.0, 1, np.nan)
    fill(bins, 1.0, 2.0, 3, 7)
    fill(bins, 1.5, 2.0, 5, np.nan)
    expected = [[1, np.nan], [1, np.nan], [3, 7], [4, 7]]
    np.testing.assert_array_equal(bins.means(), expected)
    assert bins.width_s == 0.5 and bins.end_s == 2.0


def test_nothing_between_two_stretches():
    bins = TimeBins(1, width_s=1.0, capacity=8)
    fill(bins, 0, 1, 2)
    fill(bins, 3, 4, 2)
    np.testing.assert_array_equal(bins.means()[:, 0], [2, np.nan, np.nan, 2])


def test_a_row_of_values_for_each_bin():
    bins = TimeBins(1, width_s=0.25, capacity=8)
    stretch = bins.stretch(0.5, 1.25)
    bins.add(stretch, np.array([[1.0], [2.0], [3.0]]))
    np.testing.assert_array_equal(bins.means()[2:, 0], [1, 2, 3])


def test_values_at_times():
    bins = TimeBins(1, width_s=0.5, capacity=8)
    # The bins of the times; two values are in the same one.
    where = bins.at(np.array([0.5, 0.9, 1.7]))
    np.testing.assert_array_equal(where, [1, 1, 3])
    bins.add(where, np.array([[1.0], [5.0], [7.0]]))
    np.testing.assert_array_equal(bins.means()[:, 0], [np.nan, 3, np.nan, 7])
    # A time that there is no room for doubles the width; its end belongs in.
    np.testing.assert_array_equal(bins.at(np.array([0.5, 8.0])), [0, 7])
    assert bins.width_s == 1.0 and bins.end_s == 8.0


@pytest.mark.parametrize('start_s', [0.0, 0.13, 0.7, 3599.99])
def test_steps_of_a_width_meet_every_bin_once(start_s):
    """Decimals of a second are no binary fractions."""
    bins = TimeBins(1, capacity=2**20)
    steps = np.diff(bins.at(start_s + 0.01 * np.arange(96)))
    assert (steps == 1).all()


@pytest.mark.parametrize('rate', [24, 25, 30, 50, 59.94])
def test_neighbours_leave_no_hole(rate):
    """Sums of binary fractions do not meet to the bit."""
    bins = TimeBins(1)
    for i in range(300):
        fill(bins, i / rate, i / rate + 1 / rate, i)
    assert np.isfinite(bins.means()).all()


def test_a_stretch_shorter_than_a_bin_counts():
    bins = TimeBins(1, width_s=1.0, capacity=4)
    fill(bins, 2.6, 2.7, 8)
    np.testing.assert_array_equal(bins.means()[:, 0], [np.nan, np.nan, 8])


def test_an_end_within_a_bin_leaves_no_hole():
    """Whether its middle belongs to the last stretch or not."""
    for end_s, expected in ((2.4, [1, 1]), (2.6, [1, 1, 1])):
        bins = TimeBins(1, width_s=1.0, capacity=4)
        fill(bins, 0.0, end_s, 1)
        np.testing.assert_array_equal(bins.means()[:, 0], expected)


def test_nothing_was_added():
    assert TimeBins(3).means().shape == (0, 3)


def test_bins_double_and_keep_their_means():
    """Against the means of every value, counted in one go."""
    bins = TimeBins(1, width_s=1.0, capacity=8)
    values = np.random.default_rng(0).normal(size=40)
    for second, value in enumerate(values):
        fill(bins, second, second + 1, value)
    assert bins.width_s == 8.0 and bins.end_s == 40
    np.testing.assert_allclose(
        bins.means()[:, 0], values.reshape(5, 8).mean(1)
    )


def test_room_does_not_grow():
    bins = TimeBins(3, capacity=64)
    before = bins._sums.nbytes
    for second in range(5000):
        fill(bins, second, second + 1, 1, 2, 3)
    assert bins._sums.nbytes == before
    assert len(bins.means()) <= 64
    np.testing.assert_allclose(bins.means(), [[1, 2, 3]] * len(bins.means()))
