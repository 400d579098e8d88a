"""The diagonal Gaussian."""

import math

import pytest
import torch
from torch.distributions import Normal

from mmavs.structures import DiagonalGaussian


def test_std_is_that_of_the_log_variance():
    """log_var is the logarithm of the variance: ln 4 means std 2."""
    gaussian = DiagonalGaussian(
        torch.zeros(1, 2), torch.tensor([[4.0, 1.0]]).log()
    )
    torch.testing.assert_close(gaussian.std, torch.tensor([[2.0, 1.0]]))


def test_sample_is_mean_plus_std_times_noise():
    """The same noise gives the sample of torch.distributions."""
    torch.manual_seed(0)
    mean, log_var = torch.randn(4, 3), torch.randn(4, 3)
    gaussian = DiagonalGaussian(mean, log_var)
    torch.manual_seed(5)
    sample = gaussian.rsample()
    torch.manual_seed(5)
    noise = torch.randn(4, 3)
    torch.testing.assert_close(sample, mean + log_var.exp().sqrt() * noise)


def test_moments_of_samples():
    """What is sampled is the distribution that the divergences measure."""
    torch.manual_seed(0)
    n = 200_000
    mean, log_var = torch.tensor([1.0, -2.0]), torch.tensor([-1.0, 2.0])
    samples = DiagonalGaussian(
        mean.expand(n, 2), log_var.expand(n, 2)
    ).rsample()
    std = Normal(mean, log_var.exp().sqrt()).stddev
    # Five standard errors of a mean and of a variance of n samples.
    assert ((samples.mean(0) - mean).abs() < 5 * std / n**0.5).all()
    error = (samples.var(0) - std**2).abs()
    assert (error < 5 * std**2 * (2 / n) ** 0.5).all()


def test_sample_is_reparametrised():
    """d sample / d mean = 1, d sample / d log_var = std * noise / 2."""
    torch.manual_seed(0)
    mean = torch.randn(4, 3, requires_grad=True)
    log_var = torch.randn(4, 3, requires_grad=True)
    sample = DiagonalGaussian(mean, log_var).rsample()
    sample.sum().backward()
    torch.testing.assert_close(mean.grad, torch.ones(4, 3))
    torch.testing.assert_close(log_var.grad, 0.5 * (sample - mean).detach())


def test_select_keeps_rows():
    mean, log_var = torch.randn(5, 2), torch.randn(5, 2)
    index = torch.tensor([3, 0])
    kept = DiagonalGaussian(mean, log_var).select(index)
    assert torch.equal(kept.mean, mean[[3, 0]])
    assert torch.equal(kept.log_var, log_var[[3, 0]])


def test_shapes_must_agree():
    with pytest.raises(ValueError, match=r'\(2, 3\) and \(2, 4\)'):
        DiagonalGaussian(torch.zeros(2, 3), torch.zeros(2, 4))


def test_log_prob_against_torch_distributions():
    torch.manual_seed(0)
    mean, log_var, z = torch.randn(3, 5, 4, dtype=torch.float64) * 2
    value = DiagonalGaussian(mean, log_var).log_prob(z)
    assert value.shape == (5,)
    expected = Normal(mean, log_var.exp().sqrt()).log_prob(z).sum(1)
    torch.testing.assert_close(value, expected)


def test_log_prob_by_hand():
    """N(0, 1) at 0 and N(1, 4) at 3: one standard deviation off."""
    gaussian = DiagonalGaussian(
        torch.tensor([[0.0, 1.0]]), torch.tensor([[1.0, 4.0]]).log()
    )
    expected = -0.5 * (2 * math.log(2 * math.pi) + math.log(4) + 1)
    value = gaussian.log_prob(torch.tensor([[0.0, 3.0]]))
    assert value.item() == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize('log_var', [-20.0, 20.0])
@pytest.mark.parametrize('autocast', [False, True])
def test_log_prob_is_finite_at_extreme_variances(log_var, autocast):
    """Far from the mean as well, with its gradients."""
    mean = torch.zeros(2, 3, requires_grad=True)
    log_var = torch.full((2, 3), log_var, requires_grad=True)
    with torch.autocast('cpu', torch.bfloat16, enabled=autocast):
        value = DiagonalGaussian(mean, log_var).log_prob(mean + 1e5)
    value.sum().backward()
    assert value.dtype == torch.float32 and value.isfinite().all()
    assert mean.grad.isfinite().all() and log_var.grad.isfinite().all()
