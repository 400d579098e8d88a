"""Does a model listen?"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.runner import Runner

from mmavs.apis import evaluate_listening
from mmavs.datasets.synthetic import write_synthetic_avsbench

ROOT = Path(__file__).resolve().parents[2]
CONDITIONS = ('twin', 'swapped', 'silence', 'white_noise', 'shuffle')


@pytest.mark.parametrize('subset', ['s4', 'ms3'])
def test_matched_is_what_the_test_says(tiny_config, save_weights, subset):
    """To the last digit, with a threshold of the config's own."""
    config = tiny_config(subset)
    config.test_evaluator = dict(
        type='AVSMetric', threshold=0.45, beta_squared=1.0
    )
    checkpoint = save_weights(config)
    before = config.pretty_text
    steps = []
    report = evaluate_listening(
        config,
        checkpoint,
        CONDITIONS,
        num_bootstrap=20,
        progress=lambda *step: steps.append(step),
    )
    assert config.pretty_text == before
    assert steps == [(2, 4), (4, 4)]
    assert list(report.conditions) == ['matched', *CONDITIONS]
    measures = report.conditions['matched'].measures
    config.load_from = checkpoint
    config.experiment_name = f'test_{config.work_dir}'
    expected = Runner.from_cfg(config).test()
    assert {k: measures[k].value for k in ('mIoU', 'F')} == expected
    assert (report.num_clips, report.num_frames) == (4, 20)


def test_twins_change_places(tiny_config, save_weights):
    """What is marked with the twin's sound is what is marked in the twin."""
    config = tiny_config('ms3')
    report = evaluate_listening(
        config, save_weights(config), ['twin'], num_bootstrap=20
    )
    twins = {k: v['twin'] for k, v in report.pairs.items()}
    matched, twin = (
        {clip.video_id: clip for clip in report.records[name]}
        for name in ('matched', 'twin')
    )
    assert len(twins) == len(twin) == 4
    for video_id, other in twins.items():
        np.testing.assert_array_equal(
            twin[video_id].false_share, matched[other].false_share
        )
        np.testing.assert_array_equal(
            twin[video_id].foreground_share, matched[other].foreground_share
        )
        # But scored against the mask of the clip's own sound.
        assert (twin[video_id].f_curve != matched[other].f_curve).any()


def test_a_deaf_model_gets_exactly_the_same_scores(tiny_config, save_weights):
    """Twins share their frames, so without ears there is no gap at all."""
    config = tiny_config('s4')
    checkpoint = save_weights(config)
    content = torch.load(checkpoint)
    for name, value in content['state_dict'].items():
        if name.startswith('audio_backbone.embeddings.4.'):
            value.zero_()
    torch.save(content, checkpoint)
    report = evaluate_listening(
        config, checkpoint, CONDITIONS, num_bootstrap=20
    )
    for found in report.conditions.values():
        gap = found.measures['gap']
        assert (gap.value, gap.low, gap.high) == (0, 0, 0)
    matched = report.conditions['matched'].measures
    for found in report.conditions.values():
        for name in ('mIoU', 'F', 'foreground_share', 'active_share'):
            assert found.measures[name] == matched[name]


def test_sounds_without_pairs_are_left_out(tiny_config, save_weights):
    config = tiny_config('ms3')
    config.test_dataloader.dataset.pairs_file = None
    report = evaluate_listening(
        config, save_weights(config), ['twin', 'swapped'], num_bootstrap=20
    )
    assert list(report.conditions) == ['matched', 'swapped']
    assert list(report.left_out) == ['twin']
    assert 'test set' in report.left_out['twin']
    assert report.twin_gap is None and report.gap is not None
    assert all(
        list(partners) == ['swapped'] for partners in report.pairs.values()
    )


def test_the_same_again(tiny_config, save_weights):
    config = tiny_config('s4')
    checkpoint = save_weights(config)
    conditions = ['white_noise', 'pink_noise@-5dB', 'shuffle']

    def run(seed):
        report = evaluate_listening(
            config, checkpoint, conditions, seed=seed, num_bootstrap=20
        )
        return json.dumps(report.to_dict())

    first = run(0)
    assert run(0) == first
    assert run(1) != first


def test_foreground_of_a_semantic_model(tmp_path, save_weights):
    """Whatever its class; each clip with as many frames as it has."""
    root, _ = write_synthetic_avsbench(
        tmp_path, 'avss', dict(train=2, val=12, test=0), seed=3
    )
    config = Config.fromfile(ROOT / 'configs/mmvae_tiny_avss.py')
    config.model.audio_backbone.update(init_cfg=None, width=0.05)
    config.model.backbone.base_channels = 8
    config.model.neck.in_channels = (8, 16, 32, 64)
    loader = config.val_dataloader
    loader.update(batch_size=2, num_workers=0, persistent_workers=False)
    loader.dataset.data_root = str(root)
    for step in loader.dataset.pipeline[0].transforms:
        if step.type == 'Resize':
            step.scale = (64, 64)
    report = evaluate_listening(
        config,
        save_weights(config),
        ['silence'],
        split='val',
        num_bootstrap=20,
    )
    assert report.num_clips == 12
    for name in ('matched', 'silence'):
        measures = report.conditions[name].measures
        assert 0 <= measures['mIoU'].value <= 1
        assert measures['foreground_share'].value > 0
    shares = np.concatenate(
        [clip.truth_share for clip in report.records['matched']]
    )
    assert len(shares) == report.num_frames >= 60
    assert report.truth_share.value == pytest.approx(shares.mean())
