"""Structure loss against a direct NumPy implementation."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from mmavs.functional.structure_loss import structure_loss


def make(n=3, h=40, w=53, seed=0, dtype=torch.float64):
    """Logits and masks with several blobs, one of them at the border."""
    rng = torch.Generator().manual_seed(seed)
    logits = 3 * torch.randn(n, 1, h, w, generator=rng, dtype=dtype)
    coarse = torch.rand(n, 1, 5, 6, generator=rng) > 0.6
    mask = F.interpolate(coarse.to(dtype), size=(h, w), mode='nearest')
    return logits, mask


def direct_weight(mask):
    """w of one mask (H, W): zeros beyond the border, window 31 x 31."""
    h, w = mask.shape
    padded = np.pad(mask, 15)
    weight = np.empty((h, w))
    for i in range(h):
        for j in range(w):
            local_mean = padded[i : i + 31, j : j + 31].sum() / 31**2
            weight[i, j] = 1 + 5 * abs(local_mean - mask[i, j])
    return weight


def direct_loss(logits, masks, valid=None, weighted_bce=True):
    """The formula of the loss, frame by frame, in NumPy."""
    logits, masks = logits[:, 0].numpy(), masks[:, 0].numpy()
    valid = np.ones_like(masks) if valid is None else valid[:, 0].numpy()
    p = 1 / (1 + np.exp(-logits))
    soft = 0.999 * masks + 0.0005
    bce = -(soft * np.log(p) + (1 - soft) * np.log(1 - p))
    values = []
    for i in range(len(masks)):
        w = direct_weight(masks[i]) * valid[i]
        if weighted_bce:
            cross_entropy = (w * bce[i]).sum() / w.sum()
        else:
            cross_entropy = bce[valid > 0].mean()
        intersection = (w * p[i] * masks[i]).sum()
        total = (w * (p[i] + masks[i])).sum()
        iou = (intersection + 1) / (total - intersection + 1)
        values.append(cross_entropy + 1 - iou)
    return torch.tensor(np.array(values))


@pytest.mark.parametrize('weighted_bce', [True, False])
@pytest.mark.parametrize('with_valid', [True, False])
def test_against_the_direct_form(weighted_bce, with_valid):
    logits, mask = make()
    valid = None
    if with_valid:
        rng = torch.Generator().manual_seed(9)
        valid = (torch.rand(mask.shape, generator=rng) > 0.3).to(mask)
        # What an ignored pixel is called does not matter, but its target
        # must be a number: callers write background there.
        mask = mask * valid
    value = structure_loss(logits, mask, valid, weighted_bce=weighted_bce)
    assert value.shape == (3,)
    torch.testing.assert_close(
        value, direct_loss(logits, mask, valid, weighted_bce)
    )


def test_weight_is_that_of_a_31_x_31_average_pool():
    """The loss against the same formula with the pool in one step."""
    logits, mask = make(seed=3)
    weight = 1 + 5 * (F.avg_pool2d(mask, 31, 1, 15) - mask).abs()
    soft = 0.999 * mask + 0.0005
    bce = F.binary_cross_entropy_with_logits(logits, soft, reduction='none')
    p = logits.sigmoid()
    dims = (1, 2, 3)
    intersection = (weight * p * mask).sum(dims)
    total = (weight * (p + mask)).sum(dims)
    iou = (intersection + 1) / (total - intersection + 1)
    expected = (weight * bce).sum(dims) / weight.sum(dims) + 1 - iou
    torch.testing.assert_close(structure_loss(logits, mask), expected)


def test_published_form_is_plain_cross_entropy_and_weighted_iou():
    logits, mask = make()
    published = structure_loss(logits, mask, weighted_bce=False)
    plain = F.binary_cross_entropy_with_logits(logits, 0.999 * mask + 0.0005)
    weighted = structure_loss(logits, mask, weighted_bce=True)
    iou_terms = published - plain
    assert ((iou_terms > 0) & (iou_terms < 1)).all()
    # The difference of the forms is that of their cross-entropies alone.
    weight = 1 + 5 * (F.avg_pool2d(mask, 31, 1, 15) - mask).abs()
    bce = F.binary_cross_entropy_with_logits(
        logits, 0.999 * mask + 0.0005, reduction='none'
    )
    own = (weight * bce).sum((1, 2, 3)) / weight.sum((1, 2, 3))
    torch.testing.assert_close(weighted - published, own - plain)


def test_by_hand_on_an_empty_mask():
    """w = 1; p = 1/2 everywhere: ln 2 + 1 - 1 / (HW / 2 + 1)."""
    zeros = torch.zeros(1, 1, 4, 6, dtype=torch.float64)
    expected = math.log(2) + 1 - 1 / 13
    for weighted_bce in (True, False):
        value = structure_loss(zeros, zeros, weighted_bce=weighted_bce)
        assert value.item() == pytest.approx(expected, abs=1e-12)


def test_by_hand_on_one_pixel():
    """y = 1, p = 1/2, the window holds 1 of 961: w = 1 + 5 * 960/961."""
    value = structure_loss(
        torch.zeros(1, 1, 1, 1, dtype=torch.float64),
        torch.ones(1, 1, 1, 1, dtype=torch.float64),
    )
    w = 1 + 5 * 960 / 961
    iou = (0.5 * w + 1) / (1.5 * w - 0.5 * w + 1)
    assert value.item() == pytest.approx(math.log(2) + 1 - iou, abs=1e-12)


def test_right_is_near_zero_and_wrong_is_far():
    """Perfect must be the minimum, unlike with an inverted overlap."""
    _, mask = make()
    right = structure_loss(20 * (2 * mask - 1), mask)
    wrong = structure_loss(-20 * (2 * mask - 1), mask)
    assert (right < 0.02).all() and (right >= 0).all()
    assert (wrong > 10).all()


def test_a_frame_does_not_change_the_others_in_the_weighted_form():
    logits, mask = make()
    value = structure_loss(logits, mask)
    alone = structure_loss(logits[1:2], mask[1:2])
    torch.testing.assert_close(value[1:2], alone)


@pytest.mark.parametrize('weighted_bce', [True, False])
def test_invalid_pixels_take_no_part(weighted_bce):
    logits, mask = make()
    valid = torch.ones_like(mask)
    valid[:, :, 10:20, 5:30] = 0
    mask = mask * valid
    logits.requires_grad_()
    value = structure_loss(logits, mask, valid, weighted_bce=weighted_bce)
    value.sum().backward()
    assert (logits.grad[valid == 0] == 0).all()
    assert (logits.grad[valid == 1] != 0).all()
    with torch.no_grad():
        disturbed = logits + 50 * (1 - valid)
        torch.testing.assert_close(
            structure_loss(disturbed, mask, valid, weighted_bce=weighted_bce),
            value.detach(),
        )


@pytest.mark.parametrize('weighted_bce', [True, False])
def test_nothing_valid_is_zero_not_nan(weighted_bce):
    logits, mask = make(n=2, h=8, w=8)
    logits.requires_grad_()
    value = structure_loss(
        logits, mask, torch.zeros_like(mask), weighted_bce=weighted_bce
    )
    value.sum().backward()
    assert value.abs().max() == 0
    assert logits.grad.abs().max() == 0


def test_large_logits_have_finite_gradients():
    logits, mask = make(dtype=torch.float32)
    logits = (100 * logits).requires_grad_()
    value = structure_loss(logits, mask)
    value.sum().backward()
    assert value.isfinite().all() and logits.grad.isfinite().all()
