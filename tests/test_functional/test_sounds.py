"""Sounds that take the place of a clip's own, or are mixed into it."""

import math

import numpy as np
import pytest
from scipy import stats

from mmavs.functional.log_mel import vggish_log_mel
from mmavs.functional.sounds import (
    coloured_noise,
    draw_derangement,
    mix_at_snr,
    reorder_blocks,
    root_mean_square,
    rotate_sound,
    silence,
    white_noise,
)


def test_silence():
    value = silence(15_600)
    assert value.shape == (15_600,) and value.dtype == np.float32
    assert not value.any()
    np.testing.assert_allclose(vggish_log_mel(value), np.log(0.01), atol=1e-6)


def test_noise_is_white_and_gaussian():
    value = white_noise(200_000)
    assert value.shape == (200_000,) and value.dtype == np.float32
    assert abs(value.mean()) < 1e-3
    assert value.std() == pytest.approx(0.1, rel=0.01)
    # Of a normal distribution 2e5 samples are within 6 sigma.
    assert np.abs(value).max() < 0.6
    assert stats.kstest(value / 0.1, 'norm').pvalue > 0.01
    # No sample tells of another, not even one a block further.
    for lag in (1, 2, 16_384):
        share = np.mean(value[lag:] * value[:-lag]) / 0.01
        assert abs(share) < 0.01


@pytest.mark.parametrize(
    'start', [0, 1, 16_383, 16_384, 16_385, 40_000, 99_999]
)
@pytest.mark.parametrize('num_samples', [0, 1, 15_600, 16_384, 50_000])
def test_any_stretch_of_the_noise(start, num_samples):
    whole = white_noise(150_000, seed=3)
    value = white_noise(num_samples, start, seed=3)
    np.testing.assert_array_equal(value, whole[start : start + num_samples])


def test_far_into_the_noise():
    """A day at 48 kHz: the place is reached without what comes before."""
    start = 24 * 3600 * 48_000
    value = white_noise(20_000, start)
    np.testing.assert_array_equal(
        value[10_000:], white_noise(10_000, start + 10_000)
    )
    assert not np.array_equal(value, white_noise(20_000))


def test_seed_and_level():
    value = white_noise(1000)
    np.testing.assert_array_equal(value, white_noise(1000))
    assert not np.array_equal(value, white_noise(1000, seed=1))
    np.testing.assert_allclose(
        white_noise(1000, rms=0.2), 2 * value, rtol=1e-6
    )


@pytest.mark.parametrize('arguments', [(-1,), (5, -2)])
def test_negative_places(arguments):
    with pytest.raises(ValueError, match=f'at least 0.*{arguments[-1]}'):
        white_noise(*arguments)


def ratio_db(signal, other):
    return 20 * np.log10(root_mean_square(signal) / root_mean_square(other))


def test_level_by_hand():
    assert root_mean_square(np.float32([3, -4])) == pytest.approx(12.5**0.5)
    # In float32 the squares of these would be infinite.
    assert root_mean_square(np.float32([1e25, -1e25])) == pytest.approx(1e25)


def test_mixture_by_hand():
    """0 dB: as loud as the signal; 20 dB: a tenth of it; -20 dB: ten times."""
    signal, other = np.float32([2, -2, 2, -2]), np.float32([1, 1, 1, 1])
    for snr_db, amplitude in ((0, 2), (20, 0.2), (-20, 20)):
        mixture = mix_at_snr(signal, other, snr_db)
        np.testing.assert_allclose(mixture, signal + amplitude, rtol=1e-6)
        assert mixture.dtype == np.float32


@pytest.mark.parametrize('snr_db', [-100, -7.5, 0, 10, 40])
@pytest.mark.parametrize('level', [0.02, 1, 300])
def test_ratio_whatever_the_levels(snr_db, level):
    signal = level * white_noise(80_000, seed=1)
    other = coloured_noise(80_000, 16_000, 'pink', np.random.default_rng(0))
    added = mix_at_snr(signal, other, snr_db).astype(np.float64) - signal
    assert ratio_db(signal, added) == pytest.approx(snr_db, abs=0.01)


def test_a_silent_sound_has_no_ratio():
    sound, nothing = white_noise(16_000), silence(16_000)
    assert np.array_equal(mix_at_snr(sound, nothing, -60), sound)
    # As if the signal were at -60 dBFS, an amplitude of 1/1000.
    for snr_db, dbfs in ((0, -60), (10, -70), (-20, -40)):
        level = root_mean_square(mix_at_snr(nothing, sound, snr_db))
        assert 20 * math.log10(level) == pytest.approx(dbfs, abs=0.01)
    assert not mix_at_snr(nothing, nothing, 0).any()


def test_mixture_with_a_sound_of_another_length():
    signal = np.ones(5, np.float32)
    added = mix_at_snr(signal, np.float32([1, -1]), 0) - signal
    np.testing.assert_allclose(added, [1, -1, 1, -1, 1])
    added = mix_at_snr(signal, np.float32([1, 1, 1, 1, 1, 9, 9]), 0) - signal
    np.testing.assert_allclose(added, np.ones(5))


def test_rotation():
    sound = np.arange(5)
    assert rotate_sound(sound, 2).tolist() == [3, 4, 0, 1, 2]
    assert rotate_sound(sound, -1).tolist() == [1, 2, 3, 4, 0]
    for shift in (5, -5, 12):
        with pytest.raises(ValueError, match=f'5 samples.*{shift}'):
            rotate_sound(sound, shift)


def test_derangements_are_drawn_alike():
    """Three items have two derangements, four have nine."""
    generator = np.random.default_rng(0)
    for num_items, expected in ((2, 1), (3, 2), (4, 9)):
        drawn = [
            tuple(draw_derangement(num_items, generator)) for _ in range(1800)
        ]
        counts = [drawn.count(order) for order in set(drawn)]
        assert len(counts) == expected
        for order in set(drawn):
            assert sorted(order) == list(range(num_items))
            assert all(i != item for i, item in enumerate(order))
        assert expected == 1 or stats.chisquare(counts).pvalue > 0.001
    for num_items in (0, 1):
        with pytest.raises(ValueError, match=f'at least 2.*got {num_items}'):
            draw_derangement(num_items, generator)


def test_blocks_in_another_order():
    sound = np.arange(8)
    value = reorder_blocks(sound, np.array([2, 0, 1]), 2)
    assert value.tolist() == [4, 5, 0, 1, 2, 3, 6, 7]
    assert sound.tolist() == list(range(8))
