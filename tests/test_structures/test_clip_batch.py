"""The batch that travels from the preprocessor to the segmentor."""

import pytest
import torch
from torch.distributed.utils import _recursive_to

from mmavs.structures import ClipBatch

KEYS = ('a' * 40, None)


def make_batch(*keys):
    return ClipBatch(
        torch.randn(6, 3, 8, 10), torch.randn(6, 1, 96, 64), 3, *keys
    )


def test_shape_is_that_of_the_frames():
    """mmseg's predict without samples reads inputs.shape[2:] and [0]."""
    assert make_batch().shape == (6, 3, 8, 10)


def test_there_need_be_no_keys():
    assert make_batch().audio_keys is None


@pytest.mark.parametrize('keys', [(), (KEYS,)])
def test_survives_the_move_of_distributed_training(keys):
    """DDP takes its inputs apart and must put a ClipBatch together again."""
    batch = make_batch(*keys)
    moved = _recursive_to(batch, torch.device('cpu'), False)[0]
    assert isinstance(moved, ClipBatch)
    assert torch.equal(moved.frames, batch.frames)
    assert torch.equal(moved.log_mel, batch.log_mel)
    assert moved.num_frames == 3
    assert moved.audio_keys == batch.audio_keys
