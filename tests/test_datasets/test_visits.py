"""Clips look as the seed of a visit says, whoever loads them."""

from __future__ import annotations

import random

import numpy as np
import pytest
import torch
from mmengine.dataset import (
    BaseDataset,
    ConcatDataset,
    DefaultSampler,
    InfiniteSampler,
)
from mmengine.structures import BaseDataElement
from torch.utils.data import DataLoader

from mmavs.datasets import (
    DataError,
    SameLengthBatchSampler,
    VisitBatchSampler,
    VisitDataset,
)
from mmavs.datasets.samplers import Visit
from mmavs.datasets.transforms.random_state import RandomState
from mmavs.random_streams import seed_generators, stream_seed

BROKEN = (2, 3)


def draw(results: dict) -> dict:
    """One number of every generator."""
    drawn = random.random(), np.random.rand(), torch.rand(()).item()
    sample = BaseDataElement(metainfo=dict(video_id=results['video_id']))
    return dict(inputs=drawn, data_samples=sample)


def fail(results: dict) -> dict:
    """Some clips cannot be read."""
    if results['number'] in BROKEN:
        raise DataError(f'file of {results["video_id"]} is torn')
    return results


class Clips(BaseDataset):
    """Six clips, of which every other one is longer."""

    def __init__(self, *steps) -> None:
        super().__init__(pipeline=list(steps))

    def load_data_list(self):
        return [
            dict(video_id=f'clip{i}', number=i, num_frames=5 + 5 * (i % 2))
            for i in range(6)
        ]


@pytest.mark.parametrize('kind', [InfiniteSampler, DefaultSampler])
@pytest.mark.parametrize('inner', [None, SameLengthBatchSampler])
def test_going_on_gives_the_same_visits(kind, inner):
    """Over the end of several passes of six clips."""

    def visits(start: int, count: int) -> list:
        clips = Clips()
        sampler = kind(clips, shuffle=True, seed=1)
        batch_sampler = inner and inner(sampler, 4)
        visits = VisitBatchSampler(sampler, 4, batch_sampler, endless=True)
        visits.begin(seed=7, start=start)
        iterator = iter(visits)
        return [next(iterator) for _ in range(count)]

    whole = visits(0, 9)
    assert whole[5:] == visits(5, 4)
    seeds = [visit.seed for batch in whole for visit in batch]
    assert len(set(seeds)) == len(seeds)
    assert {visit.index for batch in whole for visit in batch} == set(range(6))


def test_order_follows_the_seed_of_the_run():
    """Unless the config gives the sampler one of its own."""
    for own, seed in ((False, 7), (True, 1)):
        sampler = DefaultSampler(Clips(), seed=1)
        VisitBatchSampler(sampler, 2, order_has_seed=own).begin(seed=7)
        assert sampler.seed == seed


def test_no_batch_is_an_error():
    sampler = DefaultSampler(Clips())
    visits = VisitBatchSampler(sampler, 7, drop_last=True, endless=True)
    with pytest.raises(ValueError, match='no batch of 6 clips'):
        next(iter(visits))


def test_processes_have_other_seeds(monkeypatch):
    seeds = []
    for rank in range(2):
        monkeypatch.setattr(
            'mmavs.datasets.samplers.visit_batch_sampler.get_rank',
            lambda rank=rank: rank,
        )
        visits = VisitBatchSampler(DefaultSampler(Clips(), seed=1), 2)
        seeds.append([v.seed for batch in visits for v in batch])
    assert not set(seeds[0]) & set(seeds[1])


@pytest.mark.parametrize('workers', [0, 1, 3])
def test_workers_do_not_matter(workers):
    """Nor what the process has drawn before, nor a wrapper between."""
    seed_generators(workers)
    dataset = VisitDataset(ConcatDataset([Clips(draw), Clips(draw)]))
    sampler = DefaultSampler(dataset, seed=1)
    loader = DataLoader(
        dataset,
        batch_sampler=VisitBatchSampler(sampler, 3),
        num_workers=workers,
        collate_fn=lambda samples: samples,
    )
    drawn = [sample['inputs'] for batch in loader for sample in batch]
    expected = []
    for batch in VisitBatchSampler(DefaultSampler(dataset, seed=1), 3):
        for visit in batch:
            seed_generators(visit.seed)
            expected.append(draw(dict(video_id='x'))['inputs'])
    assert drawn == expected
    assert len(set(drawn)) == 12


def test_generators_are_put_back():
    before = RandomState.capture()
    VisitDataset(Clips(draw))[Visit(0, 5)]
    assert RandomState.capture().equals(before)
    with pytest.raises(DataError):
        VisitDataset(Clips(draw, fail_now))[Visit(0, 5)]
    assert RandomState.capture().equals(before)


def fail_now(results: dict) -> dict:
    raise DataError('torn')


def test_it_is_the_data_set_otherwise():
    clips = Clips(draw)
    dataset = VisitDataset(clips)
    assert len(dataset) == 6
    assert dataset.metainfo == clips.metainfo
    assert dataset.get_data_info(3)['video_id'] == 'clip3'
    assert not hasattr(dataset, 'nothing')


def test_seeds_differ_by_key():
    keys = [(1, 'a', 2), (1, 'a', 3), (1, 'b', 2), (12, 'a'), (1, 'a', 2, 0)]
    assert len({stream_seed(*key) for key in keys}) == len(keys)
    assert stream_seed(1, 'a', 2) == stream_seed(1, 'a', 2)
    assert 0 <= stream_seed(0) < 2**64


def test_an_unreadable_clip_is_an_error():
    with pytest.raises(DataError, match='file of clip2 is torn'):
        VisitDataset(Clips(fail, draw))[Visit(2, 5)]


def test_the_next_clip_as_long_takes_its_place():
    dataset = VisitDataset(Clips(fail, draw), max_unreadable=1)
    for index, stand_in in ((2, 4), (3, 5)):
        sample = dataset[Visit(index, 5)]['data_samples']
        assert sample.video_id == f'clip{stand_in}'
        assert sample.unreadable == [
            dict(
                video_id=f'clip{index}',
                reason=f'file of clip{index} is torn',
            )
        ]
    assert 'unreadable' not in dataset[Visit(1, 5)]['data_samples']


def test_a_reason_is_the_same_every_time():
    """Also where a library tells the address of an object."""

    def fail(results: dict) -> dict:
        if results['number'] == 0:
            raise DataError(f'clip0 is torn: {object()}')
        return results

    sample = VisitDataset(Clips(fail, draw), max_unreadable=1)[Visit(0, 5)]
    assert sample['data_samples'].unreadable == [
        dict(video_id='clip0', reason='clip0 is torn: <object object>')
    ]


def test_replacing_ends(monkeypatch):
    monkeypatch.setattr(f'{__name__}.BROKEN', (0, 2, 4))
    with pytest.raises(DataError, match='clip0 is torn'):
        VisitDataset(Clips(fail, draw), max_unreadable=9)[Visit(0, 5)]
    # Not on over the whole data set.
    with pytest.raises(DataError, match='file of clip2 is torn'):
        VisitDataset(Clips(fail, draw), max_unreadable=1)[Visit(0, 5)]
