"""The rows of all processes, for terms that compare frames of a batch."""

from __future__ import annotations

import torch
from mmengine.dist import all_gather, get_rank, get_world_size
from torch import Tensor


def gather_rows(x: Tensor) -> Tensor:
    """Join the rows of all processes, rank after rank.

    For a loss that every process computes from the joined rows: its gradient,
    averaged over the processes as ``DistributedDataParallel`` does, is that
    of one process with all rows. Only the rows of this process carry a
    gradient, and it is multiplied by the number of processes: each of them
    knows the derivative of the common value by its own rows. So nothing has
    to be sent while the gradients are computed.

    Without other processes it is ``x`` itself. Processes may have different
    numbers of rows; all must call it, and in the same order.

    Shapes:
        - x: (N, K).
        - returns: (sum of the N of all processes, K).
    """
    world_size = get_world_size()
    if world_size == 1:
        return x
    sizes = [
        int(size) for size in all_gather(torch.tensor(len(x), device=x.device))
    ]
    padded = x.new_zeros(max(sizes), *x.shape[1:])
    padded[: len(x)] = x.detach()
    rows = [
        other[:size]
        for other, size in zip(all_gather(padded), sizes, strict=True)
    ]
    rows[get_rank()] = _ScaledGradient.apply(x, world_size)
    return torch.cat(rows)


class _ScaledGradient(torch.autograd.Function):
    """The identity, whose gradient is multiplied by a number."""

    @staticmethod
    def forward(ctx, x: Tensor, factor: int) -> Tensor:
        ctx.factor = factor
        return x.view_as(x)

    @staticmethod
    def backward(ctx, gradient: Tensor) -> tuple[Tensor, None]:
        return gradient * ctx.factor, None
