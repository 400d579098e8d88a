"""Measures of one clip, and of twins."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from mmavs.evaluation.listening import ClipMeter, measure_clip
from mmavs.evaluation.metrics import AVSMetric


def masks(*left: int) -> torch.Tensor:
    """Frames of 10 x 10 px of which so many columns sound."""
    columns = torch.arange(10).expand(10, 10)
    return torch.stack([(columns < n).long() for n in left])


def certain(mask: torch.Tensor) -> torch.Tensor:
    return mask.float() * 0.8 + 0.1


def test_shares_by_hand():
    """Two of ten columns sound, four are marked, one sounds as played."""
    target, marked = masks(2, 0), certain(masks(4, 3))
    found = measure_clip('a', marked, target, masks(1, 3) > 0)
    np.testing.assert_allclose(found.iou, [0.5, 0.7], atol=1e-6)
    np.testing.assert_allclose(found.foreground_share, [0.4, 0.3])
    np.testing.assert_allclose(found.truth_share, [0.2, 0])
    np.testing.assert_allclose(found.false_share, [0.3, 0])
    assert found.non_empty.tolist() == [True, False]
    assert found.active.tolist() == [True, True]


def test_pixels_without_a_label_do_not_count():
    target = masks(2)
    target[:, :, 5:] = 255
    found = measure_clip('a', certain(masks(10)), target, target == 1)
    assert found.foreground_share == 1 and found.truth_share == 0.4
    np.testing.assert_allclose(found.false_share, 0.6)


def test_active_means_more_than_a_thousandth():
    probability = torch.zeros(2, 100, 100)
    probability[0, 0, :10] = probability[1, 0, :11] = 0.9
    found = measure_clip('a', probability, probability.long(), None)
    assert found.active.tolist() == [False, True]
    assert np.isnan(found.false_share).all()


def test_scores_are_those_of_the_metric():
    generator = torch.Generator().manual_seed(0)
    probability = torch.rand(3, 20, 20, generator=generator)
    target = (torch.rand(3, 20, 20, generator=generator) < 0.3).long()
    target[2] = 0
    found = measure_clip('a', probability, target, None)
    expected = AVSMetric().score_clip('a', probability, target)
    for name in ('iou', 'f_curve', 'non_empty'):
        ours, theirs = getattr(found, name), getattr(expected, name)
        assert ours.dtype == theirs.dtype
        np.testing.assert_array_equal(ours, theirs)


def test_a_mask_of_another_size_is_named():
    with pytest.raises(ValueError, match=r"clip 'a'.*\(1, 5, 5\)"):
        measure_clip('a', certain(masks(1)), masks(1), torch.ones(1, 5, 5))


@pytest.mark.parametrize('order', ['ab', 'ba'])
def test_what_sounds_with_each_sound(order):
    """The twin's mask may come before or after."""
    clips = dict(a=masks(2, 2), b=masks(5, 0))
    conditions = ('matched', 'twin', 'silence', 'off_screen@0dB', 'shuffle')
    meter = ClipMeter(conditions, dict(a='b', b='a'))
    marked = certain(masks(4, 4))
    for name in order:
        meter.add(name, clips[name], dict.fromkeys(conditions, marked))
    records = meter.records()
    false = {}
    for condition, found in records.items():
        assert [clip.video_id for clip in found] == list(order)
        by_name = {clip.video_id: clip.false_share for clip in found}
        false[condition] = np.concatenate([by_name['a'], by_name['b']])
    own, other = [0.2, 0.2, 0, 0.4], [0, 0.4, 0.2, 0.2]
    np.testing.assert_allclose(false['matched'], own)
    np.testing.assert_allclose(false['off_screen@0dB'], own)
    np.testing.assert_allclose(false['twin'], other)
    np.testing.assert_allclose(false['silence'], 0.4)
    assert np.isnan(false['shuffle']).all()


def test_a_twin_that_does_not_come_leaves_it_open():
    meter = ClipMeter(['twin'], dict(a='gone'))
    meter.add('a', masks(2), dict(twin=certain(masks(4))))
    (record,) = meter.records()['twin']
    assert np.isnan(record.false_share) and record.foreground_share == 0.4


def test_frames_without_labels_are_skipped():
    mask = masks(2, 3)
    mask[1] = 255
    meter = ClipMeter(['matched'], {})
    meter.add('a', mask, dict(matched=certain(masks(2, 3))))
    (record,) = meter.records()['matched']
    np.testing.assert_allclose(record.iou, [1], atol=1e-6)
