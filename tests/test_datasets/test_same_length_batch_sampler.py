"""Batches of clips that are equally long."""

import itertools

import pytest
from mmengine.dataset import DefaultSampler, InfiniteSampler
from mmengine.runner import Runner
from mmseg.registry import DATA_SAMPLERS
from torch.utils.data import DistributedSampler, RandomSampler

from mmavs.datasets import SameLengthBatchSampler


class Clips:
    """Clips of given lengths."""

    def __init__(self, lengths):
        self.lengths = lengths

    def __len__(self):
        return len(self.lengths)

    def __getitem__(self, index):
        return index

    def get_data_info(self, index):
        return dict(num_frames=self.lengths[index])


MIXED = [5, 10, 5, 5, 10, 5, 10, 5, 5, 10, 5]  # seven and four


def batches_of_rank(rank, world_size, epoch=0, lengths=MIXED, **kwargs):
    sampler = DefaultSampler(Clips(lengths), shuffle=True, seed=1)
    sampler.rank, sampler.world_size = rank, world_size
    sampler.set_epoch(epoch)
    batches = SameLengthBatchSampler(sampler, 2, **kwargs)
    assert len(batches) == len(list(batches))
    return list(batches)


def test_shuffled_batches_have_every_clip_once_and_one_length():
    batches = batches_of_rank(0, 1)
    assert sorted(itertools.chain(*batches)) == list(range(11))
    for batch in batches:
        assert len({MIXED[i] for i in batch}) == 1
    assert sorted(map(len, batches)) == [1, 2, 2, 2, 2, 2]
    lengths = [MIXED[batch[0]] for batch in batches]
    assert lengths not in (sorted(lengths), sorted(lengths)[::-1])


def test_epochs_differ_and_can_be_repeated():
    assert batches_of_rank(0, 1, epoch=3) == batches_of_rank(0, 1, epoch=3)
    assert batches_of_rank(0, 1, epoch=3) != batches_of_rank(0, 1, epoch=4)


@pytest.mark.parametrize('world_size', [2, 3, 4, 5, 9])
def test_processes_get_as_many_batches(world_size):
    ranks = [batches_of_rank(r, world_size) for r in range(world_size)]
    assert len({len(batches) for batches in ranks}) == 1
    flat = [tuple(b) for batches in ranks for b in batches]
    assert set(itertools.chain(*flat)) == set(range(11))
    # Only what fills up the last round is repeated.
    assert len(flat) - 6 == -6 % world_size


def test_drop_last():
    batches = batches_of_rank(0, 1, drop_last=True)
    assert [len(batch) for batch in batches] == [2] * 5


def test_infinite_sampler_gives_full_batches_of_all_clips():
    sampler = InfiniteSampler(Clips(MIXED), shuffle=True, seed=0)
    batches = SameLengthBatchSampler(sampler, 2)
    assert len(batches) == 5
    some = list(itertools.islice(batches, 60))
    for batch in some:
        assert len(batch) == 2
        assert len({MIXED[i] for i in batch}) == 1
    counts = [sum(b.count(i) for b in some) for i in range(11)]
    # 120 draws of 11 clips, pass by pass; at most one clip of each length
    # waits.
    assert set(counts) <= {10, 11, 12}


@pytest.mark.parametrize('rank', [0, 1])
def test_evaluation_keeps_the_order(rank):
    lengths = [5] * 5 + [10] * 3
    sampler = DefaultSampler(Clips(lengths), shuffle=False)
    sampler.rank, sampler.world_size = rank, 2
    batches = list(SameLengthBatchSampler(sampler, 2))
    assert (
        batches
        == [
            [[0, 2], [4], [6]],
            [[1, 3], [5, 7]],
        ][rank]
    )
    assert len(SameLengthBatchSampler(sampler, 2)) == len(batches)
    dropped = list(SameLengthBatchSampler(sampler, 2, drop_last=True))
    assert dropped == [b for b in batches if len(b) == 2]


def test_built_by_the_runner():
    loader = Runner.build_dataloader(
        dict(
            batch_size=3,
            num_workers=0,
            sampler=dict(type='DefaultSampler', shuffle=False),
            batch_sampler=dict(type='SameLengthBatchSampler'),
            dataset=Clips([5, 5, 5, 5, 10]),
            collate_fn=dict(type='pseudo_collate'),
        ),
        seed=0,
    )
    assert list(loader) == [[0, 1, 2], [3], [4]]
    # What mmengine's DistSamplerSeedHook sets.
    assert hasattr(loader.batch_sampler.sampler, 'set_epoch')


@pytest.mark.parametrize('lengths', [MIXED, [5], [10] * 4, [5, 6, 7, 8]])
@pytest.mark.parametrize('drop_last', [False, True])
@pytest.mark.parametrize('world_size', [1, 2, 5])
def test_number_is_that_of_the_batches(lengths, drop_last, world_size):
    for rank in range(world_size):  # which compares them
        batches_of_rank(rank, world_size, lengths=lengths, drop_last=drop_last)


@pytest.mark.parametrize('shuffle', [True, False])
def test_number_does_not_draw_the_batches_anew(shuffle, monkeypatch):
    sampler = DefaultSampler(Clips(MIXED), shuffle=shuffle, seed=1)
    batches = SameLengthBatchSampler(sampler, 2)
    expected = len(batches)

    def draw():
        raise AssertionError('drawn anew')

    for name in ('_shuffled_batches', '_consecutive_batches'):
        monkeypatch.setattr(batches, name, draw)
    sampler.set_epoch(1)
    assert len(batches) == expected
    # A shuffled one need not draw them even once.
    if shuffle:
        again = SameLengthBatchSampler(sampler, 2)
        monkeypatch.setattr(again, '_shuffled_batches', draw)
        assert len(again) == expected


class Reversed(DefaultSampler):
    def __iter__(self):
        return reversed(list(super().__iter__()))


class Logged(DefaultSampler):
    """Has the order of its base."""


@pytest.mark.parametrize(
    'sampler',
    [
        RandomSampler(Clips(MIXED)),
        DistributedSampler(Clips(MIXED), num_replicas=1, rank=0),
        Reversed(Clips(MIXED), shuffle=True, seed=1),
        Reversed(Clips(MIXED), shuffle=False),
    ],
    ids=lambda sampler: type(sampler).__name__,
)
def test_samplers_whose_order_would_be_lost(sampler):
    rule = f'DefaultSampler.*InfiniteSampler, got {type(sampler).__name__}$'
    with pytest.raises(TypeError, match=rule):
        SameLengthBatchSampler(sampler, 2)


def test_subclass_with_the_same_order():
    sampler = Logged(Clips(MIXED), shuffle=True, seed=1)
    assert list(SameLengthBatchSampler(sampler, 2)) == batches_of_rank(0, 1)


def test_data_set_without_lengths():
    sampler = DefaultSampler([1, 2, 3], shuffle=True, seed=0)
    sampler = DATA_SAMPLERS.build(
        dict(type='SameLengthBatchSampler', sampler=sampler, batch_size=2)
    )
    with pytest.raises(TypeError, match='num_frames, got list'):
        list(sampler)
    with pytest.raises(ValueError, match='batch_size'):
        SameLengthBatchSampler(sampler.sampler, 0)
