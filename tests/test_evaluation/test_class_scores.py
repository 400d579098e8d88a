"""Scores per class, against the definitions, mmseg and golden values."""

from pathlib import Path

import numpy as np
import pytest
import torch
from mmseg.evaluation import IoUMetric

from mmavs.evaluation import count_classes, dataset_iou, frame_means
from mmavs.evaluation.functional import ClassCounts

DATA = Path(__file__).parents[1] / 'data'


def make_case(num_frames=7, num_classes=6, seed=0, size=(9, 11)):
    """Random classes; the last two of C are nowhere, 1 and 2 not all over."""
    rng = torch.Generator().manual_seed(seed)
    shape = (num_frames, *size)
    target = torch.randint(0, num_classes - 2, shape, generator=rng)
    noise = torch.randint(0, num_classes - 2, shape, generator=rng)
    right = torch.rand(shape, generator=rng) < 0.6
    prediction = torch.where(right, target, noise)
    for masks in (prediction, target):
        masks[:2][masks[:2] == 1] = 0
        masks[3:5][masks[3:5] == 2] = 3
    target[torch.rand(shape, generator=rng) < 0.1] = 255
    return prediction, target


def by_definition(prediction, target, num_classes, beta_squared=0.3):
    """Pixel sets, frame after frame and class after class."""
    ious = [[] for _ in range(num_classes)]
    f_scores = [[] for _ in range(num_classes)]
    for p, g in zip(prediction, target, strict=True):
        p, g = p[g != 255], g[g != 255]
        for c in range(num_classes):
            tp = float(((p == c) & (g == c)).sum())
            union = float(((p == c) | (g == c)).sum())
            if union == 0:
                continue
            ious[c].append(tp / union)
            precision = tp / (float((p == c).sum()) + 1e-20)
            recall = tp / (float((g == c).sum()) + 1e-20)
            f = 0.0
            if precision + recall > 0:
                f = (1 + beta_squared) * precision * recall
                f /= beta_squared * precision + recall
            f_scores[c].append(f)
    return tuple(
        np.array([np.mean(v) if v else 0.0 for v in values])
        for values in (ious, f_scores)
    )


def test_golden():
    golden = np.load(DATA / 'avsbench_semantic.npz')
    prediction, labels = (
        torch.from_numpy(golden[key]) for key in ('prediction', 'labels')
    )
    counts = count_classes(prediction, labels, 12)
    means = frame_means(counts)
    number = golden['count']
    assert np.array_equal(means.num_frames, number)
    assert np.abs(means.iou * number - golden['iou_sum']).max() < 1e-5
    assert np.abs(means.f_score * number - golden['fscore_sum']).max() < 1e-5
    assert abs(means.iou.mean() - golden['miou']) < 1e-5
    assert abs(means.f_score.mean() - golden['fscore']) < 1e-5
    # The last class is predicted and never labelled: it counts as wrong.
    assert counts.predicted[:, -1].all() and not counts.actual[:, -1].any()
    assert means.iou[-1] == means.f_score[-1] == 0


@pytest.mark.parametrize('beta_squared', [0.3, 1.0])
@pytest.mark.parametrize('seed', [0, 1, 2])
def test_frame_means_against_the_definition(seed, beta_squared):
    prediction, target = make_case(seed=seed)
    means = frame_means(count_classes(prediction, target, 6), beta_squared)
    iou, f_score = by_definition(prediction, target, 6, beta_squared)
    np.testing.assert_allclose(means.iou, iou, atol=1e-12)
    np.testing.assert_allclose(means.f_score, f_score, atol=1e-12)
    assert means.num_frames[0] == 7 and means.num_frames[1] == 5


def test_by_hand():
    """Two frames of six pixels, four classes, the last of them nowhere.

    Class 1: 1 of 2 in the first frame, absent from the second, which the
    mean leaves out. Class 2: predicted only, 0 in one frame.
    """
    target = torch.tensor([[[0, 0, 0, 0, 1, 1]], [[0, 0, 0, 0, 0, 255]]])
    prediction = torch.tensor([[[0, 0, 0, 0, 0, 1]], [[0, 0, 0, 0, 2, 1]]])
    counts = count_classes(prediction, target, 4)
    assert counts.true_positive.tolist() == [[4, 1, 0, 0], [4, 0, 0, 0]]
    assert counts.predicted.tolist() == [[5, 1, 0, 0], [4, 0, 1, 0]]
    assert counts.actual.tolist() == [[4, 2, 0, 0], [5, 0, 0, 0]]
    means = frame_means(counts)
    assert means.num_frames.tolist() == [2, 1, 1, 0]
    np.testing.assert_allclose(means.iou, [(4 / 5 + 4 / 5) / 2, 1 / 2, 0, 0])
    f_0 = (1.3 * 4 / (0.3 * 4 + 5) + 1.3 * 4 / (0.3 * 5 + 4)) / 2
    f_1 = 1.3 * 1 * 0.5 / (0.3 * 1 + 0.5)  # P = 1, R = 1/2
    np.testing.assert_allclose(means.f_score, [f_0, f_1, 0, 0])
    np.testing.assert_allclose(dataset_iou(counts), [8 / 10, 1 / 2, 0, np.nan])


@pytest.mark.parametrize('seed', [0, 1, 2])
def test_dataset_iou_is_that_of_mmseg(seed):
    prediction, target = make_case(seed=seed)
    areas = [
        IoUMetric.intersect_and_union(p, g, 6, 255)
        for p, g in zip(prediction, target, strict=True)
    ]
    expected = IoUMetric.total_area_to_metrics(
        *(sum(area) for area in zip(*areas)), metrics=['mIoU']
    )['IoU']
    value = dataset_iou(count_classes(prediction, target, 6))
    np.testing.assert_allclose(value, expected, atol=1e-6)
    assert np.isnan(value[-2:]).all() and not np.isnan(value[:-2]).any()


def test_dataset_iou_from_the_confusion_matrix():
    prediction, target = make_case(seed=4)
    matrix = np.zeros((6, 6), dtype=int)
    known = target != 255
    np.add.at(matrix, (target[known].numpy(), prediction[known].numpy()), 1)
    hits = np.diag(matrix)[:4]
    union = (matrix.sum(0) + matrix.sum(1))[:4] - hits
    value = dataset_iou(count_classes(prediction, target, 6))
    np.testing.assert_allclose(value[:4], hits / union)


def test_the_two_means_differ():
    """A small wrong frame weighs as much as a large right one."""
    target = torch.zeros(2, 10, 10, dtype=torch.long)
    target[0, :9] = 1
    target[1, 0, 0] = 1
    prediction = target.clone()
    prediction[1, 0, 0] = 0
    counts = count_classes(prediction, target, 2)
    assert frame_means(counts).iou[1] == 0.5
    assert dataset_iou(counts)[1] == 90 / 91


def test_perfect_and_wrong():
    _, target = make_case()
    right = count_classes(target.where(target != 255, 0), target, 4)
    assert (frame_means(right).iou == 1).all()
    assert (frame_means(right).f_score == 1).all()
    wrong = count_classes((target + 1) % 4, target, 4)
    assert (frame_means(wrong).iou == 0).all()
    assert (frame_means(wrong).f_score == 0).all()


def test_what_is_predicted_of_ignored_pixels_does_not_matter():
    prediction, target = make_case()
    other = prediction.clone()
    # Not even a class that does not exist.
    other[target == 255] = 77
    for a, b in zip(
        *(
            (c.true_positive, c.predicted, c.actual)
            for c in (
                count_classes(prediction, target, 6),
                count_classes(other, target, 6),
            )
        ),
        strict=True,
    ):
        assert np.array_equal(a, b)


def test_every_pixel_is_counted_once():
    prediction, target = make_case()
    counts = count_classes(prediction.byte(), target.byte(), 6)
    known = (target != 255).flatten(1).sum(1).tolist()
    assert counts.actual.sum(1).tolist() == known
    assert counts.predicted.sum(1).tolist() == known
    assert counts.actual.dtype == np.int32


def test_no_frame():
    counts = count_classes(*(torch.zeros(0, 4, 4).long(),) * 2, 3)
    assert counts.actual.shape == (0, 3)
    with pytest.raises(ValueError, match='none of the evaluated frames'):
        ClassCounts.join([counts, counts])


@pytest.mark.parametrize(
    ('prediction', 'target', 'message'),
    [
        (5, 0, "'-a': a prediction must hold classes 0 to 4, got 5 to 5"),
        (0, 5, "'-a': a mask must hold classes 0 to 4, got 5 to 5"),
        (-1, 0, 'got -1 to -1'),
    ],
)
def test_classes_that_do_not_exist(prediction, target, message):
    masks = (torch.full((1, 2, 2), x) for x in (prediction, target))
    with pytest.raises(ValueError, match=message):
        count_classes(*masks, 5, video_id='-a')


def test_shapes():
    with pytest.raises(ValueError, match=r'\(1, 2, 3\) and \(1, 3, 2\)'):
        count_classes(torch.zeros(1, 2, 3), torch.zeros(1, 3, 2), 2)
