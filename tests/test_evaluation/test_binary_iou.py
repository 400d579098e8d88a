"""IoU of binary masks."""

from pathlib import Path

import numpy as np
import pytest
import torch

from mmavs.evaluation import binary_iou

DATA = Path(__file__).parents[1] / 'data'


def test_golden():
    golden = np.load(DATA / 'avsbench_binary_two_clips.npz')
    logits = torch.from_numpy(golden['logits'].astype(np.float32))
    masks = torch.from_numpy(np.unpackbits(golden['masks'], axis=-1))
    iou = binary_iou(logits.sigmoid() > 0.5, masks).view(2, 5).mean(1)
    assert np.abs(iou.numpy() - golden['miou_per_batch']).max() < 1e-5


def test_by_hand():
    target = torch.tensor(
        [
            [[1, 1, 0, 0]],
            [[0, 0, 0, 0]],
            [[0, 0, 0, 0]],
            [[1, 1, 1, 1]],
            [[1, 0, 0, 0]],
        ]
    )
    prediction = torch.tensor(
        [
            [[0, 1, 1, 0]],
            [[0, 0, 0, 1]],
            [[0, 0, 0, 0]],
            [[1, 1, 1, 1]],
            [[0, 0, 0, 0]],
        ]
    ).bool()
    expected = torch.tensor([1 / 3, 0.75, 1, 1, 0]).double()
    assert torch.allclose(binary_iou(prediction, target), expected, atol=1e-6)


def test_ignored_pixels_do_not_count():
    target = torch.tensor(
        [[[1, 255, 0, 255]], [[0, 0, 255, 255]], [[255] * 4]]
    )
    prediction = torch.tensor([[[1, 1, 1, 0]], [[1, 0, 1, 1]], [[1] * 4]])
    expected = torch.tensor([0.5, 0.5, 0.0]).double()
    assert torch.allclose(binary_iou(prediction, target), expected, atol=1e-6)
    assert torch.allclose(
        binary_iou(
            prediction[:1],
            target[:1].where(target[:1] != 255, torch.tensor(9)),
            9,
        ),
        expected[:1],
        atol=1e-6,
    )


def test_symmetry_of_non_empty_frames():
    generator = torch.Generator().manual_seed(0)
    a, b = torch.rand(2, 6, 9, 9, generator=generator) > 0.5
    assert torch.equal(binary_iou(a, b.int()), binary_iou(b, a.int()))
    assert torch.allclose(binary_iou(a, a.int()), torch.ones(6).double())


def test_shapes():
    with pytest.raises(ValueError, match=r'\(1, 2, 3\) and \(1, 3, 2\)'):
        binary_iou(torch.zeros(1, 2, 3), torch.zeros(1, 3, 2))
