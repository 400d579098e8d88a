"""The semantic metric, as MMEngine runs it."""

from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.evaluator import Evaluator
from mmengine.structures import PixelData
from mmseg.evaluation import IoUMetric
from mmseg.registry import METRICS
from mmseg.structures import SegDataSample
from PIL import Image

from mmavs.evaluation import AVSSemanticMetric
from mmavs.evaluation.metrics import avs_semantic_metric

DATA = Path(__file__).parents[1] / 'data'
PALETTE = [[0, 0, 0], [128, 0, 0], [0, 128, 0], [128, 128, 0], [0, 0, 128]]
META = dict(
    classes=('background', 'accordion', 'emergency-car', 'ukulele', 'wolf'),
    palette=PALETTE,
)


def make_clips(lengths=(5, 10, 5, 10, 5), seed=0, size=(8, 9)):
    """Clips of classes 0 to 3 (class 4 is nowhere): (id, guess, truth)."""
    rng = torch.Generator().manual_seed(seed)
    clips = []
    for b, num_frames in enumerate(lengths):
        shape = (num_frames, *size)
        truth = torch.randint(0, 4, shape, generator=rng)
        noise = torch.randint(0, 4, shape, generator=rng)
        hit = torch.rand(shape, generator=rng) < 0.5
        clips.append((f'-clip{b}', torch.where(hit, truth, noise), truth))
    return clips


def make_samples(clips):
    """The flat samples that a segmentor hands to the metric."""
    samples = []
    for video_id, prediction, truth in clips:
        for t, (p, g) in enumerate(zip(prediction, truth, strict=True)):
            sample = SegDataSample(
                metainfo=dict(
                    video_id=video_id,
                    frame_idx=t,
                    num_frames=len(truth),
                    img_path=f'v1s/{video_id}/frames/{t}.jpg',
                )
            )
            sample.gt_sem_seg = PixelData(data=g[None])
            sample.pred_sem_seg = PixelData(data=p[None])
            samples.append(sample)
    return samples


def evaluate(metric, clips, batch_size=2, meta=META):
    """Feed the metric as a test loop with a batch size does."""
    evaluator = Evaluator(metric)
    evaluator.dataset_meta = meta
    for start in range(0, len(clips), batch_size):
        evaluator.process(make_samples(clips[start : start + batch_size]))
    return evaluator.evaluate(len(clips))


@pytest.mark.parametrize('batch_size', [1, 2])
def test_golden_of_the_official_protocol(batch_size):
    golden = np.load(DATA / 'avsbench_semantic.npz')
    prediction, labels = (
        torch.from_numpy(golden[key]).long().view(2, 5, 32, 32)
        for key in ('prediction', 'labels')
    )
    clips = list(zip('ab', prediction, labels, strict=True))
    meta = dict(classes=[f'class {c}' for c in range(12)])
    scores = evaluate(AVSSemanticMetric(), clips, batch_size, meta)
    assert abs(scores['mIoU'] - golden['miou']) < 1e-5
    assert abs(scores['F'] - golden['fscore']) < 1e-5
    # Without the background, which is the first class and not the last.
    per_class = golden['iou_sum'] / golden['count']
    assert abs(scores['mIoU_foreground'] - per_class[1:].mean()) < 1e-5
    assert abs(scores['mIoU_foreground'] - per_class[:-1].mean()) > 1e-2
    per_class = golden['fscore_sum'] / golden['count']
    assert abs(scores['F_foreground'] - per_class[1:].mean()) < 1e-5


def test_data_set_iou_is_that_of_mmseg():
    clips = make_clips()
    scores = evaluate(AVSSemanticMetric(), clips)
    metric = IoUMetric()
    metric.dataset_meta = META
    metric.process({}, [s.to_dict() for s in make_samples(clips)])
    (_, union, *_), *_ = metric.results
    assert union[-1] == 0
    # In percent, with two digits.
    expected = metric.compute_metrics(metric.results)['mIoU']
    assert scores['mIoU_dataset'] * 100 == pytest.approx(expected, abs=0.006)


def test_a_class_that_is_nowhere():
    """0 in AVSBench's mean, left out of that of the data set."""
    clips = make_clips()
    with_wolf = evaluate(AVSSemanticMetric(), clips)
    meta = dict(classes=META['classes'][:4])
    without = evaluate(AVSSemanticMetric(), clips, meta=meta)
    for key, share in (
        ('mIoU', 4 / 5),
        ('F', 4 / 5),
        ('mIoU_foreground', 3 / 4),
        ('F_foreground', 3 / 4),
        ('mIoU_dataset', 1),
    ):
        assert with_wolf[key] == pytest.approx(share * without[key])


def test_all_background():
    """One class of five, its IoU the mean share of background."""
    clips = [(i, p * 0, g) for i, p, g in make_clips()]
    share = torch.cat([(g == 0).flatten(1) for *_, g in clips])
    scores = evaluate(AVSSemanticMetric(), clips)
    assert scores['mIoU'] == pytest.approx(share.double().mean().item() / 5)
    assert scores['mIoU_foreground'] == 0


@pytest.mark.parametrize('batch_size', [1, 2, 3, 5])
def test_neither_batches_nor_order_matter(batch_size):
    clips = make_clips()
    reference = evaluate(AVSSemanticMetric(), clips, 1)
    shuffled = [clips[b] for b in (3, 0, 4, 2, 1)]
    for order in (clips, shuffled):
        scores = evaluate(AVSSemanticMetric(), order, batch_size)
        assert scores == pytest.approx(reference, abs=1e-12)
    # One record of whole numbers per clip, the same in any batch.
    metric = AVSSemanticMetric()
    metric.dataset_meta = META
    metric.process(None, [s.to_dict() for s in make_samples(shuffled)])
    assert [r.video_id for r in metric.results] == [i for i, *_ in shuffled]
    for record, (_, prediction, truth) in zip(metric.results, shuffled):
        assert record.actual.shape == (len(truth), 5)
        assert record.actual.sum() == truth.numel()
        assert record.true_positive.sum() == (prediction == truth).sum()


def test_last_frames_count():
    """With one record per frame, evaluate(2) would keep two of fifteen."""
    clips = [(i, g.clone(), g) for i, _, g in make_clips((5, 10))]
    clips[1][1][9] = (clips[1][2][9] + 1) % 4
    scores = evaluate(AVSSemanticMetric(), clips)
    assert scores['mIoU'] == pytest.approx(4 / 5 * 14 / 15)


def test_only_labelled_frames_and_pixels_count():
    clips = make_clips((5, 10))
    cut = [(i, p[:1], g[:1]) for i, p, g in clips]
    reference = evaluate(AVSSemanticMetric(), cut)
    for _, _, truth in clips:
        truth[1:] = 255
    scores = evaluate(AVSSemanticMetric(), clips)
    assert scores == pytest.approx(reference)
    half = [(i, p[..., :4], g[..., :4]) for i, p, g in cut]
    for _, _, truth in clips:
        truth[..., 4:] = 255
    scores = evaluate(AVSSemanticMetric(), clips)
    assert scores == pytest.approx(evaluate(AVSSemanticMetric(), half))
    clips[0][2][:] = 255
    only = evaluate(AVSSemanticMetric(), half[1:])
    assert evaluate(AVSSemanticMetric(), clips) == pytest.approx(only)
    clips[1][2][:] = 255
    with pytest.raises(ValueError, match='none of the evaluated'):
        evaluate(AVSSemanticMetric(), clips)


def test_options():
    metric = METRICS.build(
        dict(
            type='AVSSemanticMetric',
            prefix='avss',
            beta_squared=1.0,
            ignore_index=3,
            collect_device='cpu',
        )
    )
    clips = make_clips()
    scores = evaluate(metric, clips)
    names = {'mIoU', 'F', 'mIoU_foreground', 'F_foreground', 'mIoU_dataset'}
    assert set(scores) == {f'avss/{name}' for name in names}
    ignored = [(i, p, g.where(g != 3, 255)) for i, p, g in clips]
    expected = evaluate(AVSSemanticMetric(beta_squared=1.0), ignored)
    assert scores['avss/F'] == pytest.approx(expected['F'])
    other = evaluate(AVSSemanticMetric(), ignored)
    assert scores['avss/mIoU'] == pytest.approx(other['mIoU'])
    assert scores['avss/F'] != pytest.approx(other['F'])


def test_table_has_the_names(monkeypatch):
    messages = []
    monkeypatch.setattr(
        avs_semantic_metric,
        'print_log',
        lambda message, logger: messages.append(message),
    )
    clips = make_clips()
    scores = evaluate(AVSSemanticMetric(), clips)
    classes, summary = messages
    lines = [line for line in classes.splitlines() if line.startswith('|')]
    assert [line.split()[1] for line in lines[1:]] == list(META['classes'])
    # A class that is nowhere has no score of its own.
    assert lines[-1].split()[3:-1:2] == ['0', '-', '-', '-']
    assert lines[1].split()[3] == '35'
    assert f'{scores["mIoU"]:.4f}' in summary
    assert ' 5 ' in summary and ' 35 ' in summary


def test_masks_are_written_with_the_palette(tmp_path):
    clips = make_clips((5, 10))
    clips[0][2][1:] = 255  # unlabelled frames are predicted all the same
    metric = AVSSemanticMetric(output_dir=str(tmp_path), keep_results=True)
    evaluate(metric, clips)
    files = sorted(p.relative_to(tmp_path) for p in tmp_path.rglob('*.*'))
    assert len(files) == 15
    for video_id, prediction, _ in clips:
        for t, expected in enumerate(prediction):
            with Image.open(tmp_path / video_id / f'{t}.png') as image:
                assert image.mode == 'P'
                assert np.array_equal(np.asarray(image), expected.numpy())
                colours = np.asarray(image.convert('RGB'))
            assert np.array_equal(colours, np.array(PALETTE)[expected])


def test_bad_samples():
    metric = AVSSemanticMetric()
    clips = make_clips((5,))

    def process(clips):
        metric.process(None, [s.to_dict() for s in make_samples(clips)])

    with pytest.raises(ValueError, match="'classes' in the metainfo"):
        process(clips)
    metric.dataset_meta = META
    wrong = [(i, p, g.where(g != 3, 70)) for i, p, g in clips]
    with pytest.raises(ValueError, match="'-clip0': a mask.*0 to 4.*70"):
        process(wrong)
    other = [(i, p[:, :4], g) for i, p, g in clips]
    with pytest.raises(
        ValueError, match=r"'-clip0': 'pred_sem_seg'.*\(1, 4, 9\), \(1, 8, 9\)"
    ):
        process(other)
    samples = [s.to_dict() for s in make_samples(clips)]
    with pytest.raises(ValueError, match="'-clip0' must come as frames 0 to"):
        metric.process(None, samples[:-1])
    del samples[2]['gt_sem_seg']
    with pytest.raises(ValueError, match="AVSSemanticMetric.*'gt_sem_seg'"):
        metric.process(None, samples)
