"""Sounds that take the place of a clip's own."""

import numpy as np
import pytest
from scipy import stats

from mmavs.functional.log_mel import vggish_log_mel
from mmavs.functional.sounds import silence, white_noise


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
