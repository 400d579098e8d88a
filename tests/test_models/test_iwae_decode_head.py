"""The head of the mixture of experts: draws, weights, bound."""

import math

import pytest
import torch
from small_model import build_model, make_batch, make_labels
from torch.distributions import (
    Bernoulli,
    Categorical,
    Independent,
    MixtureSameFamily,
    Normal,
)

PLAIN = dict(
    loss_orthogonality=None, loss_mutual_information=None, loss_matching=None
)


def make_model(num_samples=2, temperature=None, beta=1.0, **head):
    latents = dict(type='JointMixtureLatents', num_samples=num_samples)
    head = dict(
        PLAIN,
        type='IWAEDecodeHead',
        divergences=None,
        loss_bound=dict(
            type='ImportanceWeightedLoss', temperature=temperature, beta=beta
        ),
        **head,
    )
    return build_model(head=head, neck=dict(latents=latents))


def mixture(distribution):
    """The same mixture in torch.distributions."""
    experts = distribution.experts
    means = torch.stack([g.mean for g in experts], dim=1)
    stds = torch.stack([g.std for g in experts], dim=1)
    return MixtureSameFamily(
        Categorical(torch.ones(len(means), len(experts))),
        Independent(Normal(means, stds), 1),
    )


@pytest.mark.parametrize('temperature', [1.0, None])
@pytest.mark.parametrize('num_samples', [1, 3])
def test_loss_from_the_draws(num_samples, temperature):
    """Once more with torch.distributions, clip by clip."""
    model = make_model(num_samples, temperature)
    model.eval()  # the norms of the two calls alike
    index = [0, 1, 4]  # two frames of the first clip, one of the second
    features = model.extract_feat(
        make_batch(), make_labels(make_batch(), index)
    )
    head = model.decode_head
    losses = head.loss(features, [], None)
    posterior = features.posterior
    assert len(posterior.draws) == 2 * num_samples
    q = mixture(posterior.distributions['joint'])
    p = mixture(
        features.prior.distributions['joint'].select(torch.tensor(index))
    )
    tau = temperature or 1 / (64 * 64)
    mask = features.labels.foreground
    log_w = torch.zeros(2 * num_samples, 2)
    for d, (draw, logits) in enumerate(
        zip(posterior.draws, head.posterior_logits(features), strict=True)
    ):
        z = draw.samples['joint'][index]
        likelihood = Bernoulli(logits=logits).log_prob(mask).sum((1, 2, 3))
        value = tau * likelihood + p.log_prob(z) - q.log_prob(z)
        log_w[d, 0], log_w[d, 1] = value[0] + value[1], value[2]
    bound = 0.0
    for stratum in log_w.split(num_samples):
        bound += (stratum.logsumexp(0) - math.log(num_samples)).sum() / 2
    torch.testing.assert_close(
        losses['loss_bound'], -bound / 3, rtol=1e-4, atol=1e-5
    )


def test_unlabelled_frames_carry_the_prior_sample_in_every_draw():
    model = make_model()
    features = model.extract_feat(
        make_batch(), make_labels(make_batch(), [0, 3])
    )
    prior = features.prior.draws[0].samples['joint']
    rest = [1, 2, 4, 5]
    for draw in features.posterior.draws:
        assert torch.equal(draw.samples['joint'][rest], prior[rest])
        assert (draw.samples['joint'][[0, 3]] != prior[[0, 3]]).all()


def test_gamma_and_warmup():
    """gamma weighs the log-likelihood, the warm-up the ratio."""
    values = {}
    for gamma, warmup in ((1.0, 1.0), (2.0, 1.0), (1.0, 0.0), (1.0, 0.5)):
        model = make_model(1, posterior_weight=gamma)
        head = model.decode_head.eval()
        head.latent_warmup = warmup
        torch.manual_seed(0)
        features = model.extract_feat(make_batch(), make_labels(make_batch()))
        values[gamma, warmup] = head.loss(features, [], None)['loss_bound']
    # L = 1 is linear in both.
    likelihood = values[1.0, 0.0]
    torch.testing.assert_close(values[2.0, 1.0], values[1.0, 1.0] + likelihood)
    torch.testing.assert_close(
        values[1.0, 0.5], (values[1.0, 0.0] + values[1.0, 1.0]) / 2
    )
    assert values[1.0, 0.0] != values[1.0, 1.0]


def test_other_latents_are_refused():
    model = build_model(
        head=dict(PLAIN, type='IWAEDecodeHead', divergences=None)
    )
    batch = make_batch()
    features = model.extract_feat(batch, make_labels(batch))
    with pytest.raises(ValueError, match="JointMixtureLatents.*'shared'"):
        model.decode_head.loss(features, [], None)


def test_divergences_are_refused():
    with pytest.raises(ValueError, match="no divergences.*'shared'"):
        build_model(head=dict(type='IWAEDecodeHead'))
