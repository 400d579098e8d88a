"""Orthogonality and the bound of the mutual information."""

import math

import numpy as np
import pytest
import torch
from torch.distributions import Normal

from mmavs.functional.latent_terms import (
    gaussian_log_likelihood,
    orthogonality,
)


def make(seed, n=7, k=4):
    rng = torch.Generator().manual_seed(seed)
    return torch.randn(n, k, generator=rng, dtype=torch.float64)


def direct_orthogonality(a, b):
    """Entry by entry, in NumPy."""
    matrices = []
    for x in (a.numpy(), b.numpy()):
        x = x - x.mean(0)
        rows = [row / (math.sqrt((row**2).sum()) + 1e-6) for row in x]
        matrices.append(np.array(rows))
    a, b = matrices
    k = a.shape[1]
    entries = [
        sum(a[n, i] * b[n, j] for n in range(len(a))) ** 2
        for i in range(k)
        for j in range(k)
    ]
    return sum(entries) / k**2


def test_orthogonality_against_the_direct_form():
    a, b = make(0), make(1)
    value = orthogonality(a, b)
    assert value.shape == ()
    assert value.item() == pytest.approx(direct_orthogonality(a, b), 1e-12)


def test_orthogonality_by_hand():
    """One of four entries of A^T B is 2: the mean of the squares is 1."""
    a = torch.tensor([[1.0, 0.0], [-1.0, 0.0]], dtype=torch.float64)
    b = torch.tensor([[0.0, 3.0], [0.0, -3.0]], dtype=torch.float64)
    assert orthogonality(a, b).item() == pytest.approx(1.0, abs=1e-5)


def test_uncorrelated_codes_are_orthogonal():
    a = torch.tensor([[1.0], [-1.0], [1.0], [-1.0]])
    b = torch.tensor([[1.0], [1.0], [-1.0], [-1.0]])
    assert orthogonality(a, b).item() == pytest.approx(0.0, abs=1e-12)
    assert orthogonality(a, a).item() == pytest.approx(16.0, rel=1e-5)


def test_orthogonality_invariants():
    """Symmetric; blind to an offset, a scale and the order of the frames."""
    a, b = make(2), make(3)
    value = orthogonality(a, b)
    assert value >= 0
    order = torch.randperm(7, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(orthogonality(b, a), value)
    torch.testing.assert_close(orthogonality(a + 5, b - 2), value)
    torch.testing.assert_close(orthogonality(a[order], b[order]), value)
    torch.testing.assert_close(
        orthogonality(100 * a, b), value, rtol=1e-4, atol=0
    )


def test_norm_is_a_constant_to_the_gradient():
    a = make(4).requires_grad_()
    b = make(5)
    (gradient,) = torch.autograd.grad(orthogonality(a, b), a)

    leaf = a.detach().clone().requires_grad_()
    norms = []
    for x in (a.detach(), b):
        centred = x - x.mean(0)
        norms.append(centred.norm(dim=1, keepdim=True) + 1e-6)
    rows = (leaf - leaf.mean(0)) / norms[0]
    value = (rows.T @ ((b - b.mean(0)) / norms[1])).square().mean()
    (expected,) = torch.autograd.grad(value, leaf)
    torch.testing.assert_close(gradient, expected)


def test_one_frame_gives_zero_and_a_finite_gradient():
    """A batch with one labelled frame, and equal frames."""
    for rows in (make(6, n=1), make(6, n=1).expand(4, 4)):
        a = rows.clone().requires_grad_()
        value = orthogonality(a, make(7, n=len(rows)))
        value.backward()
        assert value.item() == 0
        assert a.grad.isfinite().all()


def test_log_likelihood_against_torch_distributions():
    target, mean, log_var = make(0), make(1), make(2)
    exact = Normal(mean, log_var.exp().sqrt()).log_prob(target).sum(1)
    value = gaussian_log_likelihood(target, mean, log_var)
    constant = 4 * 0.5 * math.log(2 * math.pi)
    torch.testing.assert_close(value - constant, exact)


def test_published_form_lacks_the_normaliser():
    target, mean, log_var = make(0), make(1), make(2)
    published = gaussian_log_likelihood(
        target, mean, log_var, normalised=False
    )
    full = gaussian_log_likelihood(target, mean, log_var)
    torch.testing.assert_close(published - full, 0.5 * log_var.sum(1))
    # -0.5 * 3^2 / 4 per dimension, two dimensions.
    value = gaussian_log_likelihood(
        torch.full((1, 2), 3.0),
        torch.zeros(1, 2),
        torch.full((1, 2), math.log(4)),
        normalised=False,
    )
    assert value.item() == pytest.approx(-2.25)


def test_only_the_published_form_grows_by_widening():
    """Far beyond the error, a wider Gaussian is less likely."""
    zeros = torch.zeros(1, 3)
    wide, wider = torch.full((1, 3), 5.0), torch.full((1, 3), 6.0)
    target = torch.ones(1, 3)
    for normalised in (True, False):
        a, b = (
            gaussian_log_likelihood(target, zeros, v, normalised).item()
            for v in (wide, wider)
        )
        assert (b < a) is normalised
