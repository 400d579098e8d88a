"""L2 normalisation against NumPy and at its edges."""

import numpy as np
import pytest
import torch

from mmavs.functional.l2_normalise import l2_normalise, wide_sum


@pytest.mark.parametrize('dim', [0, 1, -1])
def test_against_numpy(dim):
    x = torch.randn(3, 4, 5, dtype=torch.float64)
    value = l2_normalise(x, dim)
    norm = np.linalg.norm(x.numpy(), axis=dim, keepdims=True)
    expected = x.numpy() / np.hypot(norm, 1e-3)
    np.testing.assert_allclose(value.numpy(), expected, rtol=1e-12)


def test_hand_case():
    value = l2_normalise(torch.tensor([[3.0, 4.0]]), dim=1, eps=11.0)
    torch.testing.assert_close(value, torch.tensor([[0.5, 4 / 6]]))


def test_zero_stays_zero_with_a_finite_gradient():
    x = torch.zeros(2, 3, requires_grad=True)
    value = l2_normalise(x, dim=1)
    assert not value.any()
    value.sum().backward()
    torch.testing.assert_close(x.grad, torch.full((2, 3), 1e3))


@pytest.mark.parametrize('dtype', [torch.bfloat16, torch.float16])
def test_half_precision_sums_in_float32(dtype):
    """4096 ones: bfloat16 cannot count beyond 256, float16 not to 65,536."""
    x = torch.ones(1, 4096, dtype=dtype)
    value = l2_normalise(x, dim=1)
    assert value.dtype == dtype
    torch.testing.assert_close(value, torch.full_like(x, 1 / 64))
    many = torch.ones(70_000, dtype=dtype)
    assert wide_sum(many, dim=0) == 70_000
    assert wide_sum(many, dim=0).dtype == torch.float32


def test_the_sum_of_float64_stays_float64():
    x = torch.full((3, 2), 0.1, dtype=torch.float64)
    assert wide_sum(x, dim=(0, 1)).dtype == torch.float64


def test_float16_beyond_the_root_of_its_range():
    """256 squared is infinite in float16; the direction is not lost."""
    x = torch.tensor([[300.0, 400.0]], dtype=torch.float16)
    value = l2_normalise(x, dim=1)
    assert value.dtype == torch.float16
    torch.testing.assert_close(
        value.float(), torch.tensor([[0.6, 0.8]]), rtol=1e-3, atol=0
    )
