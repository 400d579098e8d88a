"""AVCorr against a loop over frames, channels and pixels."""

import math

import pytest
import torch
from mmseg.registry import MODELS

from mmavs.models.fusion import AVCorr

CHANNELS, INNER = 8, 2


def make_fusion(**kwargs):
    """A fusion with large weights, so that its gates are far from 1/2."""
    torch.manual_seed(0)
    fusion = AVCorr(CHANNELS, **kwargs).double()
    with torch.no_grad():
        for parameter in fusion.parameters():
            parameter.normal_(std=3)
    return fusion


def make_inputs(n=6, h=3, w=4):
    rng = torch.Generator().manual_seed(1)
    return tuple(
        torch.randn(*shape, generator=rng, dtype=torch.float64)
        for shape in ((n, CHANNELS, h, w), (n, CHANNELS))
    )


def unit(vector):
    """x / sqrt(sum x^2 + 1e-6) of a list of numbers."""
    norm = math.sqrt(sum(x * x for x in vector) + 1e-6)
    return [x / norm for x in vector]


def normalised(visual):
    """The normalised visual feature."""
    return visual / (visual.square().sum(1, keepdim=True) + 1e-6).sqrt()


def direct_av_corr(fusion, visual, audio):
    """The definition, one number at a time."""
    n, channels, h, w = visual.shape
    inner = fusion.reduce.weight.shape[0]
    reduce = fusion.reduce.weight[:, :, 0, 0].tolist()
    spatial = fusion.spatial.weight.tolist()
    expand = fusion.expand.weight[:, :, 0, 0].tolist()
    output = torch.zeros_like(visual)
    for frame in range(n):
        sound = unit(audio[frame].tolist())
        pixels, reduced = {}, {}
        for y in range(h):
            for x in range(w):
                pixel = unit(visual[frame, :, y, x].tolist())
                r = [v * a for v, a in zip(pixel, sound)]
                pixels[y, x] = pixel
                reduced[y, x] = [
                    sum(reduce[i][c] * r[c] for c in range(channels))
                    for i in range(inner)
                ]
        for (y, x), pixel in pixels.items():
            # Outside of the frame there is nothing.
            around = [
                sum(
                    spatial[i][j][dy + 1][dx + 1] * reduced[y + dy, x + dx][j]
                    for j in range(inner)
                    for dy in (-1, 0, 1)
                    for dx in (-1, 0, 1)
                    if (y + dy, x + dx) in reduced
                )
                for i in range(inner)
            ]
            for c in range(channels):
                z = sum(expand[c][i] * around[i] for i in range(inner))
                gate = 1 / (1 + math.exp(-z))
                output[frame, c, y, x] = pixel[c] * (1 + gate)
    return output


@pytest.mark.parametrize('num_frames', [1, 3])
def test_against_the_loop(num_frames):
    fusion = make_fusion()
    visual, audio = make_inputs()
    value = fusion(visual, audio, num_frames)
    assert value.shape == visual.shape
    expected = direct_av_corr(fusion, visual, audio)
    torch.testing.assert_close(value, expected, rtol=1e-9, atol=1e-12)
    # The gates of the case do something.
    assert (value - 1.5 * normalised(visual)).abs().max() > 0.1


def test_names_and_shapes_of_the_weights():
    shapes = {
        name: tuple(parameter.shape)
        for name, parameter in AVCorr(128).state_dict().items()
    }
    assert shapes == {
        'reduce.weight': (32, 128, 1, 1),
        'spatial.weight': (32, 32, 3, 3),
        'expand.weight': (128, 32, 1, 1),
    }
    assert AVCorr(8, inter_channels=5).spatial.weight.shape == (5, 5, 3, 3)


def test_a_silent_frame_has_half_open_gates():
    """Whatever the weights."""
    fusion = MODELS.build(dict(type='AVCorr', channels=CHANNELS)).double()
    visual, audio = make_inputs()
    value = fusion(visual, 0 * audio, 3)
    torch.testing.assert_close(value, 1.5 * normalised(visual))


def test_gradients():
    fusion = make_fusion()
    visual, audio = (x[:2].requires_grad_() for x in make_inputs(h=2, w=3))
    assert torch.autograd.gradcheck(
        lambda v, a, *_: fusion(v, a, 1), (visual, audio, *fusion.parameters())
    )


def test_silent_and_black_frames_have_finite_gradients():
    fusion = make_fusion()
    visual, audio = ((0 * x).requires_grad_() for x in make_inputs())
    fusion(visual, audio, 3).sum().backward()
    assert visual.grad.isfinite().all() and audio.grad.isfinite().all()
    assert visual.grad.abs().max() > 0


def test_scale_of_the_inputs_does_not_matter():
    fusion = make_fusion()
    visual, audio = make_inputs()
    torch.testing.assert_close(
        fusion(7 * visual, 5 * audio, 3),
        fusion(visual, audio, 3),
        rtol=1e-4,
        atol=1e-5,
    )


def test_frames_do_not_mix():
    fusion = make_fusion()
    visual, audio = make_inputs()
    before = fusion(visual, audio, 3)
    audio[1] = -audio[1]
    after = fusion(visual, audio, 3)
    changed = (after - before).abs().flatten(1).amax(1) > 1e-9
    assert changed.tolist() == [False, True, False, False, False, False]
    assert torch.equal(fusion(visual, audio, 1), after)


def test_order_of_the_frames_does_not_matter():
    fusion = make_fusion()
    visual, audio = make_inputs()
    order = torch.tensor([3, 0, 5, 1, 4, 2])
    torch.testing.assert_close(
        fusion(visual[order], audio[order], 3),
        fusion(visual, audio, 3)[order],
    )


def test_memory_format_does_not_matter():
    fusion = make_fusion()
    visual, audio = make_inputs()
    strided = visual.contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(
        fusion(strided, audio, 3), fusion(visual, audio, 3)
    )


@pytest.mark.parametrize('half_input', [True, False])
def test_bf16_autocast(half_input):
    """Close to float64, and of the type of the visual feature."""
    fusion, inputs = make_fusion(), make_inputs(h=7, w=7)
    exact = fusion(*inputs, 3)
    dtype = torch.bfloat16 if half_input else torch.float32
    visual, audio = inputs[0].to(dtype), inputs[1].float()
    with torch.autocast('cpu', dtype=torch.bfloat16):
        value = fusion.float()(visual, audio, 3)
    assert value.dtype == dtype
    assert (value - exact).abs().max() < 0.05


@pytest.mark.parametrize('shape', [(1, 8), (6, 1), (6, 4), (3, 8), (6, 8, 1)])
def test_audio_of_another_shape_is_refused(shape):
    visual, _ = make_inputs()
    message = r'audio must be \(N, C\) = \(6, 8\).*got '
    with pytest.raises(ValueError, match=message):
        make_fusion()(visual, torch.zeros(shape), 3)


@pytest.mark.parametrize(
    'kwargs', [dict(channels=3), dict(channels=8, inter_channels=0)]
)
def test_too_few_channels_are_refused(kwargs):
    with pytest.raises(ValueError, match='inter_channels >= 1, got 0'):
        AVCorr(**kwargs)
