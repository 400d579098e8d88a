"""Configs by name, weights that fit, classes, pipelines."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from small_network import ROOT, small_config

from mmavs.apis import AVSInferencer
from mmavs.inference.loading import build_model, clip_length, window_pipeline
from mmavs.inference.shipped_configs import find_config, shipped_configs


def test_binary_classes(inferencer):
    assert inferencer.classes == ('background', 'sounding')
    assert len(inferencer.palette) == 2
    assert inferencer.num_frames == 5


def test_classes_that_nobody_names_are_numbered(tmp_path):
    config = small_config('mmvae_tiny_avss', tmp_path)
    with pytest.warns(UserWarning, match='no weights.*mmvae_tiny_avss'):
        inferencer = AVSInferencer(config, device='cpu')
    assert inferencer.classes[:3] == ('background', 'class 1', 'class 2')
    assert len(inferencer.classes) == len(inferencer.palette) == 9


@pytest.mark.parametrize(
    ('dataset', 'length'),
    [
        (dict(type='AVSBenchMS3Dataset'), 5),
        (dict(type='AVSBenchS4Dataset', num_frames=3), 3),
        (dict(type='AVSBenchSemanticDataset', num_frames=None), 10),
        (dict(type='AVSBenchSemanticDataset', subsets=['v1s', 'v1m']), 5),
    ],
)
def test_frames_of_a_window(dataset, length):
    assert clip_length(dataset) == length


def test_frames_of_a_window_that_nobody_knows():
    with pytest.raises(ValueError, match='ADE20KDataset does not say.*set '):
        clip_length(dict(type='ADE20KDataset'))


def test_wrong_precision(small_s4):
    with pytest.raises(ValueError, match="float32.*got 'float8'"):
        AVSInferencer(*small_s4, precision='float8')


def test_weights_that_do_not_fit(small_s4, tmp_path):
    config, path = small_s4
    content = torch.load(path)
    state = content['state_dict']
    state['extra.weight'] = torch.zeros(1)
    del state['backbone.conv1.weight']
    name = next(k for k in state if k.startswith('neck.') and state[k].ndim)
    state[name] = torch.zeros(7, 7, 7)
    wrong = tmp_path / 'wrong.pth'
    torch.save(content, wrong)
    with pytest.raises(ValueError) as info:
        AVSInferencer(config, wrong)
    message = str(info.value)
    for part in (
        str(wrong),
        'mmvae_tiny_s4',
        '1 missing (backbone.conv1.weight)',
        '1 left over (extra.weight)',
        f'1 of another shape ({name} (7, 7, 7), not (',
    ):
        assert part in message


def test_weights_of_a_wrapped_model(small_s4, inferencer, clips, tmp_path):
    """As distributed training may save them: every name with a prefix."""
    config, path = small_s4
    state = torch.load(path)['state_dict']
    torch.save(
        {f'module.{k}': v for k, v in state.items()}, tmp_path / 'w.pth'
    )
    clip = clips[0]
    np.testing.assert_array_equal(
        AVSInferencer(config, tmp_path / 'w.pth', 'cpu')(clip).probabilities,
        inferencer(clip).probabilities,
    )


@pytest.mark.parametrize(
    ('content', 'kind'),
    [
        ([torch.zeros(1)], 'list'),
        (dict(state_dict=[1, 2]), 'list'),
        (dict(state_dict=None), 'NoneType'),
        ({0: torch.zeros(1)}, 'dict'),
        (torch.zeros(3), 'Tensor'),
    ],
)
def test_files_without_weights(small_s4, tmp_path, content, kind):
    path = tmp_path / 'list.pth'
    torch.save(content, path)
    match = f"list.pth holds no weights.*'state_dict'.*got a {kind}"
    with pytest.raises(ValueError, match=match):
        AVSInferencer(small_s4[0], path, 'cpu')


def test_weights_that_are_missing(small_s4):
    with pytest.raises(FileNotFoundError, match='nowhere.pth does not exist'):
        AVSInferencer(small_s4[0], 'nowhere.pth')


def test_building_fetches_nothing(monkeypatch):
    """Not even where a config names weights to begin with."""

    def fetch(*args, **kwargs):
        raise AssertionError('weights were fetched')

    monkeypatch.setattr('timm.models._builder.load_pretrained', fetch)
    monkeypatch.setattr('torch.hub.download_url_to_file', fetch)
    for name in ('mmvae_tiny_s4', 'backbones/mmvae_timm-efficientnet-b0_s4'):
        config = Config.fromfile(find_config(name))
        config.model.audio_backbone.width = 0.05
        build_model(config)


def test_configs_by_name(tmp_path, monkeypatch):
    for name in ('mmvae_pvt_s4', 'ablations/mmvae_pvt_s4_tpavi'):
        assert name in shipped_configs()
        expected = ROOT / 'configs' / f'{name}.py'
        assert Path(find_config(name)).resolve() == expected
        assert Path(find_config(f'{name}.py')).resolve() == expected
    # A file comes first.
    monkeypatch.chdir(tmp_path)
    Path('mmvae_pvt_s4').write_text('')
    assert find_config('mmvae_pvt_s4') == 'mmvae_pvt_s4'


@pytest.mark.parametrize(
    ('name', 'near'),
    [
        ('mmvae_pvt_s5', 'mmvae_pvt_s4'),
        ('mmvae_pvt_s4_tpavi', 'ablations/mmvae_pvt_s4_tpavi'),
        ('configs/mmvae_tiny_s3.py', 'mmvae_tiny_s4'),
        ('xxxxxx', 'mmvae_pvt_s4'),
    ],
)
def test_unknown_config(name, near):
    with pytest.raises(FileNotFoundError, match=f'neither.*nearest.*{near}'):
        AVSInferencer(name)


def test_the_pipeline_must_load_frames():
    with pytest.raises(ValueError, match="LoadFrame.*got .'PackAVSInputs'"):
        window_pipeline([dict(type='PackAVSInputs')])
    # Whatever else the name is found in.
    named = dict(type='Resize', note='as LoadImageFromNDArray')
    with pytest.raises(ValueError, match='must load frames'):
        window_pipeline([dict(type='ClipTransform', transforms=[named])])


def test_pipeline_of_windows():
    """What reads files is gone, everything else stays, also nested."""
    inner = [
        dict(type='LoadFrame', to_float32=True),
        dict(type='Resize', scale=(8, 8)),
        dict(type='mmseg.LoadAVSMask'),
    ]
    pipeline = [
        dict(type='ClipTransform', transforms=inner),
        dict(type='LoadAudio'),
        dict(type='SoundCondition', condition='silence'),
        dict(type='VGGishLogMel'),
    ]
    loader = dict(type='LoadImageFromNDArray', to_float32=True)
    assert window_pipeline(pipeline) == [
        dict(type='ClipTransform', transforms=[loader, inner[1]]),
        dict(type='VGGishLogMel'),
    ]
    assert len(inner) == 3


def test_config_of_another_model():
    with pytest.raises(ValueError, match='vggish_tiny.*not one.*AudioTagger'):
        AVSInferencer('vggish_tiny_synthetic')
