"""Codes of a model under several sounds, and what becomes of them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config

from mmavs.apis.latent_codes import collect_codes
from mmavs.apis.latent_probes import evaluate_latents
from mmavs.apis.sound_predictions import SoundPredictor
from mmavs.evaluation.probes.coded_frames import AUDIO, VISUAL
from mmavs.inference.loading import build_model

CONFIGS = Path(__file__).resolve().parents[2] / 'configs'
SMALL = {
    'model.audio_backbone.width': 0.05,
    'model.backbone.base_channels': 8,
    'model.neck.in_channels': (8, 16, 32, 64),
}
CODES = ['visual_specific', 'audio_specific', 'shared']


@pytest.fixture
def random_model(tiny_config, tmp_path):
    """A config and a checkpoint of random weights for it."""

    def make(subset='s4', ablation=None):
        torch.manual_seed(0)
        config = tiny_config(subset)
        if ablation:
            other = CONFIGS / f'ablations/mmvae_tiny_s4_{ablation}.py'
            config.model = Config.fromfile(other).model
            config.merge_from_dict(SMALL)
        path = tmp_path / 'random.pth'
        torch.save(dict(state_dict=build_model(config).state_dict()), path)
        return config, str(path)

    return make


def test_codes_are_those_of_the_prior(random_model):
    config, checkpoint = random_model('ms3')
    predictor = SoundPredictor(
        config, checkpoint, ['matched', 'silence'], device='cpu'
    )
    frames = collect_codes(predictor)
    expected, embeddings, variances = [], [], []
    model = predictor.model
    with torch.no_grad():
        for batch in predictor._loader:
            data = model.data_preprocessor(
                {key: batch[key] for key in ('inputs', 'data_samples')}
            )
            inputs = data['inputs']
            audio = model.audio_backbone(inputs.log_mel)
            prior = model.neck.latents.encode_prior(inputs.frames, audio)
            expected.append({k: d.mean for k, d in prior.items()})
            variances.append({k: d.std.square() for k, d in prior.items()})
            embeddings.append(audio)
    assert list(frames.means) == CODES == list(frames.variances)
    for name in CODES:
        for found, values in (
            (frames.means, expected),
            (frames.variances, variances),
        ):
            value = torch.cat([batch[name] for batch in values]).numpy()
            np.testing.assert_allclose(
                found[name], value, rtol=1e-5, atol=1e-6
            )
    np.testing.assert_array_equal(
        frames.references[AUDIO], torch.cat(embeddings).numpy()
    )
    assert frames.references[VISUAL].shape == (20, 64)
    # Frames do not hear: only what listens can move.
    moved = frames.moved['silence']
    np.testing.assert_array_equal(
        moved['visual_specific'], frames.means['visual_specific']
    )
    for name in ('audio_specific', 'shared'):
        assert np.abs(moved[name] - frames.means[name]).max() > 1e-4
    assert np.ptp(moved[AUDIO], axis=0).max() == 0
    # Nothing is left behind.
    assert not model.neck._forward_hooks


def test_frames_are_known(random_model):
    config, checkpoint = random_model('s4')
    predictor = SoundPredictor(config, checkpoint, ['matched'], device='cpu')
    table = collect_codes(predictor).table
    assert table.video_ids[::5].tolist() == list(predictor.pairs)
    assert table.frame_idx.tolist() == [0, 1, 2, 3, 4] * 4
    assert table.labelled.all() and table.sounding.all()
    assert ((table.centres > 0) & (table.centres < 1)).all()
    # The category is the folder of its files.
    dataset = predictor._loader.dataset
    for i in range(4):
        info = dataset.get_data_info(i)
        assert f'/{info["category"]}/' in info['audio_path']
        assert table.categories[5 * i] == info['category']


def test_clips_without_such_a_sound_do_not_count(random_model):
    config, checkpoint = random_model('s4')
    first = SoundPredictor(config, checkpoint, ['matched'], device='cpu')
    clip, other = list(first.pairs)[:2]
    predictor = SoundPredictor(
        config,
        checkpoint,
        ['matched', 'swapped'],
        pairs={clip: dict(swapped=other)},
        device='cpu',
    )
    frames = collect_codes(predictor)
    for values in frames.moved['swapped'].values():
        known = ~np.isnan(values).any(1)
        assert np.array_equal(known, frames.table.video_ids == clip)


def test_report_of_a_random_model(random_model):
    config, checkpoint = random_model('s4')
    before = config.pretty_text
    seen = []
    report = evaluate_latents(
        config,
        checkpoint,
        ['twin', 'silence'],
        num_bootstrap=20,
        device='cpu',
        progress=lambda done, total: seen.append((done, total)),
    )
    assert config.pretty_text == before
    assert seen == [(2, 9), (4, 9), (5, 9), (7, 9), (9, 9)]
    content = json.loads(report.to_json())
    assert (content['fit_clips'], content['clips']) == (5, 4)
    assert content['scenes'] == 2
    assert content['conditions'] == ['matched', 'twin', 'silence']
    assert list(report.codes) == CODES and len(report.labels) == 20
    stays = report.movement['visual_specific']
    assert stays['twin'].value == stays['silence'].value == 0
    assert report.movement[AUDIO]['twin'].value > 0


def test_conditions_without_pairs_are_left_out(random_model):
    config, checkpoint = random_model('ms3')
    config.test_dataloader.dataset.pairs_file = None
    report = evaluate_latents(
        config,
        checkpoint,
        ['twin', 'silence'],
        fit_split='val',
        num_bootstrap=20,
        device='cpu',
    )
    assert list(report.movement['shared']) == ['silence']
    assert report.notes == (
        'twin is left out: no test clip has a pair for it.',
    )
    assert 'sounds_in_twin' not in report.probes['shared']


def test_a_model_without_codes(random_model):
    config, checkpoint = random_model('s4', 'tpavi')
    with pytest.raises(ValueError, match='no codes.*AVMappingNeck'):
        evaluate_latents(config, checkpoint, ['silence'], device='cpu')


def test_variance_of_a_mixture(random_model):
    """Noise in the experts, and their distance."""
    config, checkpoint = random_model('ms3', 'moe')
    predictor = SoundPredictor(config, checkpoint, ['matched'], device='cpu')
    frames = collect_codes(predictor)
    assert 'joint' in frames.means
    model = predictor.model
    batch = next(iter(predictor._loader))
    data = model.data_preprocessor(
        {key: batch[key] for key in ('inputs', 'data_samples')}
    )
    torch.manual_seed(0)
    with torch.no_grad():
        mixture = model.neck.latents.encode_prior(
            data['inputs'].frames,
            model.audio_backbone(data['inputs'].log_mel),
        )['joint']
        draws = torch.stack([mixture.rsample() for _ in range(4000)])
    np.testing.assert_allclose(
        frames.variances['joint'][:10], draws.var(0), rtol=0.15
    )


@pytest.mark.parametrize('fit_split', ['test', 'validation'])
def test_splits_that_cannot_be_fitted_to(tiny_config, fit_split):
    with pytest.raises(ValueError, match=f'fit_split.*{fit_split}'):
        evaluate_latents(
            tiny_config('s4'), 'not_read.pth', fit_split=fit_split
        )


def test_sets_without_splits_are_refused(tiny_config):
    config = tiny_config('s4')
    loader = config.test_dataloader
    loader.dataset = Config(
        dict(set=dict(type='ConcatDataset', datasets=[loader.dataset]))
    ).set
    with pytest.raises(ValueError, match='ConcatDataset.*no split'):
        evaluate_latents(config, 'not_read.pth', ['silence'])
