"""The uniform mixture of Gaussians."""

import math

import pytest
import torch
from torch.distributions import (
    Categorical,
    Independent,
    MixtureSameFamily,
    Normal,
)

from mmavs.structures import DiagonalGaussian, GaussianMixture


def make(num_experts=3, n=5, k=4, seed=0, dtype=torch.float64):
    rng = torch.Generator().manual_seed(seed)
    return GaussianMixture(
        tuple(
            DiagonalGaussian(
                *torch.randn(2, n, k, generator=rng, dtype=dtype) * 1.5
            )
            for _ in range(num_experts)
        )
    )


def reference(mixture):
    """The same distribution in torch.distributions."""
    mean = torch.stack([e.mean for e in mixture.experts], dim=1)
    log_var = torch.stack([e.log_var for e in mixture.experts], dim=1)
    return MixtureSameFamily(
        Categorical(torch.ones(mean.shape[:2], dtype=mean.dtype)),
        Independent(Normal(mean, log_var.exp().sqrt()), 1),
    )


def test_log_prob_and_mean_against_torch_distributions():
    mixture = make()
    z = torch.randn(5, 4, dtype=torch.float64) * 2
    expected = reference(mixture)
    assert mixture.log_prob(z).shape == (5,)
    torch.testing.assert_close(mixture.log_prob(z), expected.log_prob(z))
    torch.testing.assert_close(mixture.mean, expected.mean)


def test_log_prob_by_hand():
    """N(-1, 1) and N(1, 1) in the middle: both have the same density."""
    mixture = GaussianMixture(
        tuple(
            DiagonalGaussian(torch.tensor([[mean]]), torch.zeros(1, 1))
            for mean in (-1.0, 1.0)
        )
    )
    value = mixture.log_prob(torch.zeros(1, 1)).item()
    assert value == pytest.approx(-0.5 * (math.log(2 * math.pi) + 1))


def test_one_expert_is_that_gaussian():
    gaussian = make(num_experts=1).experts[0]
    mixture = GaussianMixture((gaussian,))
    z = torch.randn(5, 4, dtype=torch.float64)
    assert torch.equal(mixture.mean, gaussian.mean)
    torch.testing.assert_close(mixture.log_prob(z), gaussian.log_prob(z))
    torch.manual_seed(3)
    sample = mixture.rsample(torch.zeros(5, dtype=torch.int64))
    torch.manual_seed(3)
    assert torch.equal(sample, gaussian.rsample())


def test_the_mixture_is_of_the_joint_densities():
    """A mixture of each dimension alone would be another distribution."""
    mixture = GaussianMixture(
        tuple(
            DiagonalGaussian(torch.full((1, 2), mean), torch.zeros(1, 2))
            for mean in (-5.0, 5.0)
        )
    )
    both, mixed = (
        mixture.log_prob(torch.tensor([z])).item()
        for z in ([5.0, 5.0], [5.0, -5.0])
    )
    assert both == pytest.approx(-math.log(2 * math.pi) - math.log(2))
    # Next to impossible: 10 standard deviations from either expert.
    assert mixed == pytest.approx(-math.log(2 * math.pi) - 50)


def test_sample_of_a_chosen_expert():
    """The frame's own expert, with the noise of that frame."""
    mixture = make()
    expert = torch.tensor([2, 0, 1, 1, 2])
    torch.manual_seed(3)
    sample = mixture.rsample(expert)
    torch.manual_seed(3)
    noise = torch.randn(5, 4, dtype=torch.float64)
    for row, position in enumerate(expert):
        g = mixture.experts[position]
        expected = g.mean[row] + g.log_var[row].exp().sqrt() * noise[row]
        torch.testing.assert_close(sample[row], expected)


def test_samples_have_the_distribution_of_the_density():
    """Share of the experts, mean and variance, within five standard errors."""
    n = 100_000
    mixture = GaussianMixture(
        (
            DiagonalGaussian(torch.full((n, 1), -10.0), torch.zeros(n, 1)),
            DiagonalGaussian(
                torch.full((n, 1), 10.0), torch.full((n, 1), math.log(4))
            ),
        )
    )
    torch.manual_seed(0)
    samples = mixture.rsample().double()
    right = samples > 0
    assert abs(right.double().mean() - 0.5) < 5 * 0.5 / n**0.5
    for side, mean, std in ((~right, -10, 1), (right, 10, 2)):
        kept = samples[side]
        m = len(kept)
        assert abs(kept.mean() - mean) < 5 * std / m**0.5
        assert abs(kept.var() - std**2) < 5 * std**2 * (2 / m) ** 0.5


def test_rotating_from_a_random_expert_is_an_exact_sample():
    """As a stratified proposal does: each draw alone is of the mixture."""
    n, num_experts = 100_000, 3
    means = (-20.0, 0.0, 20.0)
    mixture = GaussianMixture(
        tuple(
            DiagonalGaussian(torch.full((n, 1), m), torch.zeros(n, 1))
            for m in means
        )
    )
    torch.manual_seed(0)
    first = torch.randint(num_experts, (n,))
    strata = [
        mixture.rsample((first + r) % num_experts) for r in range(num_experts)
    ]
    for samples in strata:
        for mean in means:
            share = ((samples - mean).abs() < 10).double().mean()
            # Five standard errors of a share of 1/3.
            assert abs(share - 1 / 3) < 5 * (2 / 9 / n) ** 0.5
    # Each frame is proposed to by every expert exactly once.
    ordered = torch.cat(strata, dim=1).sort(dim=1).values
    assert ((ordered - torch.tensor(means)).abs() < 10).all()


def test_the_gradient_reaches_the_chosen_expert_only():
    leaves = [torch.zeros(3, 2, requires_grad=True) for _ in range(4)]
    mixture = GaussianMixture(
        (DiagonalGaussian(*leaves[:2]), DiagonalGaussian(*leaves[2:]))
    )
    torch.manual_seed(0)
    sample = mixture.rsample(torch.tensor([0, 1, 1]))
    sample.sum().backward()
    chosen = torch.tensor([[True, False, False], [False, True, True]])
    for i in range(2):
        mean, log_var = leaves[2 * i : 2 * i + 2]
        mask = chosen[i, :, None].expand(3, 2).float()
        torch.testing.assert_close(mean.grad, mask)
        # d sample / d log_var = std * noise / 2, and the mean is 0.
        torch.testing.assert_close(log_var.grad, 0.5 * mask * sample.detach())


@pytest.mark.parametrize('log_vars', [(-20.0, 20.0), (20.0, 20.0)])
def test_gradients_are_finite_at_extreme_variances(log_vars):
    leaves = [
        torch.full((2, 3), value, requires_grad=True)
        for value in (1.0, log_vars[0], -1.0, log_vars[1])
    ]
    with torch.autocast('cpu', torch.bfloat16):
        mixture = GaussianMixture(
            (DiagonalGaussian(*leaves[:2]), DiagonalGaussian(*leaves[2:]))
        )
        values = [
            mixture.log_prob(mixture.rsample(torch.tensor([i, i])))
            for i in range(2)
        ]
        value = torch.stack(values).sum()
    value.backward()
    assert value.isfinite()
    for leaf in leaves:
        assert leaf.grad.isfinite().all()


def test_select_keeps_rows_of_every_expert():
    mixture = make()
    kept = mixture.select(torch.tensor([3, 0]))
    assert len(kept.experts) == 3
    for expert, whole in zip(kept.experts, mixture.experts):
        assert torch.equal(expert.mean, whole.mean[[3, 0]])
        assert torch.equal(expert.log_var, whole.log_var[[3, 0]])


def test_experts_must_exist_and_agree():
    with pytest.raises(ValueError, match='got 0 experts'):
        GaussianMixture(())
    with pytest.raises(ValueError, match=r'\[\(5, 2\), \(5, 4\)\]'):
        GaussianMixture((make(k=4).experts[0], make(k=2).experts[0]))


def test_one_expert_for_each_frame():
    """A single one would silently be taken for all."""
    with pytest.raises(ValueError, match=r'\(5,\).* got \(1,\)'):
        make().rsample(torch.tensor([1]))
