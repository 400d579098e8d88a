"""The metric, as MMEngine runs it."""

from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.evaluator import Evaluator
from mmengine.structures import PixelData
from mmseg.registry import METRICS
from mmseg.structures import SegDataSample

from mmavs.evaluation import (
    AVSMetric,
    batchwise_scores,
    binary_iou,
    dataset_scores,
    f_measure_curve,
)
from mmavs.evaluation.functional.scores import ClipScores

DATA = Path(__file__).parents[1] / 'data'


def make_case(num_clips, num_frames=5, seed=0):
    """Make probabilities and masks (B, T, H, W); frame 0 of clip 1 empty."""
    generator = torch.Generator().manual_seed(seed)
    probability = torch.rand(num_clips, num_frames, 8, 8, generator=generator)
    masks = torch.rand(num_clips, num_frames, 8, 8, generator=generator)
    masks = (masks < probability).long()
    if num_clips > 1:
        masks[1, 0] = 0
    return probability, masks


def make_samples(probability, masks, first_clip=0):
    """Make the flat samples that a segmentor hands to the metric."""
    samples = []
    for b, (clip, clip_masks) in enumerate(
        zip(probability, masks, strict=True)
    ):
        for t, (p, g) in enumerate(zip(clip, clip_masks, strict=True)):
            sample = SegDataSample(
                metainfo=dict(
                    video_id=f'clip{first_clip + b}',
                    frame_idx=t,
                    num_frames=len(clip),
                )
            )
            sample.gt_sem_seg = PixelData(data=g[None])
            sample.seg_logits = PixelData(data=p[None])
            sample.pred_sem_seg = PixelData(data=(p[None] > 0.5).float())
            samples.append(sample)
    return samples


def evaluate(metric, probability, masks, batch_size):
    """Feed the metric as a test loop with a batch size does."""
    evaluator = Evaluator(metric)
    for start in range(0, len(masks), batch_size):
        part = slice(start, start + batch_size)
        evaluator.process(make_samples(probability[part], masks[part], start))
    return evaluator.evaluate(len(masks))


def golden_case():
    golden = np.load(DATA / 'avsbench_binary_two_clips.npz')
    logits = torch.from_numpy(golden['logits'].astype(np.float32))
    masks = torch.from_numpy(np.unpackbits(golden['masks'], axis=-1)).long()
    return (
        logits.sigmoid().view(2, 5, 64, 64),
        masks.view(2, 5, 64, 64),
        golden,
    )


@pytest.mark.parametrize('batch_size', [1, 2])
def test_golden_of_the_official_protocol(batch_size):
    probability, masks, golden = golden_case()
    metric = AVSMetric(protocol='avsbench', eval_clips_per_batch=1)
    scores = evaluate(metric, probability, masks, batch_size)
    assert abs(scores['mIoU'] - golden['miou_per_batch'].mean()) < 1e-5
    assert abs(scores['F'] - golden['fscore_per_batch'].mean()) < 1e-5


def test_one_official_batch_is_the_data_set():
    probability, masks, _ = golden_case()
    whole = AVSMetric(protocol='avsbench', eval_clips_per_batch=2)
    assert evaluate(whole, probability, masks, 1) == pytest.approx(
        evaluate(AVSMetric(), probability, masks, 1)
    )


@pytest.mark.parametrize('num_clips', [1, 2, 3, 4, 5, 7])
@pytest.mark.parametrize('batch_size', [1, 2, 3, 4])
def test_default_does_not_depend_on_the_batch(num_clips, batch_size):
    # Every remainder: one record per clip, so evaluate() drops none.
    probability, masks = make_case(num_clips)
    scores = evaluate(AVSMetric(), probability, masks, batch_size)
    flat_p, flat_g = probability.flatten(0, 1), masks.flatten(0, 1)
    non_empty = flat_g.flatten(1).any(1).bool()
    curve = f_measure_curve(flat_p, flat_g)[non_empty].mean(0)
    assert scores['mIoU'] == pytest.approx(
        float(binary_iou(flat_p > 0.5, flat_g).mean()), abs=1e-9
    )
    assert scores['F'] == pytest.approx(float(curve.max()), abs=1e-6)


def test_one_small_record_per_clip():
    metric = AVSMetric()
    samples = make_samples(*make_case(3))
    metric.process(None, [s.to_dict() for s in samples])
    assert len(metric.results) == 3
    for b, record in enumerate(metric.results):
        assert record.video_id == f'clip{b}'
        assert record.iou.shape == (5,)
        assert record.f_curve.shape == (5, 255)
        assert record.f_curve.dtype == np.float32
    assert metric.results[1].non_empty.tolist() == [False] + [True] * 4


def test_last_frames_count():
    # With one record per frame, evaluate(2) would keep two frames of ten.
    probability, masks = make_case(2)
    masks[:] = 1
    probability[:] = 1.0
    probability[1, 4] = 0.0
    scores = evaluate(AVSMetric(), probability, masks, 2)
    assert scores['mIoU'] == pytest.approx(0.9)


def test_official_f_grows_as_batches_shrink():
    probability, masks = make_case(6, seed=3)
    scores = [
        evaluate(
            AVSMetric(protocol='avsbench', eval_clips_per_batch=size),
            probability,
            masks,
            2,
        )['F']
        for size in (1, 3, 6)
    ]
    assert scores[0] > scores[1] > scores[2]


def test_smaller_last_batch_counts_fully():
    clips = [
        ClipScores(
            'a',
            np.array([1.0, 1.0]),
            np.ones((2, 255), np.float32),
            np.array([True, True]),
        ),
        ClipScores(
            'b',
            np.array([0.4, 0.8]),
            np.zeros((2, 255), np.float32),
            np.array([True, True]),
        ),
        ClipScores(
            'c',
            np.array([0.0, 0.0]),
            np.ones((2, 255), np.float32),
            np.array([True, True]),
        ),
    ]
    miou, f_score = batchwise_scores(clips, 2)
    assert miou == pytest.approx((0.8 + 0.0) / 2)
    assert f_score == pytest.approx((0.5 + 1.0) / 2)
    miou, f_score = dataset_scores(clips)
    assert miou == pytest.approx(3.2 / 6)
    assert f_score == pytest.approx(4 / 6)


def test_threshold_is_common_to_the_data_set():
    # Clip a is best at one threshold, clip b at another.
    a, b = np.zeros((1, 255), np.float32), np.zeros((1, 255), np.float32)
    a[0, 10], a[0, 20], b[0, 20], b[0, 30] = 0.9, 0.5, 0.6, 0.8
    clips = [
        ClipScores('a', np.ones(1), a, np.array([True])),
        ClipScores('b', np.ones(1), b, np.array([True])),
    ]
    assert dataset_scores(clips)[1] == pytest.approx(0.55)
    assert batchwise_scores(clips, 1)[1] == pytest.approx(0.85)


def test_silent_batch():
    probability, masks = make_case(2)
    masks[1] = 0
    default = evaluate(AVSMetric(), probability, masks, 1)
    alone = evaluate(AVSMetric(), probability[:1], masks[:1], 1)
    assert default['F'] == pytest.approx(alone['F'])
    official = evaluate(
        AVSMetric(protocol='avsbench', eval_clips_per_batch=1),
        probability,
        masks,
        2,
    )
    assert official['F'] == pytest.approx(alone['F'] / 2)
    silent = evaluate(AVSMetric(), probability[1:], masks[1:], 1)
    assert np.isnan(silent['F'])
    # A silent frame scores the share of its pixels predicted background.
    share = float((probability[1] <= 0.5).double().mean())
    assert silent['mIoU'] == pytest.approx(share, abs=1e-6)


def test_probabilities_get_no_second_sigmoid():
    # A second sigmoid would lift 0.3 to 0.57, above the threshold.
    probability = torch.full((1, 5, 8, 8), 0.3)
    masks = torch.zeros(1, 5, 8, 8, dtype=torch.long)
    scores = evaluate(AVSMetric(), probability, masks, 1)
    assert scores['mIoU'] == pytest.approx(1.0)
    with pytest.raises(ValueError, match='not logits'):
        evaluate(AVSMetric(), probability - 4, masks, 1)


def test_only_labelled_frames_and_pixels_count():
    probability, masks = make_case(2)
    reference = evaluate(AVSMetric(), probability[:, :2], masks[:, :2], 1)
    masks[:, 2:] = 255
    assert evaluate(AVSMetric(), probability, masks, 1) == pytest.approx(
        reference
    )
    half = masks.clone()
    half[..., 4:] = 255
    cut = evaluate(
        AVSMetric(), probability[:, :2, :, :4], masks[:, :2, :, :4], 1
    )
    assert evaluate(AVSMetric(), probability, half, 1) == pytest.approx(cut)
    # A clip without any label still has its record.
    masks[0] = 255
    only = evaluate(AVSMetric(), probability[1:], masks[1:], 1)
    assert evaluate(AVSMetric(), probability, masks, 2) == pytest.approx(only)
    official = AVSMetric(protocol='avsbench', eval_clips_per_batch=1)
    assert evaluate(official, probability, masks, 2)['mIoU'] == pytest.approx(
        only['mIoU']
    )
    masks[:] = 255
    for metric in (AVSMetric(), official):
        with pytest.raises(ValueError, match='none of the evaluated'):
            evaluate(metric, probability, masks, 2)


def test_options():
    probability, masks = make_case(2)
    metric = METRICS.build(
        dict(
            type='AVSMetric',
            prefix='s4',
            collect_device='cpu',
            threshold=0.9,
            beta_squared=1.0,
        )
    )
    scores = evaluate(metric, probability, masks, 2)
    assert set(scores) == {'s4/mIoU', 's4/F'}
    flat_p, flat_g = probability.flatten(0, 1), masks.flatten(0, 1)
    assert scores['s4/mIoU'] == pytest.approx(
        float(binary_iou(flat_p > 0.9, flat_g).mean())
    )
    non_empty = flat_g.flatten(1).any(1).bool()
    curve = f_measure_curve(flat_p, flat_g, beta_squared=1.0)[non_empty]
    assert scores['s4/F'] == pytest.approx(float(curve.mean(0).max()))
    assert metric.results == []


@pytest.mark.parametrize(
    'kwargs, message',
    [
        (dict(protocol='coco'), "'avsbench', 'dataset'.*'coco'"),
        (dict(protocol='avsbench'), 'needs eval_clips_per_batch'),
        (dict(eval_clips_per_batch=4), "'dataset' with 4"),
        (
            dict(protocol='avsbench', eval_clips_per_batch=0),
            'at least 1, got 0',
        ),
    ],
)
def test_bad_options(kwargs, message):
    with pytest.raises(ValueError, match=message):
        AVSMetric(**kwargs)


def test_bad_samples():
    metric = AVSMetric()

    def process(samples):
        metric.process(None, [s.to_dict() for s in samples])

    samples = make_samples(*make_case(2))
    with pytest.raises(ValueError, match="'clip1' must come as frames 0 to"):
        process(samples[:-1])
    with pytest.raises(ValueError, match="'clip0'"):
        process(samples[1:])
    with pytest.raises(ValueError, match="'clip0'"):
        process(samples[:4] + samples[9:])
    small = make_samples(*make_case(1))
    small[2].gt_sem_seg = PixelData(data=torch.zeros(1, 8, 8))
    del small[2].seg_logits
    with pytest.raises(ValueError, match="'seg_logits' in every frame"):
        process(small)
    with pytest.raises(ValueError, match="needs 'video_id'"):
        process([SegDataSample()])
    other = make_samples(make_case(1)[0], make_case(1)[1][..., :6])
    with pytest.raises(ValueError, match=r'\(1, 8, 6\), \(1, 8, 8\)'):
        process(other)


def test_same_id_twice_is_two_clips():
    probability, masks = make_case(2)
    samples = make_samples(probability, masks)
    for sample in samples:
        sample.set_metainfo(dict(video_id='same'))
    metric = AVSMetric()
    metric.process(None, [s.to_dict() for s in samples])
    assert len(metric.results) == 2
