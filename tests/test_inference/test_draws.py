"""Latent codes that are drawn: how often, and from which seed."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from small_inferencer import by_the_test_set, joined
from small_network import small_config

from mmavs.apis import AVSInferencer


def test_uncertainty(inferencer, clips, small_s4):
    assert inferencer(clips[0]).uncertainty is None
    drawing = AVSInferencer(*small_s4, device='cpu', num_samples=3, seed=7)
    assert drawing.num_samples == 3
    value = drawing(clips[0])
    torch.manual_seed(7)
    samples = by_the_test_set(drawing, [0])
    for frame, sample in enumerate(samples):
        np.testing.assert_array_equal(
            value.uncertainty[frame], sample.uncertainty.data[0]
        )
        np.testing.assert_array_equal(
            value.probabilities[frame], sample.seg_logits.data[0]
        )
    assert 0 < value.uncertainty.max() <= 0.5
    drawing.num_samples = 0
    np.testing.assert_array_equal(
        drawing(clips[0]).masks, inferencer(clips[0]).masks
    )


@pytest.fixture(scope='module')
def drawing(small_s4):
    """The small model, which draws its codes."""
    return AVSInferencer(*small_s4, device='cpu', num_samples=2, seed=7)


def test_draws_depend_on_the_seed_alone(drawing, clips):
    """Not on what was predicted before, nor on what anybody else draws."""
    torch.manual_seed(0)
    expected = drawing(clips[0])
    state = torch.get_rng_state()
    drawing(clips[1])
    again = drawing(clips[0])
    # Nor does anybody else's draw depend on them.
    assert torch.equal(torch.get_rng_state(), state)
    np.testing.assert_array_equal(again.uncertainty, expected.uncertainty)
    drawing.seed = 8
    other = drawing(clips[0])
    drawing.seed = 7
    assert (other.uncertainty != expected.uncertainty).mean() > 0.5


def test_draws_of_streams_at_the_same_time(drawing, clips):
    """Each goes on where it was: as if it had been alone."""
    recordings = [joined(clips), joined(clips[::-1])]
    alone = [list(drawing.stream(recording)) for recording in recordings]
    turns = zip(*(drawing.stream(r) for r in recordings), strict=True)
    for turn, expected in zip(turns, zip(*alone), strict=True):
        for prediction, other in zip(turn, expected, strict=True):
            np.testing.assert_array_equal(
                prediction.uncertainty, other.uncertainty
            )
    # The second window draws other codes than the first.
    window = dict(
        clips[0],
        frames=np.concatenate(2 * [clips[0]['frames']]),
        waveform=np.concatenate(2 * [clips[0]['waveform']]),
    )
    maps = drawing(window).uncertainty
    assert (maps[:5] != maps[5:]).any()


@pytest.mark.gpu
def test_draws_on_a_gpu(small_s4, clips):
    fast = AVSInferencer(*small_s4, device='cuda', num_samples=2)
    expected = fast(clips[0]).uncertainty
    state = torch.cuda.get_rng_state()
    streams = [fast.stream(clips[0]), fast.stream(clips[1])]
    maps = [first.uncertainty for first, _ in zip(*streams)]
    assert torch.equal(torch.cuda.get_rng_state(), state)
    np.testing.assert_allclose(maps, expected, atol=1e-4)
    assert expected.max() > 1e-3


def test_number_of_samples(small_s4):
    """Given, or that of the config, however that was changed."""
    config, weights = small_s4
    key = 'model.test_cfg'

    def made(given, **test_cfg):
        options = {key: dict(mode='whole', **test_cfg)}
        return AVSInferencer(
            config, weights, 'cpu', cfg_options=options, **given
        ).num_samples

    assert made({}) == 0
    assert made({}, num_samples=3) == 3
    assert made(dict(num_samples=None), num_samples=3) == 3
    assert made(dict(num_samples=0), num_samples=3) == 0
    assert made(dict(num_samples=2), num_samples=3) == 2


@pytest.mark.parametrize('value', [-1, 1.5, True, '2', None])
def test_numbers_of_samples_that_are_none(drawing, value):
    with pytest.raises(ValueError, match='num_samples must be a whole number'):
        drawing.num_samples = value
    assert drawing.num_samples == 2


def test_nothing_to_draw(tmp_path):
    """A model without latents says so at once."""
    config = small_config('ablations/mmvae_tiny_s4_tpavi', tmp_path)
    match = 'num_samples must be 0, got 4: .*tpavi has no latent codes'
    with pytest.raises(ValueError, match=match):
        AVSInferencer(config, device='cpu', num_samples=4)
    options = {'model.test_cfg': dict(mode='whole', num_samples=4)}
    with pytest.raises(ValueError, match=match):
        AVSInferencer(config, device='cpu', cfg_options=options)
    with pytest.warns(UserWarning, match='no weights'):
        inferencer = AVSInferencer(
            config, device='cpu', cfg_options=options, num_samples=0
        )
    with pytest.raises(ValueError, match=match):
        inferencer.num_samples = 4


@pytest.mark.parametrize('seed', [-1, 0.5, None])
def test_wrong_seeds(small_s4, seed):
    with pytest.raises(ValueError, match='seed must be a whole number'):
        AVSInferencer(*small_s4, seed=seed)
