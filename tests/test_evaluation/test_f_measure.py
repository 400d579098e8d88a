"""The F-measure curve, against the definition."""

from pathlib import Path

import numpy as np
import pytest
import torch

from mmavs.evaluation import f_measure_curve
from mmavs.evaluation.functional import f_measure_thresholds

DATA = Path(__file__).parents[1] / 'data'


def curve_by_comparisons(probability, target, ignore_index=255):
    """Compare once per threshold, frame by frame."""
    curves = []
    for p, g in zip(probability, target, strict=True):
        valid = g != ignore_index
        p, g = p[valid], (g[valid] > 0)
        curve = []
        for t in torch.linspace(0, 1 - 1e-10, 255):
            predicted = p >= t
            true_positive = (predicted & g).sum().double()
            precision = true_positive / (predicted.sum() + 1e-20)
            recall = true_positive / (g.sum() + 1e-20)
            f = 1.3 * precision * recall / (0.3 * precision + recall)
            curve.append(0.0 if torch.isnan(f) else float(f))
        curves.append(curve)
    return torch.tensor(curves, dtype=torch.float64)


def random_case(seed=0, num_frames=3):
    generator = torch.Generator().manual_seed(seed)
    probability = torch.rand(num_frames, 20, 20, generator=generator)
    target = torch.rand(num_frames, 20, 20, generator=generator) > 0.7
    return probability, target.to(torch.int64)


def test_golden_of_each_clip():
    golden = np.load(DATA / 'avsbench_binary_two_clips.npz')
    logits = torch.from_numpy(golden['logits'].astype(np.float32))
    masks = torch.from_numpy(np.unpackbits(golden['masks'], axis=-1))
    curves = f_measure_curve(logits.sigmoid(), masks)
    for b in range(2):
        clip = slice(5 * b, 5 * b + 5)
        non_empty = masks[clip].flatten(1).sum(1) > 0
        assert int(non_empty.sum()) == 4
        f_score = curves[clip][non_empty].mean(0).max()
        assert abs(f_score - golden['fscore_per_batch'][b]) < 1e-5


def test_definition_on_random_probabilities():
    probability, target = random_case()
    assert torch.allclose(
        f_measure_curve(probability, target),
        curve_by_comparisons(probability, target),
        atol=1e-12,
    )


def test_definition_on_the_thresholds_themselves():
    # p >= t holds with equality: every threshold, its float32 neighbours,
    # and both ends.
    thresholds = f_measure_thresholds()
    values = torch.cat(
        [
            thresholds,
            torch.nextafter(thresholds, torch.tensor(0.0)),
            torch.nextafter(thresholds, torch.tensor(1.0)),
            torch.tensor([0.0, 1.0, 0.5]),
        ]
    ).view(1, 32, 24)
    target = torch.randint(
        0, 2, (1, 32, 24), generator=torch.Generator().manual_seed(0)
    )
    assert torch.allclose(
        f_measure_curve(values, target),
        curve_by_comparisons(values, target),
        atol=1e-12,
    )


def test_half_precision_and_bytes():
    probability, target = random_case(1)
    half = probability.half()
    assert torch.equal(
        f_measure_curve(half, target.to(torch.uint8)),
        f_measure_curve(half.float(), target),
    )


def test_ignored_pixels_do_not_count():
    probability, target = random_case(2)
    target[:, ::3] = 255
    curve = f_measure_curve(probability, target)
    assert torch.allclose(
        curve, curve_by_comparisons(probability, target), atol=1e-12
    )
    changed = probability.clone()
    changed[:, ::3] = 1 - changed[:, ::3]
    assert torch.equal(f_measure_curve(changed, target), curve)


def test_by_hand():
    probability = torch.tensor([[[0.9, 0.6, 0.6, 0.1]]])
    target = torch.tensor([[[1, 1, 0, 0]]])
    curve = f_measure_curve(probability, target)[0]

    def f(precision, recall):
        return 1.3 * precision * recall / (0.3 * precision + recall)

    thresholds = f_measure_thresholds()
    for low, high, expected in (
        (0, 0.1, f(0.5, 1)),
        (0.1, 0.6, f(2 / 3, 1)),
        (0.6, 0.9, f(1, 0.5)),
        (0.9, 1.1, 0.0),
    ):
        between = (thresholds > low) & (thresholds <= high)
        if low == 0:
            between |= thresholds == 0
        assert between.any()
        assert torch.allclose(curve[between], torch.tensor(expected).double())


def test_perfect_and_empty():
    target = torch.zeros(2, 4, 4, dtype=torch.int64)
    target[0, :2] = 1
    curve = f_measure_curve(target.float(), target)
    assert torch.allclose(curve[0, 1:], torch.ones(254).double())
    assert (curve[1] == 0).all()


def test_no_frames():
    empty = torch.zeros(0, 4, 4)
    assert f_measure_curve(empty, empty.long()).shape == (0, 255)


def test_refuses_logits_and_shapes():
    target = torch.zeros(1, 1, 2)
    for bad in ([2.0, 0.5], [-0.1, 0.5], [float('nan'), 0.5]):
        with pytest.raises(ValueError, match=r'\[0, 1\].*not logits'):
            f_measure_curve(torch.tensor([[bad]]), target)
    with pytest.raises(ValueError, match=r'\(1, 2, 1\) and \(1, 1, 2\)'):
        f_measure_curve(torch.zeros(1, 2, 1), target)
