"""How differences from golden numbers are taken."""

import gzip
import json

import numpy as np
import pytest
import torch

from mmavs.converters.comparison import (
    differences,
    golden_models,
    has_vggish,
)
from mmavs.converters.reference import make_clip, make_weights, read_shapes


def make_values():
    rng = torch.Generator().manual_seed(0)
    return dict(
        logits_test=torch.randn(2, 1, 224, 224, generator=rng),
        backbone_level0=torch.randn(2, 8, 56, 56, generator=rng),
        mapped_prior_level3=torch.randn(2, 8, 3, 5, generator=rng),
        prior_shared_mean=torch.randn(2, 4, generator=rng),
        orthogonality=torch.tensor(0.5),
        unused=torch.zeros(1),
    )


def make_golden(stride=8, channels=2):
    values = make_values()
    return {
        'logits_test': values['logits_test'][..., ::stride, ::stride].numpy(),
        'backbone_level0': (
            values['backbone_level0'][:, :channels, ::8, ::8].numpy()
        ),
        'mapped_prior_level3': (
            values['mapped_prior_level3'][:, :channels].numpy()
        ),
        'prior_shared_mean': values['prior_shared_mean'].numpy(),
        'orthogonality': values['orthogonality'].numpy(),
    }


@pytest.mark.parametrize('stride', [4, 8, 16])
@pytest.mark.parametrize('channels', [2, 4])
def test_strides_and_channels_follow_what_is_stored(stride, channels):
    golden = make_golden(stride, channels)
    result = differences(golden, make_values())
    assert result == dict.fromkeys(golden, 0.0)


@pytest.mark.parametrize('name', make_golden())
def test_a_difference_in_one_number_is_seen(name):
    golden = make_golden()
    golden[name] = golden[name].copy()
    golden[name].flat[-1] += 1e-3
    result = differences(golden, make_values())
    assert result.pop(name) == pytest.approx(1e-3, rel=1e-2)
    assert set(result.values()) == {0.0}


def test_nan_is_no_agreement():
    values = make_values()
    values['prior_shared_mean'][0, 0] = float('nan')
    result = differences(make_golden(), values)
    assert np.isnan(result['prior_shared_mean'])


def test_numbers_that_we_do_not_have():
    golden = dict(make_golden(), other=np.zeros(3))
    with pytest.raises(ValueError, match='no number of ours for other'):
        differences(golden, make_values())
    golden = dict(prior_shared_mean=np.zeros((2, 5)))
    with pytest.raises(ValueError, match=r'prior_shared_mean.*\(2, 5\)'):
        differences(golden, make_values())


def test_models_of_a_folder(tmp_path):
    for name in ('b', 'a', 'b_intermediate', 'vggish_16k_mono'):
        np.savez(tmp_path / f'{name}.npz', x=np.zeros(1))
    (tmp_path / 'a_keys.json').write_text('{"w": [2, 3]}')
    content = gzip.compress(json.dumps(dict(w=[2, 3])).encode())
    (tmp_path / 'b_keys.json.gz').write_bytes(content)
    (tmp_path / 'only_names_keys.json').write_text('{}')
    assert golden_models(tmp_path) == ['a', 'b']
    assert not has_vggish(tmp_path)
    (tmp_path / 'vggish_keys.json').write_text('{}')
    assert has_vggish(tmp_path) and golden_models(tmp_path) == ['a', 'b']
    for name in ('a_keys.json', 'b_keys.json.gz'):
        assert read_shapes(tmp_path / name) == dict(w=[2, 3])


def test_reference_weights_depend_on_name_and_shape_alone():
    """Three numbers by hand, and the scale of each role."""
    shapes = {
        'conv.weight': [8, 50, 3, 3],
        'bn.weight': [2000],
        'bn.bias': [2000],
        'bn.running_mean': [2000],
        'bn.running_var': [2000],
        'bn.num_batches_tracked': [],
    }
    weights = make_weights(shapes)
    alone = make_weights({'bn.bias': [2000]})
    assert torch.equal(weights['bn.bias'], alone['bn.bias'])
    # CRC-32 of «bn.bias» is 2928265402; the generator takes 31 bits of it.
    rng = np.random.RandomState(2928265402 - 2**31)
    expected = 0.05 * rng.standard_normal(2000)[:3]
    np.testing.assert_allclose(weights['bn.bias'][:3], expected, rtol=1e-6)
    for name, mean, std in (
        ('conv.weight', 0, 1 / np.sqrt(450)),
        ('bn.weight', 1, 0.1),
        ('bn.bias', 0, 0.05),
        ('bn.running_mean', 0, 0.1),
        ('bn.running_var', 1 + 0.1 * np.sqrt(2 / np.pi), 0.06),
    ):
        value = weights[name].double()
        assert value.mean() == pytest.approx(mean, abs=0.1 * std)
        assert value.std() == pytest.approx(std, rel=0.1)
    assert weights['bn.running_var'].min() >= 1
    assert weights['bn.num_batches_tracked'] == 0


def test_reference_clip():
    frames, audio, masks = make_clip(3, size=(96, 160))
    assert frames.shape == (3, 3, 96, 160) and audio.shape == (3, 128)
    assert masks.shape == (3, 96, 160) and masks.dtype == torch.int64
    assert (audio >= 0).all() and set(masks.unique().tolist()) == {0, 1}
    # Masks are made of squares of 32 pixels.
    squares = masks.unfold(1, 32, 32).unfold(2, 32, 32).flatten(3)
    assert (squares.amin(3) == squares.amax(3)).all()
    assert torch.equal(make_clip(3, size=(96, 160))[0], frames)
    assert not torch.equal(make_clip(3, 1, (96, 160))[0], frames)


@pytest.mark.parametrize('size', [(96, 100), (48, 96), (0, 32), (32, -32)])
def test_size_of_the_reference_clip(size):
    with pytest.raises(ValueError, match='multiples of 32') as error:
        make_clip(1, size=size)
    assert str(size) in str(error.value)
