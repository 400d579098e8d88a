"""TPAVI against the published P x P form, written out here."""

import pytest
import torch
import torch.nn.functional as F
from mmseg.registry import MODELS

from mmavs.models.fusion import TPAVI

CHANNELS = 6


def make_fusion(channels=CHANNELS, **kwargs):
    """A fusion with no weight at a special value, in float64."""
    torch.manual_seed(0)
    fusion = TPAVI(channels, **kwargs).double()
    with torch.no_grad():
        for parameter in fusion.parameters():
            parameter.copy_(torch.randn_like(parameter))
        fusion.out_norm.running_mean.normal_()
        fusion.out_norm.running_var.uniform_(0.5, 2)
    return fusion


def make_inputs(num_frames, num_clips=2, h=3, w=5, channels=CHANNELS, seed=1):
    rng = torch.Generator().manual_seed(seed)
    n = num_clips * num_frames
    visual, audio = (
        torch.randn(*shape, generator=rng, dtype=torch.float64)
        for shape in ((n, channels, h, w), (n, channels))
    )
    return visual, audio


def direct_tpavi(fusion, visual, audio, num_frames, training):
    """The published form: one P x P matrix per clip, P = T h w."""
    n, channels, h, w = visual.shape
    visual = visual / (visual.square().sum(1, keepdim=True) + 1e-6).sqrt()
    audio = audio / (audio.square().sum(1, keepdim=True) + 1e-6).sqrt()
    outputs = []
    for start in range(0, n, num_frames):
        clip = slice(start, start + num_frames)
        # The sound is repeated over the pixels of its frame.
        pixels = visual[clip].permute(0, 2, 3, 1).reshape(-1, channels)
        sound = audio[clip].repeat_interleave(h * w, dim=0)
        g = pixels @ fusion.g.weight.T + fusion.g.bias
        theta = pixels @ fusion.theta.weight.T + fusion.theta.bias
        phi = sound @ fusion.phi.weight.T + fusion.phi.bias
        affinity = theta @ phi.T / len(pixels)
        y = affinity @ g
        z = y @ fusion.out.weight.T + fusion.out.bias
        outputs.append(z.view(num_frames, h, w, channels))
    z = torch.cat(outputs).permute(0, 3, 1, 2)
    norm = fusion.out_norm
    z = F.batch_norm(
        z,
        None if training else norm.running_mean,
        None if training else norm.running_var,
        norm.weight,
        norm.bias,
        training=training,
    )
    z = (z + visual).permute(0, 2, 3, 1)
    mean = z.mean(-1, keepdim=True)
    var = z.var(-1, keepdim=True, unbiased=False)
    z = (z - mean) / (var + 1e-5).sqrt()
    z = z * fusion.norm.weight + fusion.norm.bias
    return z.permute(0, 3, 1, 2)


@pytest.mark.parametrize('training', [True, False])
@pytest.mark.parametrize('num_frames', [1, 3, 5])
def test_against_the_direct_form(num_frames, training):
    fusion = make_fusion().train(training)
    visual, audio = make_inputs(num_frames)
    expected = direct_tpavi(fusion, visual, audio, num_frames, training)
    value = fusion(visual, audio, num_frames)
    assert value.shape == visual.shape
    torch.testing.assert_close(value, expected, rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize('training', [True, False])
@pytest.mark.parametrize('num_frames', [1, 3])
def test_gradients_are_those_of_the_direct_form(num_frames, training):
    fusion = make_fusion().train(training)
    visual, audio = make_inputs(num_frames)
    leaves = [
        visual.requires_grad_(),
        audio.requires_grad_(),
        *fusion.parameters(),
    ]
    probe = torch.randn_like(visual)
    gradients = [
        torch.autograd.grad((value * probe).sum(), leaves)
        for value in (
            fusion(visual, audio, num_frames),
            direct_tpavi(fusion, visual, audio, num_frames, training),
        )
    ]
    for ours, expected in zip(*gradients):
        torch.testing.assert_close(ours, expected, rtol=1e-7, atol=1e-9)


def test_float32_stays_close():
    fusion, inputs = make_fusion().eval(), make_inputs(5, h=14, w=14)
    exact = fusion(*inputs, 5)
    value = fusion.float()(*(x.float() for x in inputs), 5)
    assert (value - exact).abs().max() < 1e-4


@pytest.mark.parametrize('training', [True, False])
def test_float16_does_not_overflow(training):
    """Sums over the pixels of large frames would."""
    fusion = make_fusion().float().train(training)
    with torch.no_grad():
        for projection in (fusion.g, fusion.phi):
            projection.weight.mul_(10)
    visual, audio = (x.float() for x in make_inputs(2, 1, h=280, w=280))
    with torch.no_grad():
        exact = fusion(visual, audio, 2)
        with torch.autocast('cpu', torch.float16):
            value = fusion(visual, audio, 2)
    assert value.isfinite().all()
    assert (value.float() - exact).abs().mean() < 0.02 * exact.abs().mean()


def test_running_statistics_are_of_all_positions():
    fusion = make_fusion().train()
    before = fusion.out_norm.running_mean.clone()
    fusion(*make_inputs(3), 3)
    assert not torch.equal(fusion.out_norm.running_mean, before)
    assert fusion.out_norm.num_batches_tracked == 1


def test_starts_as_layer_norm_of_the_normalised_visual():
    """Whatever the sound: BN starts at weight 0 and bias 0."""
    fusion = MODELS.build(dict(type='TPAVI', channels=CHANNELS)).double()
    visual, audio = make_inputs(3)
    unit = visual / (visual.square().sum(1, keepdim=True) + 1e-6).sqrt()
    expected = F.layer_norm(unit.permute(0, 2, 3, 1), (CHANNELS,))
    value = fusion(visual, audio, 3)
    torch.testing.assert_close(value, expected.permute(0, 3, 1, 2))


def test_clips_do_not_mix_but_frames_do():
    fusion = make_fusion().eval()
    visual, audio = make_inputs(3)
    before = fusion(visual, audio, 3)
    audio[1] += 1  # frame 1 of clip 0
    after = fusion(visual, audio, 3)
    changed = (after - before).abs().flatten(1).amax(1) > 1e-9
    assert changed.tolist() == [True, True, True, False, False, False]


def test_scale_of_the_inputs_does_not_matter():
    fusion = make_fusion().eval()
    visual, audio = make_inputs(3)
    torch.testing.assert_close(
        fusion(7 * visual, 5 * audio, 3),
        fusion(visual, audio, 3),
        rtol=1e-4,
        atol=1e-5,
    )


def test_silent_frames_have_finite_gradients():
    fusion = make_fusion().train()
    visual, _ = make_inputs(3)
    audio = torch.zeros(6, CHANNELS, dtype=torch.float64, requires_grad=True)
    visual = (visual * 0).requires_grad_()
    fusion(visual, audio, 3).square().sum().backward()
    assert audio.grad.isfinite().all() and visual.grad.isfinite().all()


def test_needs_no_p_x_p_matrix():
    """P = 5 * 128 * 128: that matrix would take 25 GiB in float32."""
    fusion = TPAVI(4).train()
    torch.nn.init.ones_(fusion.out_norm.weight)
    visual = torch.randn(5, 4, 128, 128, requires_grad=True)
    value = fusion(visual, torch.randn(5, 4), 5)
    value.square().sum().backward()
    assert value.isfinite().all() and visual.grad.isfinite().all()


def test_memory_format_does_not_matter():
    fusion = make_fusion().eval()
    visual, audio = make_inputs(3)
    strided = visual.contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(
        fusion(strided, audio, 3), fusion(visual, audio, 3)
    )


def test_inter_channels():
    assert make_fusion().theta.weight.shape == (3, 6)
    fusion = make_fusion(inter_channels=5).eval()
    visual, audio = make_inputs(2)
    assert fusion.theta.weight.shape == (5, 6)
    torch.testing.assert_close(
        fusion(visual, audio, 2),
        direct_tpavi(fusion, visual, audio, 2, False),
    )
