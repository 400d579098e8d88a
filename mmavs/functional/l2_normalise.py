"""L2 normalisation and a sum that are safe in half precision."""

from __future__ import annotations

import torch
from torch import Tensor


def l2_normalise(x: Tensor, dim: int, eps: float = 1e-6) -> Tensor:
    """Divide by the L2 norm over one axis, zero where everything is zero.

    Args:
        x: any tensor.
        dim: the axis that is summed over.
        eps: added to the sum of squares, so that the gradient is finite at
            zero.

    Shapes:
        - x and the result: the same, also in dtype.

    Equation:
        x / sqrt(sum x^2 + eps).
    """
    # Squared in float32 at least: in float16 the square of 256 is infinite.
    # The norm keeps no squares in memory, which have the size of x.
    wide = torch.promote_types(x.dtype, torch.float32)
    norm = torch.linalg.vector_norm(x, dim=dim, keepdim=True, dtype=wide)
    return x * torch.rsqrt(norm.square() + eps).to(x.dtype)


def wide_sum(x: Tensor, dim: int | tuple[int, ...]) -> Tensor:
    """torch.sum that accumulates in float32 at least."""
    dtype = torch.promote_types(x.dtype, torch.float32)
    return torch.sum(x, dim=dim, dtype=dtype)
