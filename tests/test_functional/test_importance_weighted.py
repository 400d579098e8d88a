"""The importance-weighted bound on models whose log p(y) is known."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from scipy.special import logsumexp
from torch.distributions import Bernoulli, MultivariateNormal, Normal

from mmavs.functional.importance_weighted import (
    bernoulli_log_likelihood,
    importance_weighted_bound,
    sum_over_clips,
)
from mmavs.structures import DiagonalGaussian, GaussianMixture

# --- the toy: a Bernoulli image of four pixels with one latent -------------
# z ~ N(0, 1), p(y_i = 1 | z) = sigmoid(SLOPE_i z + OFFSET_i).

SLOPE = torch.tensor([[2.0, -3.0], [1.5, 4.0]], dtype=torch.float64)
OFFSET = torch.tensor([[0.5, 0.0], [-1.0, 0.3]], dtype=torch.float64)
MASK = torch.tensor([[1, 0], [1, 1]])
REPLICATES = 20_000
DRAWS = (1, 2, 4, 8, 16)


def pixel_logits(z):
    """(n, 1) to (n, 1, 2, 2)."""
    return (SLOPE * z.view(-1, 1, 1) + OFFSET).unsqueeze(1)


def log_evidence():
    """log p(y) by integration over z, with torch.distributions."""
    z = torch.linspace(-12, 12, 20_001, dtype=torch.float64)
    likelihood = Bernoulli(logits=pixel_logits(z[:, None])[:, 0])
    joint = Normal(0.0, 1.0).log_prob(z) + likelihood.log_prob(
        MASK.double()
    ).sum((1, 2))
    return torch.trapezoid(joint.exp(), z).log().item()


def gaussian(mean, var, n):
    return DiagonalGaussian(
        torch.full((n, 1), mean, dtype=torch.float64),
        torch.full((n, 1), math.log(var), dtype=torch.float64),
    )


def log_weight(proposal, z):
    """log p(y | z) + log p(z) - log q(z) of (n, 1), as (n,)."""
    n = len(z)
    prior = gaussian(0.0, 1.0, n)
    likelihood = bernoulli_log_likelihood(
        pixel_logits(z), MASK.expand(n, 2, 2), temperature=1.0
    )
    return likelihood + prior.log_prob(z) - proposal.log_prob(z)


def one_gaussian(num_draws, seed=0):
    """(1, L, B) log-weights of a proposal that is somewhat off."""
    torch.manual_seed(seed)
    proposal = gaussian(0.2, 0.6, REPLICATES)
    draws = [proposal.rsample() for _ in range(num_draws)]
    return torch.stack([log_weight(proposal, z) for z in draws])[None]


def stratified_mixture(num_draws, seed=0):
    """(2, L, B) log-weights: both experts of a mixture propose in turn.

    Which one is first is drawn for each replicate and draw, so that the
    draws of one stratum are independent samples of the mixture.
    """
    torch.manual_seed(seed)
    proposal = GaussianMixture(
        (gaussian(-0.5, 0.5, REPLICATES), gaussian(1.2, 0.4, REPLICATES))
    )
    first = torch.randint(2, (num_draws, REPLICATES))
    return torch.stack(
        [
            torch.stack(
                [
                    log_weight(proposal, proposal.rsample((row + r) % 2))
                    for row in first
                ]
            )
            for r in range(2)
        ]
    )


proposals = pytest.mark.parametrize('draw', [one_gaussian, stratified_mixture])


# --- what the bound must do ------------------------------------------------


@proposals
def test_the_bound_grows_with_the_draws(draw):
    """L = 1, 2, 4, 8, 16, paired: each L uses the first draws of the next.

    One-sided z-test of each mean difference over 20,000 replicates at five
    standard errors: a bound that did not grow would pass with a probability
    below 3e-7. The differences are 24 standard errors or more here.
    """
    log_weights = draw(max(DRAWS))
    values = [importance_weighted_bound(log_weights[:, :n]) for n in DRAWS]
    for less, more in zip(values, values[1:]):
        difference = more - less
        assert difference.mean() > 5 * difference.std() / REPLICATES**0.5


@proposals
@pytest.mark.parametrize('num_draws', DRAWS)
def test_the_bound_stays_below_the_evidence(draw, num_draws):
    """In expectation: the mean plus five standard errors is still below."""
    value = importance_weighted_bound(draw(num_draws))
    assert value.shape == (REPLICATES,)
    error = value.std() / REPLICATES**0.5
    assert value.mean() + 5 * error < log_evidence()


@proposals
def test_the_bound_approaches_the_evidence(draw):
    """To the first order the gap is var(w) / (2 L p(y)^2).

    The variance is measured on the same draws. Tolerance: five standard
    errors of the mean and the second order, a share of about 1 / L.
    """
    num_draws, evidence = 64, log_evidence()
    log_weights = draw(num_draws)
    value = importance_weighted_bound(log_weights)
    error = value.std().item() / REPLICATES**0.5
    gap = evidence - value.mean().item()
    expected = (log_weights - evidence).exp().var().item() / (2 * num_draws)
    assert abs(gap - expected) < 5 * error + expected / num_draws
    # Below the evidence still, and far closer than one draw gets.
    first = evidence - log_weights[:, 0].mean().item()
    assert 5 * error < gap < first / 50


@proposals
def test_weights_are_unbiased(draw):
    """E[w] = p(y) in every stratum, within five standard errors."""
    for stratum in draw(1):
        weights = stratum[0].exp()
        error = weights.std() / REPLICATES**0.5
        expected = math.exp(log_evidence())
        assert abs(weights.mean() - expected) < 5 * error
        assert 5 * error < 0.1 * expected


def test_one_expert_a_stratum_is_looser():
    """Keeping to one expert is a bound that does not close.

    Each stratum then converges to the log of its own mean weight, and the
    average of these logarithms is below the logarithm of their average.
    """
    torch.manual_seed(0)
    proposal = GaussianMixture(
        (gaussian(-0.5, 0.5, REPLICATES), gaussian(1.2, 0.4, REPLICATES))
    )
    fixed = torch.stack(
        [
            torch.stack(
                [
                    log_weight(
                        proposal,
                        proposal.rsample(torch.full((REPLICATES,), r)),
                    )
                    for _ in range(64)
                ]
            )
            for r in range(2)
        ]
    )
    mean_weights = torch.logsumexp(fixed.flatten(1), 1) - math.log(
        fixed[0].numel()
    )
    value = importance_weighted_bound(fixed).mean()
    rotated = importance_weighted_bound(stratified_mixture(64)).mean()
    assert value < mean_weights.mean() < rotated < log_evidence()


@proposals
def test_one_draw_is_the_elbo_on_the_same_samples(draw):
    """The average over the strata of the log-weights, to the last digit."""
    log_weights = draw(1)
    torch.testing.assert_close(
        importance_weighted_bound(log_weights),
        log_weights.mean((0, 1)),
        rtol=1e-14,
        atol=1e-14,
    )


def test_the_elbo_against_torch_distributions():
    """One sample of a Gaussian, every density from elsewhere."""
    mean, std = torch.tensor([0.2, 0.6**0.5], dtype=torch.float64)
    torch.manual_seed(1)
    proposal = gaussian(mean.item(), std.item() ** 2, 100)
    z = proposal.rsample()
    expected = (
        Bernoulli(logits=pixel_logits(z)[:, 0])
        .log_prob(MASK.double())
        .sum((1, 2))
        + Normal(0.0, 1.0).log_prob(z)[:, 0]
        - Normal(mean, std).log_prob(z)[:, 0]
    )
    value = importance_weighted_bound(log_weight(proposal, z)[None, None])
    torch.testing.assert_close(value, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize('num_draws', [1, 5])
def test_exact_posterior_gives_the_evidence(num_draws):
    """Linear Gaussian y = z W + noise: every weight is p(y) itself.

    z ~ N(0, I) in two dimensions, y in three, of noise variance 0.5.
    """
    torch.manual_seed(0)
    matrix = torch.randn(2, 3, dtype=torch.float64)
    y = torch.randn(3, dtype=torch.float64)
    eye2, eye3 = (torch.eye(n, dtype=torch.float64) for n in (2, 3))
    covariance = torch.linalg.inv(eye2 + matrix @ matrix.T / 0.5)
    posterior = MultivariateNormal(covariance @ matrix @ y / 0.5, covariance)
    evidence = MultivariateNormal(
        torch.zeros_like(y), matrix.T @ matrix + 0.5 * eye3
    ).log_prob(y)
    z = posterior.sample((3, num_draws, 4))
    log_weights = (
        Normal(z @ matrix, 0.5**0.5).log_prob(y).sum(-1)
        + Normal(0.0, 1.0).log_prob(z).sum(-1)
        - posterior.log_prob(z)
    )
    torch.testing.assert_close(
        importance_weighted_bound(log_weights), evidence.expand(4)
    )


# --- the function itself ---------------------------------------------------


def test_bound_against_scipy():
    log_weights = np.random.default_rng(0).normal(size=(3, 4, 5)) * 30
    expected = (logsumexp(log_weights, axis=1) - np.log(4)).mean(0)
    value = importance_weighted_bound(torch.from_numpy(log_weights))
    np.testing.assert_allclose(value.numpy(), expected, rtol=1e-12)


def test_bound_by_hand():
    """Weights 1, 3 and 2, 6: log 2 and log 4 on average."""
    weights = torch.tensor([[[1.0], [3.0]], [[2.0], [6.0]]])
    value = importance_weighted_bound(weights.log())
    assert value.item() == pytest.approx(1.5 * math.log(2))


def test_bound_at_extreme_weights():
    """The gradient is the normalised weight, of the sum 1 in a stratum."""
    log_weights = torch.tensor(
        [[[-1e5, 2e5], [-1e5 - 1, -2e5]]],
        dtype=torch.float64,
        requires_grad=True,
    )
    value = importance_weighted_bound(log_weights)
    value.sum().backward()
    assert value.isfinite().all()
    shares = [math.e / (1 + math.e), 1 / (1 + math.e)]
    assert log_weights.grad[0, :, 0].tolist() == pytest.approx(shares)
    assert log_weights.grad[0, :, 1].tolist() == [1, 0]


def test_bound_wants_three_axes():
    with pytest.raises(ValueError, match=r'\(strata, .* got \(4, 5\)'):
        importance_weighted_bound(torch.zeros(4, 5))


# --- likelihood ------------------------------------------------------------


def test_likelihood_against_torch_distributions():
    torch.manual_seed(0)
    logits = torch.randn(3, 1, 5, 7, dtype=torch.float64) * 4
    labels = torch.randint(0, 3, (3, 5, 7))
    labels[1, 2:] = 255
    expected = Bernoulli(logits=logits[:, 0]).log_prob((labels > 0).double())
    expected = (expected * (labels != 255)).sum((1, 2))
    for temperature, factor in ((1.0, 1.0), (0.3, 0.3), (None, 1 / 35)):
        value = bernoulli_log_likelihood(logits, labels, temperature)
        torch.testing.assert_close(value, factor * expected)


def test_likelihood_by_hand_and_ignored_pixels():
    """log 1/2 for each of the three labelled pixels, none for the fourth."""
    labels = torch.tensor([[[1, 0], [7, 255]]])
    logits = torch.zeros(1, 1, 2, 2, requires_grad=True)
    value = bernoulli_log_likelihood(logits, labels, temperature=1.0)
    assert value.item() == pytest.approx(-3 * math.log(2))
    value.backward()
    # d log p / d logit = y - 1/2.
    assert logits.grad.flatten().tolist() == [0.5, -0.5, 0.5, 0.0]
    again = bernoulli_log_likelihood(
        logits, labels, temperature=1.0, ignore_index=7
    )
    assert again.item() == pytest.approx(-3 * math.log(2))


@pytest.mark.parametrize('autocast', [False, True])
def test_likelihood_is_float32_from_half_precision(autocast):
    """10^4 terms summed in eight binary digits would be off by far."""
    torch.manual_seed(0)
    logits = torch.randn(2, 1, 100, 100).bfloat16()
    labels = torch.randint(0, 2, (2, 100, 100))
    with torch.autocast('cpu', torch.bfloat16, enabled=autocast):
        value = bernoulli_log_likelihood(logits, labels)
    assert value.dtype == torch.float32
    expected = -F.binary_cross_entropy_with_logits(
        logits[:, 0].double(), labels.double(), reduction='none'
    ).mean((1, 2))
    torch.testing.assert_close(value.double(), expected, rtol=1e-5, atol=0)


@pytest.mark.parametrize('shape', [(2, 3, 4, 4), (2, 1, 4, 8), (1, 1, 4, 4)])
def test_likelihood_wants_one_channel_of_the_labels_size(shape):
    with pytest.raises(ValueError, match=r'\(2, 4, 4\)'):
        bernoulli_log_likelihood(torch.zeros(shape), torch.zeros(2, 4, 4))


# --- clips -----------------------------------------------------------------


def test_frames_of_a_clip_are_added():
    """Clips of three frames: two labelled, none, one labelled."""
    values = torch.tensor([[1.0, 2.0, 4.0], [8.0, 16.0, 32.0]])
    total = sum_over_clips(values, torch.tensor([0, 2, 7]), num_frames=3)
    assert total.tolist() == [[3.0, 0.0, 4.0], [24.0, 0.0, 32.0]]


def test_gradient_of_the_sum_over_clips():
    values = torch.ones(1, 3, requires_grad=True)
    total = sum_over_clips(values, torch.tensor([0, 2, 7]), num_frames=3)
    (total * torch.tensor([[3.0, 7.0, 5.0]])).sum().backward()
    assert values.grad.tolist() == [[3.0, 3.0, 5.0]]
