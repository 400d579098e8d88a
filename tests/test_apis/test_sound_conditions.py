"""Scores under other sounds."""

from __future__ import annotations

import itertools

import pytest
import torch
from mmengine.runner import Runner

from mmavs.apis import evaluate_sound_conditions
from mmavs.functional.log_mel import vggish_log_mel
from mmavs.functional.sounds import white_noise
from mmavs.models import AVEncoderDecoder


def trained(config) -> str:
    runner = Runner.from_cfg(config)
    runner.train()
    return f'{config.work_dir}/iter_2.pth'


def test_conditions_reach_the_model(tiny_config, monkeypatch):
    """Same frames in every condition, another sound in each."""
    config = tiny_config('s4')
    checkpoint = trained(config)
    config.experiment_name = 'listen'
    heard, seen = [], []
    forward = AVEncoderDecoder.predict

    def spy(self, inputs, data_samples=None):
        heard.append(inputs.log_mel.clone())
        seen.append(inputs.frames.clone())
        return forward(self, inputs, data_samples)

    monkeypatch.setattr(AVEncoderDecoder, 'predict', spy)
    conditions = ['matched', 'twin', 'swapped', 'silence', 'noise']
    scores = evaluate_sound_conditions(config, checkpoint, conditions)
    assert list(scores) == conditions
    assert all(set(value) == {'mIoU', 'F'} for value in scores.values())
    # Four clips, two in a batch: two batches a condition.
    heard = [torch.cat(heard[i : i + 2]) for i in range(0, 10, 2)]
    seen = [torch.cat(seen[i : i + 2]) for i in range(0, 10, 2)]
    assert all(torch.equal(frames, seen[0]) for frames in seen)
    for a, b in itertools.combinations(heard, 2):
        assert not torch.equal(a, b)
    assert torch.allclose(heard[3], torch.tensor(0.01).log())
    # Five seconds of the same noise with every clip.
    noise = torch.from_numpy(vggish_log_mel(white_noise(80_000), 5)[:, None])
    assert all(torch.equal(x, noise) for x in heard[4].unflatten(0, (-1, 5)))
    # The twin's sound is another clip's own sound of the same set.
    matched, twin = (x.unflatten(0, (-1, 5)) for x in heard[:2])
    assert all(any(torch.equal(t, m) for m in matched) for t in twin)


def test_conditions_that_need_pairs_say_so(tiny_config):
    config = tiny_config('s4')
    config.test_dataloader.dataset.pairs_file = None
    with pytest.raises(ValueError, match='pairs_file.*silence'):
        evaluate_sound_conditions(config, 'not_read.pth')


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
