"""Mixtures, tags and their score."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmseg.datasets import MultiImageMixDataset

from mmavs.datasets import MixAudio, PackAudioTags
from mmavs.datasets.synthetic import SPECIES
from mmavs.evaluation import AudioTagMetric


def source(category: str, value: float, length: int = 100) -> dict:
    return dict(waveform=np.full(length, value, np.float32), category=category)


def test_mixture_is_the_sum_and_keeps_every_category():
    results = source('a', 1.0)
    results['mix_results'] = [source('b', 2.0, 90), source('a', 4.0)]
    mixed = MixAudio(max_sources=3, gain_db=0.0).transform(results)
    assert mixed['waveform'].dtype == np.float32
    np.testing.assert_array_equal(mixed['waveform'], np.full(90, 7.0))
    assert mixed['categories'] == ['a', 'b']


def test_levels_stay_within_the_gain():
    levels = []
    for _ in range(200):
        results = dict(source('a', 1.0), mix_results=[])
        mixed = MixAudio(max_sources=1, gain_db=6.0).transform(results)
        levels.append(20 * np.log10(mixed['waveform'][0]))
    assert -6.01 < min(levels) < -4 and 4 < max(levels) < 6.01


def test_number_of_sources():
    np.random.seed(0)
    counts = {
        len(MixAudio(max_sources=3).get_indices(range(10))) for _ in range(99)
    }
    assert counts == {0, 1, 2}
    with pytest.raises(ValueError, match='max_sources.*0'):
        MixAudio(max_sources=0)


def test_tags_of_one_and_of_several():
    log_mel = np.zeros((5, 1, 96, 64), np.float32)
    pack = PackAudioTags(categories=('a', 'b', 'c'))
    packed = pack.transform(dict(log_mel=log_mel, category='c'))
    assert packed['inputs'].shape == (5, 1, 96, 64)
    assert packed['data_samples'].tags.tolist() == [0, 0, 1]
    packed = pack.transform(
        dict(log_mel=log_mel, category='c', categories=['a', 'c'])
    )
    assert packed['data_samples'].tags.tolist() == [1, 0, 1]
    with pytest.raises(ValueError, match="clip 'x'.*'d'"):
        pack.transform(dict(log_mel=log_mel, category='d', video_id='x'))


def test_accuracy_counts_any_of_the_categories():
    metric = AudioTagMetric()
    samples = [
        dict(scores=torch.tensor(scores), tags=torch.tensor(tags))
        for scores, tags in (
            ([0.1, 0.9], [0.0, 1.0]),
            ([0.1, 0.9], [1.0, 1.0]),
            ([0.9, 0.1], [0.0, 1.0]),
            ([0.2, 0.1], [1.0, 0.0]),
        )
    ]
    metric.process({}, samples)
    assert metric.evaluate(size=4) == dict(accuracy=0.75)


def test_config_names_the_species_of_the_generator(synthetic_root):
    config = Config.fromfile('configs/vggish_tiny_synthetic.py')
    assert tuple(config.categories) == tuple(SPECIES)
    wrapper = config.train_dataloader.dataset
    wrapper.dataset.data_root = str(synthetic_root / 'Single-source')
    wrapper.pop('type')
    packed = MultiImageMixDataset(**wrapper)[0]
    assert packed['inputs'].shape == (5, 1, 96, 64)
    assert 1 <= packed['data_samples'].tags.sum() <= 2
