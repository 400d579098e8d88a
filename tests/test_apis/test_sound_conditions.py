"""Scores under other sounds."""

from __future__ import annotations

import torch
from mmengine.runner import Runner

from mmavs.apis import evaluate_sound_conditions


def trained(config) -> str:
    runner = Runner.from_cfg(config)
    runner.train()
    return f'{config.work_dir}/iter_2.pth'


def test_conditions_reach_the_model(tiny_config):
    config = tiny_config('s4')
    checkpoint = trained(config)
    config.experiment_name = 'listen'
    scores = evaluate_sound_conditions(config, checkpoint)
    assert list(scores) == ['matched', 'twin', 'swapped', 'silence']
    assert all(set(value) == {'mIoU', 'F'} for value in scores.values())


def test_a_deaf_model_gets_exactly_the_same_scores(tiny_config):
    """Twins share their frames, so without ears there is no gap at all."""
    config = tiny_config('s4')
    checkpoint = trained(config)
    content = torch.load(checkpoint, weights_only=False)
    for name, value in content['state_dict'].items():
        if name.startswith('audio_backbone.embeddings.4.'):
            value.zero_()
    torch.save(content, checkpoint)
    config.experiment_name = 'deaf'
    scores = evaluate_sound_conditions(config, checkpoint)
    for condition in ('twin', 'swapped', 'silence'):
        assert scores[condition] == scores['matched']


def test_conditions_leave_the_config_alone(tiny_config):
    config = tiny_config('ms3')
    before = config.pretty_text
    checkpoint = trained(tiny_config('ms3'))
    evaluate_sound_conditions(config, checkpoint, ['silence'])
    assert config.pretty_text == before
