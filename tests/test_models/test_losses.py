"""Registered losses: what they add to the functions under them.

The formulas are tested against outside references in ``test_functional``.
"""

import math

import pytest
import torch
import torch.nn.functional as F
from mmseg.registry import MODELS
from torch import nn
from torch.distributions import Bernoulli, Normal, kl_divergence

from mmavs.functional.divergences import monte_carlo_jsd
from mmavs.functional.structure_loss import structure_loss
from mmavs.structures import DiagonalGaussian, FrameLabels


def build(**cfg):
    return MODELS.build(cfg)


def gaussian(seed, n=6, k=4):
    rng = torch.Generator().manual_seed(seed)
    return DiagonalGaussian(
        torch.randn(n, k, generator=rng), torch.randn(n, k, generator=rng)
    )


def test_divergences_sum_over_codes_and_average_over_frames():
    q, p = gaussian(0), gaussian(1)
    kl = kl_divergence(Normal(q.mean, q.std), Normal(p.mean, p.std))
    value = build(type='GaussianKLLoss', loss_weight=0.1)(q, p)
    torch.testing.assert_close(value, 0.1 * kl.sum(1).mean())
    # Twice the same frames: the mean stays, a sum would double.
    twice = (
        DiagonalGaussian(g.mean.repeat(2, 1), g.log_var.repeat(2, 1))
        for g in (q, p)
    )
    again = build(type='GaussianKLLoss', loss_weight=0.1)(*twice)
    torch.testing.assert_close(again, value)


def test_jsd_loss_by_hand_and_weights():
    """Equal variances 1, distance 2: each KL to the middle is 1/2."""
    q = DiagonalGaussian(torch.zeros(3, 4), torch.zeros(3, 4))
    p = DiagonalGaussian(torch.full((3, 4), 2.0), torch.zeros(3, 4))
    loss = build(type='GeometricJSDLoss', loss_weight=1.0)
    assert loss(q, p).item() == pytest.approx(4 * 0.5)
    # f = 0.75 * 0 + 0.25 * 2 = 0.5: 0.75 * 0.5^2 / 2 + 0.25 * 1.5^2 / 2.
    loss = build(type='GeometricJSDLoss', weights=[0.75, 0.25], loss_weight=1)
    assert loss(q, p).item() == pytest.approx(4 * 0.375)


@pytest.mark.parametrize(
    'name', ['GaussianKLLoss', 'GeometricJSDLoss', 'MonteCarloJSDLoss']
)
def test_divergences_are_zero_at_equality(name):
    """mmseg's KLDivLoss is -1.25 there."""
    q = gaussian(0)
    assert build(type=name, loss_weight=1.0)(q, q).abs() < 1e-6


def test_monte_carlo_jsd_loss_averages_over_frames():
    """Weighted mean of the function on the same noise."""
    q, p = gaussian(0), gaussian(1)
    torch.manual_seed(5)
    expected = monte_carlo_jsd(q, p, num_samples=3)
    torch.manual_seed(5)
    loss = build(type='MonteCarloJSDLoss', num_samples=3, loss_weight=0.1)
    torch.testing.assert_close(loss(q, p), 0.1 * expected.mean())


def test_monte_carlo_jsd_loss_saturates_at_one_bit():
    """Whatever the size of the code; the geometric one grows with it."""
    q = DiagonalGaussian(torch.zeros(3, 4), torch.zeros(3, 4))
    p = DiagonalGaussian(torch.full((3, 4), 50.0), torch.zeros(3, 4))
    loss = build(type='MonteCarloJSDLoss', loss_weight=1.0)
    assert loss(q, p).item() == pytest.approx(math.log(2))


def random_draws(num_draws, num_decodings=1, seed=0):
    """Logits (M, 1, 4, 6) of M = 3 labelled frames for each draw."""
    rng = torch.Generator().manual_seed(seed)
    return [
        [torch.randn(3, 1, 4, 6, generator=rng) for _ in range(num_decodings)]
        for _ in range(num_draws)
    ]


def three_masks(index=(0, 1, 3)):
    """Masks of frames 0 and 1 of clip 0 and frame 1 of clip 1, for T = 2."""
    rng = torch.Generator().manual_seed(9)
    labels = torch.randint(0, 2, (3, 4, 6), generator=rng)
    labels[1, 2:] = 255
    return FrameLabels(labels, torch.tensor(index))


def bernoulli(logits, labels):
    """Log-likelihood of each frame through torch.distributions."""
    value = Bernoulli(logits=logits[:, 0]).log_prob(
        (labels.labels > 0).float()
    )
    return (value * (labels.labels != 255)).sum((1, 2))


@pytest.mark.parametrize('num_decodings', [1, 2])
def test_bound_with_one_draw_is_minus_the_elbo(num_decodings):
    """Against densities of torch.distributions, on the same sample."""
    labels, (draw,) = three_masks(), random_draws(1, num_decodings)
    q, p = gaussian(0, n=3), gaussian(1, n=3)
    torch.manual_seed(0)
    z = q.rsample()
    log_ratio = (
        Normal(p.mean, p.std).log_prob(z) - Normal(q.mean, q.std).log_prob(z)
    ).sum(1)
    elbo = sum(bernoulli(x, labels) for x in draw) + log_ratio
    loss = build(type='ImportanceWeightedLoss', temperature=1.0, beta=1.0)
    value = loss([draw], labels, log_ratio[None], num_frames=2, num_strata=1)
    torch.testing.assert_close(value, -elbo.sum() / 3)


def test_bound_is_tempered_by_default():
    """Mean over the pixels, beta = 0.01, and the factor of the warm-up."""
    labels, (draw,) = three_masks(), random_draws(1)
    log_ratio = torch.tensor([[1.0, -2.0, 5.0]])
    loss = build(type='ImportanceWeightedLoss', loss_weight=3.0)
    likelihood = bernoulli(draw[0], labels).sum() / 24
    for factor, beta in ((1.0, 0.01), (0.25, 0.0025), (0.0, 0.0)):
        value = loss([draw], labels, log_ratio, 2, 1, beta_factor=factor)
        expected = -3 * (likelihood + beta * 4) / 3
        torch.testing.assert_close(value, expected)


def test_bound_weighs_clips_not_frames():
    """Two frames of a clip whose weights cancel out in every draw.

    All pixels have the probability 1/2, so with tau = 1 / (H W) a frame's
    log-likelihood is -log 2.
    """
    labels = FrameLabels(torch.ones(2, 4, 4).long(), torch.tensor([0, 1]))
    logits = [[torch.zeros(2, 1, 4, 4)]] * 2
    log_ratio = torch.tensor([[1.0, 1.0], [2.0, 0.0]]) * math.log(2)
    loss = build(type='ImportanceWeightedLoss', beta=1.0)
    # One clip: the weights are 2^(1+1-2) = 1 and 2^(2+0-2) = 1.
    value = loss(logits, labels, log_ratio, num_frames=2, num_strata=1)
    assert value.item() == pytest.approx(0, abs=1e-6)
    # Two clips: weights (1, 2) and (1, 1/2), of the means 3/2 and 3/4.
    value = loss(logits, labels, log_ratio, num_frames=1, num_strata=1)
    assert value.item() == pytest.approx(-math.log(9 / 8) / 2)


def test_bound_reads_draws_stratum_by_stratum():
    """Four draws of the weights 1, 3 | 2, 6 in one clip of one frame."""
    labels = FrameLabels(torch.ones(1, 4, 4).long(), torch.tensor([0]))
    logits = [[torch.zeros(1, 1, 4, 4)]] * 4
    weights = torch.tensor([[1.0], [3.0], [2.0], [6.0]])
    log_ratio = weights.log() + math.log(2)
    loss = build(type='ImportanceWeightedLoss', beta=1.0)
    for num_strata, bound in (
        (1, math.log(3)),
        (2, (math.log(2) + math.log(4)) / 2),
        (4, math.log(36) / 4),
    ):
        value = loss(logits, labels, log_ratio, 1, num_strata)
        assert value.item() == pytest.approx(-bound, abs=1e-6)


@pytest.mark.parametrize('num_strata', [1, 2])
def test_bound_against_a_loop(num_strata):
    """Clips, strata and draws one by one, in plain Python."""
    labels, draws = three_masks(), random_draws(6, num_decodings=2)
    rng = torch.Generator().manual_seed(2)
    log_ratio = torch.randn(6, 3, generator=rng) * 3
    total, per_stratum = 0.0, 6 // num_strata
    for frames in ([0, 1], [2]):
        for r in range(num_strata):
            weights = []
            for d in range(r * per_stratum, (r + 1) * per_stratum):
                likelihood = sum(bernoulli(x, labels) for x in draws[d])
                log_weight = 0.1 * likelihood + 0.5 * log_ratio[d]
                weights.append(math.exp(log_weight[frames].sum()))
            mean = sum(weights) / per_stratum
            total += math.log(mean) / num_strata
    loss = build(type='ImportanceWeightedLoss', temperature=0.1, beta=0.5)
    value = loss(draws, labels, log_ratio, 2, num_strata)
    assert value.item() == pytest.approx(-total / 3, rel=1e-5)


def test_bound_learns_from_the_better_draw():
    """The gradient of a draw is its share of the weight."""
    labels = FrameLabels(torch.ones(1, 1, 1).long(), torch.tensor([0]))
    leaves = [torch.zeros(1, 1, 1, 1, requires_grad=True) for _ in range(2)]
    log_ratio = torch.tensor([[3.0], [1.0]]).log().requires_grad_()
    loss = build(type='ImportanceWeightedLoss', beta=1.0)
    loss([[x] for x in leaves], labels, log_ratio, 1, 1).backward()
    # d log p / d logit = 1 - 1/2.
    assert [x.grad.item() for x in leaves] == pytest.approx([-3 / 8, -1 / 8])
    assert log_ratio.grad.flatten().tolist() == pytest.approx([-0.75, -0.25])


@pytest.mark.parametrize('scale', [1.0, 1e6])
def test_bound_is_float32_and_finite(scale):
    """Half-precision logits, and log-ratios of extreme log-variances."""
    labels = three_masks()
    draws = [[x.bfloat16() * 50 for x in draw] for draw in random_draws(4)]
    log_ratio = torch.randn(4, 3, requires_grad=True)
    loss = build(type='ImportanceWeightedLoss', temperature=1.0, beta=1.0)
    with torch.autocast('cpu', torch.bfloat16):
        value = loss(draws, labels, scale * log_ratio, 2, 2)
    value.backward()
    assert value.dtype == torch.float32 and value.isfinite()
    assert log_ratio.grad.isfinite().all()


@pytest.mark.parametrize(
    ('shape', 'num_strata', 'message'),
    [((4, 2), 2, r'\(4, 3\).*got \(4, 2\)'), ((4, 3), 3, 'got .* and 3')],
)
def test_bound_wants_a_ratio_for_each_draw(shape, num_strata, message):
    loss = build(type='ImportanceWeightedLoss')
    with pytest.raises(ValueError, match=message):
        loss(random_draws(4), three_masks(), torch.zeros(shape), 2, num_strata)


def test_perfect_segmentation_is_the_minimum():
    """mmseg's DiceLoss with one channel is inverted."""
    label = (torch.rand(2, 32, 32) > 0.5).long()
    signs = (2.0 * label - 1).unsqueeze(1)
    loss = build(type='StructureLoss')
    perfect, neutral, wrong = (loss(k * signs, label) for k in (20, 0, -20))
    assert 0 <= perfect < 0.05 < neutral < wrong


@pytest.mark.parametrize('weighted_bce', [True, False])
def test_structure_loss_ignores_255(weighted_bce):
    """In the value and in the gradient, as if the pixel had no logit."""
    torch.manual_seed(0)
    label = (torch.rand(3, 40, 44) > 0.7).long()
    label[:, 30:, :] = 255
    logits = torch.randn(3, 1, 40, 44, requires_grad=True)
    loss = build(type='StructureLoss', weighted_bce=weighted_bce)
    value = loss(logits, label)
    value.backward()
    assert (logits.grad[:, :, 30:] == 0).all()
    assert (logits.grad[:, :, :30] != 0).all()
    with torch.no_grad():
        disturbed = logits.clone()
        disturbed[:, :, 30:] = 1e4
        torch.testing.assert_close(loss(disturbed, label), value.detach())


def test_structure_loss_takes_every_class_as_foreground():
    torch.manual_seed(0)
    label = torch.randint(0, 5, (2, 16, 16))
    logits = torch.randn(2, 1, 16, 16)
    value = build(type='StructureLoss', loss_weight=2.0)(logits, label)
    target = (label > 0).float().unsqueeze(1)
    torch.testing.assert_close(
        value, 2 * structure_loss(logits, target).mean()
    )


def test_structure_loss_weight_per_pixel():
    """A pixel of weight 0 is an ignored pixel."""
    torch.manual_seed(0)
    label = (torch.rand(2, 16, 16) > 0.5).long()
    logits = torch.randn(2, 1, 16, 16)
    loss = build(type='StructureLoss')
    weight = torch.ones(2, 16, 16)
    torch.testing.assert_close(
        loss(logits, label, weight), loss(logits, label)
    )
    weight[:, 12:] = 0
    moved = logits.clone()
    moved[:, :, 12:] += 3
    torch.testing.assert_close(
        loss(logits, label, weight), loss(moved, label, weight)
    )


def test_structure_loss_with_another_window():
    logits, target = torch.randn(2, 1, 24, 24), torch.zeros(2, 1, 24, 24)
    target[:, :, 6:18, 6:18] = 1
    value = build(type='StructureLoss', boundary_window=9)(
        logits, target[:, 0].long()
    )
    expected = structure_loss(logits, target, boundary_window=9).mean()
    torch.testing.assert_close(value, expected)
    assert not torch.isclose(value, structure_loss(logits, target).mean())
    with pytest.raises(ValueError, match='odd and positive, got 8'):
        build(type='StructureLoss', boundary_window=8)


def test_structure_loss_wants_one_channel():
    with pytest.raises(ValueError, match=r'\(2, 3, 8, 8\)'):
        build(type='StructureLoss')(
            torch.zeros(2, 3, 8, 8), torch.zeros(2, 8, 8).long()
        )


def test_cross_entropy_of_mmseg_needs_avg_non_ignore():
    """Why configs that take it must set it: it divides by ignored pixels."""
    label = torch.tensor([[[1, 0, 255, 255]]])
    logits = torch.zeros(1, 1, 1, 4)
    values = [
        build(type='CrossEntropyLoss', use_sigmoid=True, avg_non_ignore=flag)(
            logits, label, ignore_index=255
        ).item()
        for flag in (False, True)
    ]
    assert values == pytest.approx([math.log(2) / 2, math.log(2)])
    own = build(type='StructureLoss', weighted_bce=False)(logits, label)
    # BCE over the two labelled pixels, and the IoU over them too.
    w = [1 + 5 * (1 - 1 / 961), 1 + 5 / 961]
    inter, total = w[0] / 2, w[0] * 1.5 + w[1] / 2
    iou = (inter + 1) / (total - inter + 1)
    assert own.item() == pytest.approx(math.log(2) + 1 - iou, abs=1e-4)


def test_orthogonality_loss_adds_four_terms():
    from mmavs.functional.latent_terms import orthogonality

    torch.manual_seed(0)
    names = ('visual_specific', 'audio_specific', 'shared')
    prior, posterior = (
        {name: torch.randn(5, 4) for name in names} for _ in range(2)
    )
    value = build(type='OrthogonalityLoss', loss_weight=0.5)(prior, posterior)
    expected = sum(
        orthogonality(path[name], path['shared'])
        for path in (prior, posterior)
        for name in names[:2]
    )
    torch.testing.assert_close(value, 0.5 * expected)
    pairs = [['visual_specific', 'audio_specific']]
    value = build(type='OrthogonalityLoss', pairs=pairs, loss_weight=1.0)(
        prior
    )
    torch.testing.assert_close(
        value, orthogonality(prior[names[0]], prior[names[1]])
    )


def expected_bound(heads, visual, audio, normalised):
    """Through Normal.log_prob, the constant taken off."""
    mean, log_var = (
        torch.tanh(heads[name](visual)) for name in ('mean', 'log_var')
    )
    target = torch.tanh(heads['target'](audio))
    log_prob = Normal(mean, (0.5 * log_var).exp()).log_prob(target)
    log_prob = log_prob + 0.5 * math.log(2 * math.pi)
    if not normalised:
        log_prob = log_prob + 0.5 * log_var
    return log_prob.sum(1).mean()


@pytest.mark.parametrize('normalised', [True, False])
def test_mutual_information_is_minus_the_bound(normalised):
    torch.manual_seed(0)
    loss = build(
        type='MutualInformationLoss',
        code_channels=4,
        normalised=normalised,
        loss_weight=0.5,
    )
    assert loss.prior['mean'].weight.shape == (6, 4)
    prior, posterior = (
        (torch.randn(5, 4), torch.randn(5, 4)) for _ in range(2)
    )
    bound = expected_bound(loss.prior, *prior, normalised) + expected_bound(
        loss.posterior, *posterior, normalised
    )
    value = loss(prior, posterior)
    torch.testing.assert_close(value, -0.5 * bound)
    if not normalised:
        assert value > 0  # the published bound is never positive


def test_training_raises_the_mutual_information_bound():
    """A descent on the loss makes the sound easier to tell from the sight."""
    torch.manual_seed(0)
    loss = build(
        type='MutualInformationLoss', code_channels=4, loss_weight=1.0
    )
    code = torch.randn(64, 4)
    paths = [(code, code), (code, code)]
    optimiser = torch.optim.Adam(loss.parameters(), 0.02)
    first = loss(*paths).item()
    for _ in range(50):
        optimiser.zero_grad()
        loss(*paths).backward()
        optimiser.step()
    assert loss(*paths).item() < first - 1


def test_matching_reductions():
    torch.manual_seed(0)
    logits, level = torch.randn(4, 1, 8, 8), torch.randn(4, 5, 4, 4)
    audio = torch.rand(4, 5)
    mean, total = (
        build(type='AVMatchingLoss', reduction=r, loss_weight=0.5)(
            logits, [level], audio
        )
        for r in ('mean', 'sum')
    )
    torch.testing.assert_close(total, 4 * mean)
    mask = F.adaptive_avg_pool2d(logits, 4).sigmoid()
    visual = F.normalize((mask * level).mean((2, 3)))
    expected = F.kl_div(
        visual.log_softmax(1), F.normalize(audio).softmax(1), reduction='sum'
    )
    torch.testing.assert_close(total, 0.5 * expected, rtol=1e-4, atol=1e-6)


def test_matching_reduction_is_checked():
    with pytest.raises(ValueError, match="'batchmean'"):
        build(type='AVMatchingLoss', reduction='batchmean')


@pytest.mark.parametrize(
    'cfg',
    [
        dict(type='StructureLoss'),
        dict(type='GaussianKLLoss'),
        dict(type='GeometricJSDLoss'),
        dict(type='ImportanceWeightedLoss'),
        dict(type='MonteCarloJSDLoss'),
        dict(type='OrthogonalityLoss'),
        dict(type='MutualInformationLoss', code_channels=4),
        dict(type='AVMatchingLoss'),
    ],
)
def test_names_enter_the_sum_once(cfg):
    loss = build(**cfg)
    assert isinstance(loss, nn.Module)
    assert loss.loss_name.startswith('loss_')
    assert build(**cfg, loss_name='loss_other').loss_name == 'loss_other'


@pytest.mark.parametrize('name', ['GaussianKLLoss', 'GeometricJSDLoss'])
def test_log_std_reads_the_second_moment_as_a_deviation(name):
    """The divergence of N(m, exp(s)) where samples have exp(s / 2)."""
    q, p = gaussian(0), gaussian(1)
    value = build(type=name, log_std=True, loss_weight=1)(q, p)
    # Variances exp(s)^2 = exp(2 s).
    expected = build(type=name, loss_weight=1)(
        DiagonalGaussian(q.mean, 2 * q.log_var),
        DiagonalGaussian(p.mean, 2 * p.log_var),
    )
    torch.testing.assert_close(value, expected)
    if name == 'GaussianKLLoss':
        normals = [Normal(g.mean, g.log_var.exp()) for g in (q, p)]
        torch.testing.assert_close(
            value, kl_divergence(*normals).sum(1).mean()
        )
    zero = build(type=name, log_std=True)(q, q)
    torch.testing.assert_close(zero, torch.tensor(0.0), rtol=0, atol=1e-7)


def test_wrong_weights_of_the_jsd_are_refused_at_once():
    with pytest.raises(ValueError, match='sum to 1'):
        build(type='GeometricJSDLoss', weights=(0.5, 0.6))


@pytest.mark.parametrize('temperature', [0, -1.0])
def test_a_temperature_that_is_none_is_refused(temperature):
    with pytest.raises(ValueError, match=f'temperature.*{temperature}'):
        build(type='ImportanceWeightedLoss', temperature=temperature)
