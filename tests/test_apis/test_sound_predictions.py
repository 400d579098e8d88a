"""Clips that are seen once and hear several sounds."""

from __future__ import annotations

import copy
import itertools
import json
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.runner import Runner

from mmavs.apis import predict_under_sounds
from mmavs.apis.sound_predictions import SoundPredictor, find_sound_pairs
from mmavs.datasets.transforms import with_sound_condition

ROOT = Path(__file__).resolve().parents[2]
CONDITIONS = (
    'matched',
    'twin',
    'swapped',
    'silence',
    'white_noise',
    'pink_noise@0dB',
    'off_screen@0dB',
    'shift@+1s',
    'shuffle',
)


def predict_by_runner(config, checkpoint, condition, seed):
    """Probabilities and codes of all frames, in a test run of its own."""
    config = copy.deepcopy(config)
    dataset = config.test_dataloader.dataset
    dataset.pipeline = with_sound_condition(dataset.pipeline, condition, seed)
    config.load_from = checkpoint
    config.experiment_name = f'{condition}_{config.work_dir}'
    seen = []

    class Spy:
        def process(self, data_samples, data_batch):
            seen.extend(sample.seg_logits.data for sample in data_samples)

        def evaluate(self, size):
            return {}

    runner = Runner.from_cfg(config)
    runner.test_loop.evaluator = Spy()
    runner.test()
    return torch.stack(seen)


@pytest.mark.parametrize('subset, variant', [('s4', None), ('ms3', 'tpavi')])
def test_equals_a_test_run_of_each_sound(
    tiny_config, save_weights, subset, variant
):
    config = tiny_config(subset)
    if variant is not None:
        path = ROOT / f'configs/ablations/mmvae_tiny_s4_{variant}.py'
        config.model = Config.fromfile(path).model
        config.model.audio_backbone.update(init_cfg=None, width=0.05)
        config.model.backbone.base_channels = 8
        config.model.neck.in_channels = (8, 16, 32, 64)
    checkpoint = save_weights(config)
    predictor = SoundPredictor(config, checkpoint, CONDITIONS, seed=5)
    assert len(predictor) == predictor.num_clips == 4
    found = {condition: [] for condition in CONDITIONS}
    for batch in predictor:
        assert batch.num_frames == 5 and len(batch.samples) == 10
        assert [s.video_id for s in batch.samples[::5]] == [*batch.video_ids]
        assert list(batch.predictions) == list(batch.heard) == [*CONDITIONS]
        for condition, prediction in batch.predictions.items():
            assert batch.heard[condition] == (True, True)
            assert bool(prediction.codes) == (variant is None)
            results = predictor.model.postprocess_clips(
                prediction, batch.samples
            )
            found[condition] += [x.seg_logits.data for x in results]
    found = {name: torch.stack(values) for name, values in found.items()}
    for a, b in itertools.combinations(found.values(), 2):
        assert not torch.equal(a, b)
    for condition in ('matched', 'twin', 'pink_noise@0dB', 'shuffle'):
        expected = predict_by_runner(config, checkpoint, condition, 5)
        assert torch.equal(found[condition], expected)


def test_frames_are_seen_once(tiny_config, save_weights, monkeypatch):
    config = tiny_config('s4')
    seen = []
    predictor = SoundPredictor(config, save_weights(config), CONDITIONS)
    predictor.model.backbone.register_forward_hook(
        lambda module, inputs, outputs: seen.append(len(inputs[0]))
    )
    assert not predictor.model.training
    assert len(list(predictor)) == 2
    assert seen == [10, 10]
    # A second pass gives the same.
    first, second = (
        [batch.predictions['white_noise'].logits for batch in predictor]
        for _ in range(2)
    )
    assert all(map(torch.equal, first, second))


def test_worker_processes_and_texts_make_no_difference(
    tiny_config, save_weights
):
    config = tiny_config('s4')
    checkpoint = save_weights(config)
    before = config.pretty_text
    conditions = ['pink_noise', 'off_screen', 'off_screen@0dB']
    plain = list(predict_under_sounds(config, checkpoint, conditions))
    assert config.pretty_text == before
    assert list(plain[0].predictions) == ['pink_noise', 'off_screen@0dB']
    config.test_dataloader.num_workers = 1
    path = Path(config.work_dir, 'config.py')
    path.parent.mkdir()
    config.dump(path)
    for ours, theirs in zip(
        predict_under_sounds(str(path), checkpoint, conditions),
        plain,
        strict=True,
    ):
        assert ours.video_ids == theirs.video_ids
        for name, prediction in ours.predictions.items():
            assert torch.equal(
                prediction.logits, theirs.predictions[name].logits
            )


def test_a_clip_without_a_pair(tiny_config, save_weights):
    """It is marked, and its numbers cannot be taken for predictions."""
    config = tiny_config('s4')
    checkpoint = save_weights(config)
    pairs = find_sound_pairs(config, 'test')
    lonely = next(iter(pairs))
    some = {k: v for k, v in pairs.items() if k != lonely}
    whole = list(predict_under_sounds(config, checkpoint, ['twin']))
    part = list(predict_under_sounds(config, checkpoint, ['twin'], pairs=some))
    heard = {}
    for ours, theirs in zip(part, whole, strict=True):
        prediction = ours.predictions['twin']
        expected = theirs.predictions['twin']
        for b, video_id in enumerate(ours.video_ids):
            frames = slice(5 * b, 5 * b + 5)
            heard[video_id] = ours.heard['twin'][b]
            fields = [prediction.logits, *prediction.codes.values()]
            others = [expected.logits, *expected.codes.values()]
            for a, b_ in zip(fields, others, strict=True):
                if video_id == lonely:
                    assert a[frames].isnan().all()
                else:
                    assert torch.equal(a[frames], b_[frames])
    assert heard == {k: k != lonely for k in pairs}


def test_pairs_are_those_of_the_set_or_made(tiny_config, save_weights):
    config = tiny_config('s4')
    dataset = config.test_dataloader.dataset
    content = json.loads(
        Path(dataset.data_root, 'sound_pairs.json').read_text()
    )
    pairs = find_sound_pairs(config, 'test')
    assert len(pairs) == 4 and pairs.items() <= content.items()
    assert find_sound_pairs(config, 'val').keys().isdisjoint(pairs)

    dataset.pairs_file = None
    made = find_sound_pairs(config, 'test', seed=1)
    assert made.keys() == pairs.keys()
    assert all('twin' not in partners for partners in made.values())
    checkpoint = save_weights(config)
    with pytest.raises(ValueError, match=r"no clip of the test set.*'twin'"):
        SoundPredictor(config, checkpoint, ['matched', 'twin'])
    predictor = SoundPredictor(config, checkpoint, ['swapped'], seed=1)
    assert predictor.pairs == made
    assert all(all(batch.heard['swapped']) for batch in predictor)


def test_draws_are_the_same_under_every_sound(tiny_config, save_weights):
    """And in every run, whatever else is played."""
    config = tiny_config('s4', **{'model.test_cfg': dict(num_samples=2)})
    checkpoint = save_weights(config)

    def first(*conditions):
        torch.manual_seed(len(conditions))
        batches = predict_under_sounds(config, checkpoint, conditions)
        return next(batches).predictions

    one, two = first('matched'), first('silence', 'matched')
    assert torch.equal(one['matched'].logits, two['matched'].logits)
    assert one['matched'].uncertainty.any()


def test_what_is_wrong_is_told(tiny_config, save_weights, tmp_path):
    config = tiny_config('s4')
    checkpoint = save_weights(config)
    with pytest.raises(ValueError, match="'loud'"):
        SoundPredictor(config, checkpoint, ['loud'])
    with pytest.raises(ValueError, match='at least one'):
        SoundPredictor(config, checkpoint, [])
    with pytest.raises(ValueError, match="split must be.*'train'"):
        SoundPredictor(config, checkpoint, ['silence'], split='train')
    config.model.audio_backbone.width = 0.1
    with pytest.raises(ValueError, match='do not fit'):
        SoundPredictor(config, checkpoint, ['silence'])
