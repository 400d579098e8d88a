"""The predictive distribution of several samples."""

import math

import pytest
import torch

from mmavs.functional.predictive import (
    average_logits,
    foreground_logits,
    foreground_std,
)


def make(channels, num_samples=5, scale=3.0, dtype=torch.float64):
    rng = torch.Generator().manual_seed(channels)
    shape = (num_samples, 2, channels, 3, 4)
    return list(torch.randn(shape, generator=rng, dtype=dtype) * scale)


def probabilities(logits):
    """The direct way, as mmseg does after the decode head."""
    return logits.sigmoid() if logits.size(1) == 1 else logits.softmax(1)


@pytest.mark.parametrize('channels', [1, 2, 6])
def test_probabilities_are_averaged(channels):
    samples = make(channels)
    expected = torch.stack([probabilities(x) for x in samples]).mean(0)
    value = average_logits(samples)
    assert value.shape == (2, channels, 3, 4)
    torch.testing.assert_close(probabilities(value), expected)
    # Not the average of the logits.
    other = probabilities(torch.stack(samples).mean(0))
    assert (other - expected).abs().max() > 0.01


def test_average_by_hand():
    """Probabilities 1/4 and 3/4: logit 0; 3/4 and 1/2: log(5/3)."""
    quarter, half = -math.log(3), 0.0
    pairs = [((quarter, -quarter), 0.0), ((-quarter, half), math.log(5 / 3))]
    for logits, expected in pairs:
        samples = [torch.full((1, 1, 1, 1), x) for x in logits]
        value = average_logits(samples).item()
        assert value == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize('channels', [1, 6])
def test_one_sample_comes_back_as_it_is(channels):
    (sample,) = make(channels, num_samples=1)
    assert average_logits([sample]) is sample


@pytest.mark.parametrize('channels', [1, 6])
def test_equal_samples_average_to_themselves(channels):
    """With several classes up to a constant, which a softmax ignores."""
    (sample,) = make(channels, num_samples=1)
    value = average_logits([sample] * 3)
    if channels > 1:
        sample = sample.log_softmax(1)
    torch.testing.assert_close(value, sample)


def test_logits_survive_where_the_probability_rounds_to_one():
    """sigmoid(40) is 1 in float32: log(p / (1 - p)) would be infinite."""
    samples = [torch.full((1, 1, 1, 1), x) for x in (40.0, 42.0)]
    rest = (math.exp(-40) + math.exp(-42)) / 2
    for sign in (1, -1):
        value = average_logits([sign * x for x in samples]).item()
        assert value == pytest.approx(-sign * math.log(rest), rel=1e-6)


@pytest.mark.parametrize('channels', [1, 3])
def test_half_precision_is_averaged_in_float32(channels):
    samples = [x.bfloat16() for x in make(channels, scale=100.0)]
    value = average_logits(samples)
    assert value.dtype == torch.float32 and value.isfinite().all()
    exact = average_logits([x.double() for x in samples])
    torch.testing.assert_close(value.double(), exact, rtol=1e-5, atol=1e-5)
    spread = foreground_std(samples)
    assert spread.dtype == torch.float32 and spread.isfinite().all()
    exact = foreground_std([x.double() for x in samples])
    torch.testing.assert_close(spread.double(), exact, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize('channels', [1, 2, 6])
def test_spread_of_the_foreground(channels):
    """Everything but class 0 counts, and S, not S - 1, is divided by."""
    samples = make(channels)
    stacked = torch.stack([probabilities(x) for x in samples])
    foreground = stacked if channels == 1 else stacked[:, :, 1:].sum(2, True)
    mean = foreground.mean(0)
    expected = (foreground - mean).square().mean(0).sqrt()
    value = foreground_std(samples)
    assert value.shape == (2, 1, 3, 4)
    torch.testing.assert_close(value, expected)
    assert value.min() > 0 and value.max() <= 0.5


def test_spread_by_hand():
    """Probabilities 1/4 and 3/4: a quarter; 0 and 1: the largest, a half."""
    for logit, expected in ((math.log(3), 0.25), (1e4, 0.5)):
        samples = [torch.full((1, 1, 1, 1), x) for x in (-logit, logit)]
        assert foreground_std(samples).item() == pytest.approx(expected)


def test_spread_does_not_see_a_swap_among_the_classes():
    """Two sounding classes that trade places are foreground all the same."""
    logits = torch.tensor([0.0, 2.0, -1.0]).view(1, 3, 1, 1)
    swapped = logits[:, [0, 2, 1]]
    assert foreground_std([logits, swapped]).item() < 1e-7
    assert foreground_std([logits, logits[:, [1, 0, 2]]]).item() > 0.1


@pytest.mark.parametrize('channels', [1, 6])
def test_one_sample_has_no_spread(channels):
    value = foreground_std(make(channels, num_samples=1))
    assert value.shape == (2, 1, 3, 4) and (value == 0).all()


@pytest.mark.parametrize('channels', [2, 6, 71])
def test_foreground_is_what_is_not_background(channels):
    (logits,) = make(channels, num_samples=1)
    value = foreground_logits(logits)
    assert value.shape == (2, 1, 3, 4)
    expected = 1 - logits.softmax(1)[:, :1]
    torch.testing.assert_close(value.sigmoid(), expected)
    # The second class too: a softmax of two is a sigmoid of the difference.
    if channels == 2:
        torch.testing.assert_close(value, logits[:, 1:] - logits[:, :1])


def test_foreground_of_one_channel_is_that_channel():
    (logits,) = make(1, num_samples=1)
    assert foreground_logits(logits) is logits


def test_foreground_logits_survive_where_the_probability_rounds():
    """1 - p(background) is 0 in float32 from a logit of 17 on."""
    for size in (-90.0, 90.0):
        logits = torch.tensor([size, 0.0, math.log(2)]).view(1, 3, 1, 1)
        logits.requires_grad_()
        value = foreground_logits(logits)
        assert value.item() == pytest.approx(math.log(3) - size)
        value.backward()
        grad = logits.grad.flatten().tolist()
        assert grad == pytest.approx([-1, 1 / 3, 2 / 3])
