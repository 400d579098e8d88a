"""Every latent space: what it encodes, joins, draws and hands on."""

import pytest
import torch
from mmseg.registry import MODELS

from mmavs.functional.l2_normalise import l2_normalise
from mmavs.models.latents import FactorisedLatents
from mmavs.structures import DiagonalGaussian, GaussianMixture

SPECIFIC = {'visual_specific', 'audio_specific'}
# Type -> distributions, of which those without an encoder last.
NAMES = dict(
    FactorisedLatents=SPECIFIC | {'shared'},
    DynamicPriorLatents=SPECIFIC | {'shared'},
    UnfactorisedLatents=SPECIFIC,
    ProductOfExpertsLatents=SPECIFIC | {'shared', 'visual', 'audio'},
    JointProductLatents=SPECIFIC | {'joint'},
    JointGeometricMeanLatents=SPECIFIC | {'joint'},
    JointMixtureLatents=SPECIFIC | {'joint'},
    VisualLatents={'visual_specific'},
)
TYPES = sorted(NAMES)
# What is drawn: of joint spaces the joint latent alone.
DRAWN = {
    name: {'joint'} if 'joint' in names else names
    for name, names in NAMES.items()
}


def build(name, seed=0, **kwargs):
    torch.manual_seed(seed)
    return MODELS.build(
        dict(type=name, audio_channels=8, latent_channels=4, **kwargs)
    ).train()


def make_inputs(n=5):
    rng = torch.Generator().manual_seed(1)
    frames = torch.randn(n, 3, 64, 64, generator=rng)
    audio = torch.rand(n, 8, generator=rng)
    mask = (torch.rand(n, 1, 64, 64, generator=rng) > 0.5).float()
    return frames, audio, mask


def encode(latents):
    frames, audio, mask = make_inputs()
    return (
        latents.encode_prior(frames, audio),
        latents.encode_posterior(frames, audio, mask),
    )


# --- what all of them do ---------------------------------------------------


@pytest.mark.parametrize('name', TYPES)
def test_distributions_of_both_paths(name):
    for distributions in encode(build(name)):
        assert set(distributions) == NAMES[name]
        for d in distributions.values():
            assert d.mean.shape == (5, 4)


@pytest.mark.parametrize('name', TYPES)
def test_encoders_are_those_of_the_variant(name):
    """No encoder that nothing trains: it would stop DDP."""
    latents = build(name)
    encoded = NAMES[name] & (SPECIFIC | {'shared'})
    assert set(latents.prior) == set(latents.posterior) == encoded


@pytest.mark.parametrize('name', TYPES)
def test_every_parameter_has_a_gradient(name):
    latents = build(name)
    prior, posterior = encode(latents)
    total = 0
    for codes, draws in (
        (latents.prior_codes, latents.draw_prior(prior)),
        (latents.posterior_codes, latents.draw_posterior(posterior)),
    ):
        for samples in draws:
            for code in codes(samples):
                assert code.shape == (5, 4)
                total = total + code.square().sum()
    total.backward()
    for key, parameter in latents.named_parameters():
        assert parameter.grad is not None, key
        assert parameter.grad.isfinite().all(), key


@pytest.mark.parametrize('name', TYPES)
def test_a_variance_without_bounds_leaves_the_gradient_finite(name):
    latents = build(name, initial_log_var=200.0)
    (samples,) = latents.draw_prior(encode(latents)[0])
    for code in latents.prior_codes(samples):
        l2_normalise(code, dim=1).sum().backward(retain_graph=True)
    for key, parameter in latents.named_parameters():
        if parameter.grad is not None:
            assert parameter.grad.isfinite().all(), key


@pytest.mark.parametrize('name', TYPES)
def test_prediction_takes_means_and_training_samples(name):
    latents = build(name)
    prior, _ = encode(latents)
    (first,), (second,) = (latents.draw_prior(prior) for _ in range(2))
    assert set(first) == DRAWN[name]
    for key in first:
        assert (first[key] != second[key]).all()
    (means,) = latents.eval().draw_prior(prior)
    for key, mean in means.items():
        assert torch.equal(mean, prior[key].mean)


@pytest.mark.parametrize('training', [True, False])
@pytest.mark.parametrize('name', TYPES)
def test_several_samples_on_request(name, training):
    latents = build(name).train(training)
    prior, _ = encode(latents)
    draws = latents.draw_prior(prior, num_samples=3)
    assert len(draws) == 3
    for key in DRAWN[name]:
        assert len({x[key][0, 0].item() for x in draws}) == 3
        assert all((x[key] != prior[key].mean).any() for x in draws)


@pytest.mark.parametrize('name', TYPES)
def test_initial_log_var_moves_every_encoder(name):
    """The same network from the same seed, all log-variances 3 lower."""
    states = [build(name, initial_log_var=v).state_dict() for v in (0.0, -3.0)]
    heads = 0
    for key, value in states[0].items():
        shift = -3.0 if key.endswith('head.log_var.bias') else 0.0
        heads += shift != 0
        expected = value + shift if shift else value
        torch.testing.assert_close(states[1][key], expected, msg=key)
    # The dynamic prior has an encoder more.
    extra = name == 'DynamicPriorLatents'
    encoders = len(NAMES[name] & (SPECIFIC | {'shared'}))
    assert heads == 2 * encoders + extra


# --- what is special -------------------------------------------------------


def test_without_factorisation_one_code_serves_both_sides():
    """z = L [z_v; z_a], a map of its own in each path (Fig. 1)."""
    latents = build('UnfactorisedLatents').eval()
    prior, posterior = encode(latents)
    codes = []
    for fusion, code, draws in (
        (
            latents.prior_fusion,
            latents.prior_codes,
            latents.draw_prior(prior),
        ),
        (
            latents.posterior_fusion,
            latents.posterior_codes,
            latents.draw_posterior(posterior),
        ),
    ):
        (samples,) = draws
        visual, audio = code(samples)
        assert visual is audio
        expected = (
            samples['visual_specific'] @ fusion.weight[:, :4].T
            + samples['audio_specific'] @ fusion.weight[:, 4:].T
            + fusion.bias
        )
        torch.testing.assert_close(visual, expected)
        codes.append(visual)
    assert not torch.equal(*codes)


@pytest.mark.parametrize('unit_expert', [True, False])
@pytest.mark.parametrize('weights', [None, (0.5, 2.0)])
def test_codes_of_the_product_of_experts(unit_expert, weights):
    """Precision-weighted by hand, in float64."""
    latents = build(
        'ProductOfExpertsLatents', unit_expert=unit_expert, weights=weights
    )
    for distributions, codes in zip(
        encode(latents.eval()),
        (latents.prior_codes, latents.posterior_codes),
    ):
        (samples,) = latents.draw_prior(distributions)
        for code, side in zip(codes(samples), ('visual', 'audio')):
            experts = [distributions[f'{side}_specific']]
            experts.append(distributions['shared'])
            precisions = [
                w * torch.exp(-g.log_var.double())
                for w, g in zip(weights or (1, 1), experts)
            ]
            total = sum(precisions) + unit_expert
            mean = sum(
                p * g.mean.double() for p, g in zip(precisions, experts)
            )
            torch.testing.assert_close(code.double(), mean / total)
            torch.testing.assert_close(
                distributions[side].log_var.double(), -total.log()
            )


def test_joint_product_and_joint_geometric_mean():
    """The geometric mean of two is the product at half the precision."""
    settings = (
        ('JointProductLatents', dict(unit_expert=False)),
        ('JointGeometricMeanLatents', {}),
    )
    product, mean = (
        encode(build(name, **kwargs).eval())[0]['joint']
        for name, kwargs in settings
    )
    torch.testing.assert_close(product.mean, mean.mean)
    torch.testing.assert_close(
        product.log_var, mean.log_var - torch.tensor(2.0).log()
    )
    with_unit = encode(build('JointProductLatents').eval())[0]['joint']
    assert (with_unit.log_var < 0).all()
    assert (with_unit.log_var < product.log_var).all()


@pytest.mark.parametrize(
    'name',
    ['JointProductLatents', 'JointGeometricMeanLatents', 'VisualLatents'],
)
def test_one_sample_serves_as_both_codes(name):
    latents = build(name)
    key = 'visual_specific' if name == 'VisualLatents' else 'joint'
    prior, posterior = encode(latents)
    for codes, draws in (
        (latents.prior_codes, latents.draw_prior(prior)),
        (latents.posterior_codes, latents.draw_posterior(posterior)),
    ):
        (samples,) = draws
        visual, audio = codes(samples)
        assert visual is audio is samples[key]


def test_dynamic_prior_is_the_geometric_mean_of_two_unimodal_ones():
    """It is what is drawn, too; the posterior keeps its encoder."""
    latents = build('DynamicPriorLatents', weights=(0.25, 0.75)).eval()
    frames, audio, mask = make_inputs()
    shared = latents.encode_prior(frames, audio)['shared']
    encoder = latents.prior['shared']
    experts = (encoder.visual(frames), encoder.audio(audio))
    precisions = [
        w * torch.exp(-g.log_var) for w, g in zip((0.25, 0.75), experts)
    ]
    mean = sum(p * g.mean for p, g in zip(precisions, experts))
    torch.testing.assert_close(shared.mean, mean / sum(precisions))
    torch.testing.assert_close(shared.log_var, -sum(precisions).log())
    (samples,) = latents.draw_prior(latents.encode_prior(frames, audio))
    assert torch.equal(samples['shared'], shared.mean)
    plain = build('FactorisedLatents').posterior['shared']
    assert type(latents.posterior['shared']) is type(plain)


def test_mixture_is_drawn_from_in_strata():
    """Each stratum, every frame: another expert; all of them in turn."""
    latents = build('JointMixtureLatents', num_samples=3)
    low = DiagonalGaussian(torch.full((50, 4), -9.0), torch.zeros(50, 4))
    high = DiagonalGaussian(torch.full((50, 4), 9.0), torch.zeros(50, 4))
    mixture = GaussianMixture((low, high))
    draws = latents.draw_posterior(dict(joint=mixture))
    assert len(draws) == 2 * 3
    z = torch.stack([x['joint'] for x in draws]).unflatten(0, (2, 3))
    from_high = z > 0
    # All K dimensions of a frame from one expert.
    assert (from_high.all(-1) | ~from_high.any(-1)).all()
    assert (from_high[0] ^ from_high[1]).all()
    # Which expert begins is random for each frame: each draw by itself is a
    # sample of the mixture. 150 fair coins: outside 45..105 once in 1e6.
    assert 45 <= from_high[0, ..., 0].sum() <= 105
    assert not torch.equal(from_high[0, 0], from_high[0, 1])
    # And no two draws are the same.
    assert len({x.item() for x in z[..., 0].flatten()}) == 300


def test_mixture_draws_in_evaluation_too():
    """The bound needs its strata; prediction takes the mean of the prior."""
    latents = build('JointMixtureLatents', num_samples=2).eval()
    prior, posterior = encode(latents)
    assert len(latents.draw_posterior(posterior)) == 4
    (samples,) = latents.draw_prior(prior)
    experts = (prior['visual_specific'].mean, prior['audio_specific'].mean)
    torch.testing.assert_close(samples['joint'], sum(experts) / 2)


def test_number_of_draws_is_checked():
    with pytest.raises(ValueError, match='num_samples.*got 0'):
        build('JointMixtureLatents', num_samples=0)


@pytest.mark.parametrize(
    ('name', 'weights'),
    [
        ('ProductOfExpertsLatents', (1, 2, 3)),
        ('JointProductLatents', (1, -1)),
        ('JointGeometricMeanLatents', (0.5, 0.6)),
        ('DynamicPriorLatents', (0.5, 0.6)),
    ],
)
def test_wrong_weights_are_refused_when_the_model_is_built(name, weights):
    with pytest.raises(ValueError, match='weights'):
        build(name, weights=weights)


def test_weights_of_the_joint_product():
    """The precision of each expert times its weight, and the unit's."""
    experts = encode(build('JointProductLatents').eval())[0]
    latents = build('JointProductLatents', weights=(2.0, 0.5))
    joint = encode(latents.eval())[0]['joint']
    precisions = [
        w * torch.exp(-experts[name].log_var.double())
        for w, name in zip((2.0, 0.5), ('visual_specific', 'audio_specific'))
    ]
    torch.testing.assert_close(
        joint.log_var.double(), -(sum(precisions) + 1).log()
    )


def test_names_of_a_subclass_are_checked():
    class Misspelt(FactorisedLatents):
        names = ('share',)

    with pytest.raises(ValueError, match=r"Misspelt.*'share'"):
        Misspelt()
