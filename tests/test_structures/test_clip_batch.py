"""The batch that travels from the preprocessor to the segmentor."""

import torch
from torch.distributed.utils import _recursive_to

from mmavs.structures import ClipBatch


def make_batch():
    return ClipBatch(torch.randn(6, 3, 8, 10), torch.randn(6, 1, 96, 64), 3)


def test_shape_is_that_of_the_frames():
    """mmseg's predict without samples reads inputs.shape[2:] and [0]."""
    assert make_batch().shape == (6, 3, 8, 10)


def test_survives_the_move_of_distributed_training():
    """DDP takes its inputs apart and must put a ClipBatch together again."""
    batch = make_batch()
    moved = _recursive_to(batch, torch.device('cpu'), False)[0]
    assert isinstance(moved, ClipBatch)
    assert torch.equal(moved.frames, batch.frames)
    assert torch.equal(moved.log_mel, batch.log_mel)
    assert moved.num_frames == 3
