"""Masks of the labelled frames."""

import pytest
import torch
from mmengine.structures import PixelData
from mmseg.structures import SegDataSample

from mmavs.structures import FrameLabels


def make_sample(mask, **metainfo):
    sample = SegDataSample(metainfo=metainfo)
    sample.gt_sem_seg = PixelData(data=torch.as_tensor(mask)[None])
    return sample


EMPTY = [[0, 0], [0, 0]]
UNLABELLED = [[255, 255], [255, 255]]
PARTLY = [[255, 1], [0, 7]]


def test_labelled_frames_and_their_positions():
    """A mask without foreground is a label; one without labels is not."""
    masks = [UNLABELLED, EMPTY, UNLABELLED, PARTLY]
    labels = FrameLabels.from_samples([make_sample(m) for m in masks])
    assert labels.index.tolist() == [1, 3]
    assert labels.labels.tolist() == [EMPTY, PARTLY]
    assert labels.labels.dtype == torch.int64


def test_foreground_is_binary_without_the_filler():
    """Every class but background is 1; the ignored pixel is 0, not 255."""
    labels = FrameLabels.from_samples([make_sample(PARTLY)])
    assert labels.foreground.tolist() == [[[[0, 1], [0, 1]]]]
    assert labels.foreground.dtype == torch.float32


def test_other_ignore_index():
    samples = [make_sample([[9, 9]]), make_sample([[9, 1]])]
    labels = FrameLabels.from_samples(samples, ignore_index=9)
    assert labels.index.tolist() == [1]
    assert labels.foreground.tolist() == [[[[0, 1]]]]


def test_uint8_masks():
    """uint8 as it lies on disk must not wrap or compare wrongly."""
    mask = torch.tensor(PARTLY, dtype=torch.uint8)
    labels = FrameLabels.from_samples([make_sample(mask)])
    assert labels.labels.tolist() == [PARTLY]


def test_no_labelled_frame_is_an_error():
    samples = [make_sample(UNLABELLED)] * 3
    with pytest.raises(ValueError, match='none of the 3 frames .* labelled'):
        FrameLabels.from_samples(samples)


def test_missing_mask_names_the_frame():
    samples = [
        make_sample(EMPTY),
        SegDataSample(metainfo={'img_path': 'a/3.png'}),
    ]
    with pytest.raises(ValueError, match=r'gt_sem_seg.*a/3\.png'):
        FrameLabels.from_samples(samples)
