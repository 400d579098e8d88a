"""Audio-visual matching against F.kl_div and by hand."""

import math

import pytest
import torch
import torch.nn.functional as F

from mmavs.functional.av_matching import av_matching_kl


def make(n=4, c=6, size=(16, 24), seed=0):
    rng = torch.Generator().manual_seed(seed)
    h, w = size
    logits = 3 * torch.randn(n, 1, h, w, generator=rng)
    levels = [
        torch.randn(n, c, h // k, w // k, generator=rng) for k in (2, 4, 8)
    ]
    audio = torch.randn(n, c, generator=rng).abs()
    return logits, levels, audio


def direct(logits, levels, audio):
    """Through F.kl_div, in float64, level by level."""
    unit = audio.double() / audio.double().norm(dim=1, keepdim=True)
    values = []
    for level in levels:
        k = logits.shape[-1] // level.shape[-1]
        mask = torch.sigmoid(F.avg_pool2d(logits.double(), k))
        visual = (mask * level.double()).mean(dim=(2, 3))
        visual = visual / visual.norm(dim=1, keepdim=True)
        # kl_div(log q, p) is KL(p || q).
        values.append(
            F.kl_div(
                visual.log_softmax(1), unit.softmax(1), reduction='none'
            ).sum(1)
        )
    return torch.stack(values).mean(0)


def test_against_kl_div():
    inputs = make()
    value = av_matching_kl(*inputs)
    assert value.shape == (4,)
    expected = direct(*inputs).float()
    torch.testing.assert_close(value, expected, rtol=1e-4, atol=1e-6)


def test_by_hand():
    """Two channels, sound (1, 0) against region (0, 1).

    softmax(1, 0) = (s, 1 - s) with s = e / (e + 1); the log-ratios are +1
    and -1, so KL = s - (1 - s) = tanh(1/2).
    """
    level = torch.zeros(1, 2, 3, 3)
    level[:, 1] = 5.0
    value = av_matching_kl(
        torch.zeros(1, 1, 6, 6), [level], torch.tensor([[2.0, 0.0]])
    )
    assert value.item() == pytest.approx(math.tanh(0.5), abs=1e-6)


def test_zero_where_the_region_sounds_like_the_audio():
    """Only the region counts: what lies outside may be anything."""
    audio = torch.rand(2, 5)
    logits = torch.full((2, 1, 8, 8), -60.0)
    logits[..., :4] = 60.0
    level = torch.randn(2, 5, 4, 4)
    level[..., :2] = 3 * audio[:, :, None, None]
    assert av_matching_kl(logits, [level], audio).abs().max() < 1e-6
    # The other half does not match.
    assert av_matching_kl(-logits, [level], audio).min() > 1e-4


def test_never_negative():
    for seed in range(5):
        assert (av_matching_kl(*make(seed=seed)) >= -1e-7).all()


def test_logits_are_pooled_before_the_sigmoid():
    """avgpool(8, -4) = 2: sigmoid(2), not the mean of two sigmoids."""
    logits = torch.tensor([[[[8.0, -4.0, 0.0, 0.0]]]])
    level = torch.tensor([[[[1.0, 0.0]], [[0.0, 1.0]]]])  # (1, 2, 1, 2)
    audio = torch.tensor([[1.0, 1.0]])
    visual = torch.tensor([[1 / (1 + math.exp(-2)), 0.5]])
    expected = F.kl_div(
        F.normalize(visual).log_softmax(1),
        F.normalize(audio).softmax(1),
        reduction='sum',
    )
    value = av_matching_kl(logits, [level], audio)
    assert value.item() == pytest.approx(expected.item(), abs=1e-6)


def test_sizes_that_do_not_divide():
    logits = torch.randn(1, 1, 100, 132)
    levels = [torch.randn(1, 6, *s) for s in ((25, 33), (13, 17), (7, 9))]
    assert av_matching_kl(logits, levels, torch.rand(1, 6)).isfinite().all()


def test_silence_and_dead_features_have_finite_gradients():
    """VGGish ends in a ReLU: its embedding can be zero."""
    logits, levels, _ = make()
    leaves = [logits, torch.zeros_like(levels[0]), torch.zeros(4, 6)]
    for leaf in leaves:
        leaf.requires_grad_()
    value = av_matching_kl(leaves[0], [leaves[1]], leaves[2])
    value.sum().backward()
    assert value.abs().max() < 1e-6
    for leaf in leaves:
        assert leaf.grad.isfinite().all()


def test_gradient_reaches_the_mask_and_the_features():
    logits, levels, audio = make()
    leaves = [logits, *levels]
    for leaf in leaves:
        leaf.requires_grad_()
    av_matching_kl(logits, levels, audio).sum().backward()
    for leaf in leaves:
        assert leaf.grad.abs().sum() > 0


@pytest.mark.parametrize('classes', [2, 7])
def test_region_of_several_classes_is_all_but_the_background(classes):
    """As one channel with the log-odds of the foreground."""
    _, levels, audio = make()
    rng = torch.Generator().manual_seed(classes)
    logits = 3 * torch.randn(4, classes, 16, 24, generator=rng)
    background = logits.softmax(1)[:, :1]
    odds = torch.log((1 - background) / background)
    torch.testing.assert_close(
        av_matching_kl(logits, levels, audio),
        av_matching_kl(odds, levels, audio),
        rtol=1e-4,
        atol=1e-5,
    )
    # Classes that trade places leave the region where it is.
    if classes > 2:
        swapped = logits[:, [0, *range(2, classes), 1]]
        torch.testing.assert_close(
            av_matching_kl(swapped, levels, audio),
            av_matching_kl(logits, levels, audio),
        )
    with_background = logits.flip(1)
    assert not torch.allclose(
        av_matching_kl(with_background, levels, audio),
        av_matching_kl(logits, levels, audio),
        rtol=1e-3,
    )
