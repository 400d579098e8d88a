"""A small model that the tests of recordings share."""

from __future__ import annotations

import pytest
from mmengine.registry import init_default_scope
from small_inferencer import clip_of, data_set_of, save_weights
from small_network import small_config

from mmavs.apis import AVSInferencer


@pytest.fixture(scope='session')
def small_s4(synthetic_root, tmp_path_factory):
    """Config and path of the weights of a small model."""
    init_default_scope('mmseg')
    data_root = synthetic_root / 'Single-source'
    config = small_config('mmvae_tiny_s4', data_root)
    path = tmp_path_factory.mktemp('weights') / 's4.pth'
    return config, save_weights(config, path)


@pytest.fixture(scope='session')
def inferencer(small_s4):
    """The small model."""
    return AVSInferencer(*small_s4, device='cpu')


@pytest.fixture(scope='session')
def clips(inferencer):
    """Frames and waveforms of three test clips, as dicts of arrays."""
    dataset = data_set_of(inferencer)
    arrays = (clip_of(dataset.get_data_info(i)) for i in range(3))
    names = ('frames', 'waveform')
    return [dict(zip(names, clip), sample_rate_hz=16000) for clip in arrays]
