"""Divergences of Gaussians against torch.distributions and integrals."""

import math

import numpy as np
import pytest
import torch
from torch.distributions import Normal, kl_divergence

from mmavs.functional.divergences import (
    gaussian_kl,
    geometric_jsd,
    geometric_mean,
)
from mmavs.structures import DiagonalGaussian

# 2 * 10^5 points of one dimension are enough for twelve digits here.
GRID = np.linspace(-60, 60, 240_001)


def make(seed, n=6, k=5):
    """A random batch of Gaussians in float64."""
    rng = torch.Generator().manual_seed(seed)
    mean, log_var = (
        torch.randn(n, k, generator=rng, dtype=torch.float64) * scale
        for scale in (2.0, 1.5)
    )
    return DiagonalGaussian(mean, log_var)


def scalar(mean, var):
    """One Gaussian of one dimension in float64."""
    return DiagonalGaussian(
        torch.tensor([[mean]], dtype=torch.float64),
        torch.tensor([[var]], dtype=torch.float64).log(),
    )


def reference(gaussian):
    return Normal(gaussian.mean, gaussian.log_var.exp().sqrt())


def reference_kl(q, p):
    return kl_divergence(reference(q), reference(p)).sum(1)


def log_density(mean, var, x):
    return -0.5 * ((x - mean) ** 2 / var + np.log(2 * np.pi * var))


# --- KL --------------------------------------------------------------------


def test_kl_against_torch_distributions():
    q, p = make(0), make(1)
    value = gaussian_kl(q, p)
    assert value.shape == (6,)
    torch.testing.assert_close(value, reference_kl(q, p))


@pytest.mark.parametrize(
    ('q', 'p', 'expected'),
    [
        # (-ln 4 - 1 + 4 + 1) / 2
        ((1.0, 4.0), (0.0, 1.0), 2 - math.log(2)),
        # (ln 4 - 1 + 1/4 + 1/4) / 2
        ((0.0, 1.0), (1.0, 4.0), math.log(2) - 0.25),
        # Equal variances: squared distance over twice the variance.
        ((3.0, 2.0), (-1.0, 2.0), 4.0),
    ],
)
def test_kl_by_hand(q, p, expected):
    value = gaussian_kl(scalar(*q), scalar(*p))
    assert value.item() == pytest.approx(expected, abs=1e-12)


def test_kl_is_zero_at_equality_and_positive_elsewhere():
    q, p = make(2), make(3)
    assert gaussian_kl(q, q).abs().max() < 1e-12
    assert (gaussian_kl(q, p) > 0).all()
    # Not symmetric: the order of the arguments matters.
    assert (gaussian_kl(q, p) - gaussian_kl(p, q)).abs().min() > 1e-3


def test_kl_does_not_change_under_an_affine_map():
    q, p = make(4), make(5)
    moved = (
        DiagonalGaussian(3 * g.mean + 7, g.log_var + 2 * math.log(3))
        for g in (q, p)
    )
    torch.testing.assert_close(gaussian_kl(*moved), gaussian_kl(q, p))


@pytest.mark.parametrize('divergence', [gaussian_kl, geometric_jsd])
@pytest.mark.parametrize('log_vars', [(20, 20), (20, -20), (-20, 20)])
def test_gradients_are_finite_at_extreme_variances(divergence, log_vars):
    """In float32, the precision of training."""
    leaves = [
        torch.full((2, 3), float(value), requires_grad=True)
        for value in (1.0, log_vars[0], -1.0, log_vars[1])
    ]
    value = divergence(
        DiagonalGaussian(*leaves[:2]), DiagonalGaussian(*leaves[2:])
    )
    assert value.isfinite().all() and (value >= 0).all()
    value.sum().backward()
    for leaf in leaves:
        assert leaf.grad.isfinite().all()


# --- geometric mean --------------------------------------------------------


def test_geometric_mean_against_the_formula():
    gaussians, weights = [make(0), make(1), make(2)], (0.2, 0.5, 0.3)
    precisions = [(-g.log_var).exp() for g in gaussians]
    precision = sum(w * p for w, p in zip(weights, precisions))
    mean = sum(
        w * p * g.mean for w, p, g in zip(weights, precisions, gaussians)
    )
    result = geometric_mean(gaussians, weights)
    torch.testing.assert_close(result.log_var, -precision.log())
    torch.testing.assert_close(result.mean, mean / precision)


def geometric_density(a, b, weight):
    """Product density on the grid, normalised numerically, as a log."""
    log_f = weight * log_density(*a, GRID) + (1 - weight) * log_density(
        *b, GRID
    )
    return log_f - np.log(np.trapezoid(np.exp(log_f), GRID))


def test_geometric_mean_against_numerical_normalisation():
    a, b, weight = (-1.0, 0.25), (2.0, 2.25), 0.3
    density = np.exp(geometric_density(a, b, weight))
    mean = np.trapezoid(density * GRID, GRID)
    variance = np.trapezoid(density * (GRID - mean) ** 2, GRID)
    result = geometric_mean([scalar(*a), scalar(*b)], (weight, 1 - weight))
    assert result.mean.item() == pytest.approx(mean, abs=1e-9)
    assert result.log_var.exp().item() == pytest.approx(variance, abs=1e-9)


def test_geometric_mean_by_hand():
    """Precisions 1 and 3, equal weights: precision 2, mean 3/4 of the way."""
    result = geometric_mean([scalar(0.0, 1.0), scalar(4.0, 1 / 3)], (0.5, 0.5))
    assert result.mean.item() == pytest.approx(3.0, abs=1e-12)
    assert result.log_var.exp().item() == pytest.approx(0.5, abs=1e-12)


def test_geometric_mean_of_equals_is_the_same():
    g = make(7)
    result = geometric_mean([g, g, g], (0.2, 0.3, 0.5))
    torch.testing.assert_close(result.mean, g.mean)
    torch.testing.assert_close(result.log_var, g.log_var)


@pytest.mark.parametrize(
    'weights', [(0.5,), (0.5, 0.6), (1.2, -0.2), (0.3, 0.3, 0.4), (1.0, 0.0)]
)
def test_wrong_weights_are_refused(weights):
    with pytest.raises(ValueError, match='weights'):
        geometric_mean([make(0), make(1)], weights)


# --- geometric Jensen-Shannon divergence -----------------------------------


@pytest.mark.parametrize('weights', [(0.5, 0.5), (0.8, 0.2)])
def test_jsd_against_its_definition(weights):
    q, p = make(0), make(1)
    precision_q, precision_p = (-q.log_var).exp(), (-p.log_var).exp()
    precision = weights[0] * precision_q + weights[1] * precision_p
    mean = (
        weights[0] * precision_q * q.mean + weights[1] * precision_p * p.mean
    ) / precision
    f = Normal(mean, precision.rsqrt())
    expected = (
        weights[0] * kl_divergence(reference(q), f)
        + weights[1] * kl_divergence(reference(p), f)
    ).sum(1)
    torch.testing.assert_close(geometric_jsd(q, p, weights), expected)


def test_jsd_against_integration():
    """No formula of a Gaussian but its density."""
    a, b = (-1.0, 0.25), (2.0, 2.25)
    log_f = geometric_density(a, b, 0.5)
    expected = 0.0
    for g in (a, b):
        log_g = log_density(*g, GRID)
        integrand = np.exp(log_g) * (log_g - log_f)
        expected += 0.5 * np.trapezoid(integrand, GRID)
    value = geometric_jsd(scalar(*a), scalar(*b)).item()
    assert value == pytest.approx(expected, abs=1e-9)


def test_jsd_by_hand():
    """Equal variances v, distance d: f lies half-way, KL = (d/2)^2 / 2v."""
    value = geometric_jsd(scalar(0.0, 2.0), scalar(4.0, 2.0))
    assert value.item() == pytest.approx(1.0, abs=1e-12)


def test_jsd_invariants():
    q, p = make(2), make(3)
    value = geometric_jsd(q, p)
    assert value.shape == (6,) and (value > 0).all()
    torch.testing.assert_close(value, geometric_jsd(p, q))
    torch.testing.assert_close(
        geometric_jsd(q, p, (0.3, 0.7)), geometric_jsd(p, q, (0.7, 0.3))
    )
    assert geometric_jsd(q, q).abs().max() < 1e-12


def test_monte_carlo_estimate_of_kl_to_the_geometric_mean():
    """E_q[log q - log f], 2 * 10^5 samples: within five standard errors."""
    a, b = (-1.0, 0.25), (2.0, 2.25)
    q, p = scalar(*a), scalar(*b)
    torch.manual_seed(0)
    n = 200_000
    many = DiagonalGaussian(q.mean.expand(n, 1), q.log_var.expand(n, 1))
    samples = many.rsample().squeeze(1).numpy()
    # log f from the normalised product on the grid, not from its formula.
    log_f = np.interp(samples, GRID, geometric_density(a, b, 0.5))
    terms = log_density(*a, samples) - log_f
    value = gaussian_kl(q, geometric_mean([q, p], (0.5, 0.5))).item()
    assert abs(terms.mean() - value) < 5 * terms.std() / n**0.5
    # The tolerance is small beside the value, so the test can fail.
    assert 5 * terms.std() / n**0.5 < 0.05 * value
