"""Scores gathered over two processes are those of one process."""

from __future__ import annotations

import itertools
import os

import pytest
import torch
from mmengine.dataset import DefaultSampler
from mmengine.evaluator import Evaluator
from mmengine.structures import PixelData
from mmseg.structures import SegDataSample
from torch.utils.data import BatchSampler
from two_processes import in_two_processes

from mmavs.datasets import SameLengthBatchSampler
from mmavs.evaluation import AVSMetric, AVSSemanticMetric

SIZES = range(1, 10)
METRICS = dict(
    dataset=AVSMetric,
    # Depends on the order of the clips too.
    avsbench=lambda **kwargs: AVSMetric(
        protocol='avsbench', eval_clips_per_batch=2, **kwargs
    ),
    semantic=AVSSemanticMetric,
)
BATCHES = dict(
    stock=lambda sampler, size: BatchSampler(sampler, size, drop_last=False),
    same_length=SameLengthBatchSampler,
)
# Metric, batch sampler, clips in a batch.
CASES = list(itertools.product(METRICS, BATCHES, '123'))


class Clips:
    """Clips of 2 and of 3 frames with a prediction each, all different."""

    def __init__(self, size):
        self.size = size

    def __len__(self):
        return self.size

    def get_data_info(self, index):
        # As the data sets list them: the short ones first.
        return dict(num_frames=2 if index < self.size // 2 else 3)

    def __getitem__(self, index):
        rng = torch.Generator().manual_seed(index)
        num_frames = self.get_data_info(index)['num_frames']
        samples = []
        for t in range(num_frames):
            sample = SegDataSample(
                metainfo=dict(
                    video_id=f'clip{index}', frame_idx=t, num_frames=num_frames
                )
            )
            truth = torch.randint(3, (1, 6, 6), generator=rng)
            probability = torch.rand(1, 6, 6, generator=rng)
            predicted = torch.where(
                probability < 0.1 * (index + 1), truth, 2 - truth
            )
            sample.gt_sem_seg = PixelData(data=truth)
            sample.seg_logits = PixelData(data=probability)
            sample.pred_sem_seg = PixelData(data=predicted)
            samples.append(sample)
        return samples


def run_loop(metric, sampler, batches, size, batch_size):
    """What mmengine's loops do with the part of this process."""
    evaluator = Evaluator(metric)
    evaluator.dataset_meta = dict(classes=['a', 'b', 'c'])
    clips = Clips(size)
    for batch in BATCHES[batches](sampler(clips), batch_size):
        evaluator.process(
            list(itertools.chain.from_iterable(clips[i] for i in batch))
        )
    return evaluator.evaluate(size)


def unshuffled(clips):
    return DefaultSampler(clips, shuffle=False)


def unpadded(clips):
    return DefaultSampler(clips, shuffle=False, round_up=False)


def everything(folder):
    """The scores of all cases and sizes."""
    os.chdir(folder)  # where the processes exchange their records
    scores = {}
    for size in SIZES:
        for case in CASES:
            metric, batches, batch_size = case
            scores[case, size] = run_loop(
                METRICS[metric](), unshuffled, batches, size, int(batch_size)
            )
        # For machines without a common disk.
        scores['sent', size] = run_loop(
            METRICS['avsbench'](collect_device='gpu'),
            unshuffled,
            'stock',
            size,
            2,
        )
        if size > 1:
            scores['unpadded', size] = run_loop(
                METRICS['avsbench'](), unpadded, 'stock', size, 2
            )
    return scores


@pytest.fixture(scope='module')
def meeting_place(tmp_path_factory):
    return tmp_path_factory.mktemp('ranks')


@pytest.fixture(scope='module')
def ranks(meeting_place):
    """The scores that each of the two processes told."""
    return in_two_processes(everything, meeting_place, meeting_place)


@pytest.fixture(scope='module')
def expected():
    """The scores of all clips at once, without sampler or other process."""
    scores = {}
    for (name, metric), size in itertools.product(METRICS.items(), SIZES):
        evaluator = Evaluator(metric())
        evaluator.dataset_meta = dict(classes=['a', 'b', 'c'])
        clips = Clips(size)
        frames = itertools.chain.from_iterable(clips[i] for i in range(size))
        evaluator.process(list(frames))
        scores[name, size] = evaluator.evaluate(size)
    for name in METRICS:
        # A clip that is missing, or there twice, is seen.
        several = {scores[name, size]['mIoU'] for size in SIZES}
        assert len(several) == len(SIZES)
    return scores


@pytest.mark.parametrize('case', CASES, ids='-'.join)
def test_every_number_of_clips(ranks, expected, case):
    for size, rank in itertools.product(SIZES, ranks):
        assert rank[case, size] == expected[case[0], size], size


@pytest.mark.parametrize('way', ['sent', 'unpadded'])
def test_other_ways_to_share_the_clips(ranks, expected, way):
    for size, rank in itertools.product(SIZES, ranks):
        if (way, size) in rank:
            assert rank[way, size] == expected['avsbench', size], size
        else:
            assert way == 'unpadded' and size == 1  # one has no clip


def test_nothing_is_left_where_they_met(ranks, meeting_place):
    assert list((meeting_place / '.dist_test').iterdir()) == []
