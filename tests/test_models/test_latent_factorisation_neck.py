"""The neck: what the two paths see, carry and change."""

import copy

import pytest
import torch
import torch.nn.functional as F
from mmseg.registry import MODELS
from small_model import LEVELS, NECK, make_batch, make_labels, make_masks

from mmavs.models.latents import AudioMaskEncoder, VisualEncoder
from mmavs.models.necks import BasicMapping
from mmavs.structures import FrameLabels

CODES = ('visual_specific', 'audio_specific', 'shared')


def build_neck(seed=0, **kwargs):
    torch.manual_seed(seed)
    return MODELS.build(dict(NECK, **kwargs)).train()


def make_inputs(num_clips=2, num_frames=3, size=(64, 64)):
    """Arguments of the neck for random levels and audio."""
    batch = make_batch(num_clips, num_frames, size)
    n, (h, w) = len(batch.frames), size
    rng = torch.Generator().manual_seed(3)
    levels = [
        torch.randn(n, c, -(-h // s), -(-w // s), generator=rng)
        for c, s in zip(LEVELS, (4, 8, 16, 32))
    ]
    audio = torch.rand(n, 8, generator=rng)
    inputs = dict(
        levels=levels,
        frames=batch.frames,
        audio=audio,
        num_frames=num_frames,
    )
    return inputs, batch


def recorded_inputs(modules):
    """Record the inputs of modules by name."""
    seen = {}

    def record(name):
        def hook(module, inputs):
            seen[name] = [x.clone() for x in inputs]

        return hook

    for name, module in modules.items():
        module.register_forward_pre_hook(record(name))
    return seen


# --- what the encoders see -------------------------------------------------


def test_posterior_encoders_see_labelled_frames_and_their_masks():
    neck = build_neck()
    inputs, batch = make_inputs()
    index = [0, 3]
    labels = make_labels(batch, index)
    seen = recorded_inputs(dict(neck.latents.posterior.items()))
    neck(**inputs, labels=labels)
    frames, audio = batch.frames[index], inputs['audio'][index]
    mask = make_masks(batch)[index].unsqueeze(1).float()
    both = torch.cat([frames, mask], dim=1)
    assert torch.equal(seen['visual_specific'][0], both)
    assert torch.equal(seen['audio_specific'][0], audio)
    assert torch.equal(seen['audio_specific'][1], mask)
    assert torch.equal(seen['shared'][0], audio)
    assert torch.equal(seen['shared'][1], both)


def test_prior_encoders_see_every_frame_and_no_mask():
    neck = build_neck()
    inputs, batch = make_inputs()
    seen = recorded_inputs(dict(neck.latents.prior.items()))
    neck(**inputs, labels=make_labels(batch, [0]))
    assert torch.equal(seen['visual_specific'][0], batch.frames)
    assert torch.equal(seen['audio_specific'][0], inputs['audio'])
    assert torch.equal(seen['shared'][0], inputs['audio'])
    assert torch.equal(seen['shared'][1], batch.frames)


def test_a_filler_never_reaches_an_encoder():
    """Padding of a labelled frame is background to the encoders, not 255."""
    inputs, batch = make_inputs()
    padded = make_masks(batch, [0, 3])
    padded[[0, 3], :, 40:] = 255
    background = padded.clone()
    background[[0, 3], :, 40:] = 0
    results = []
    for masks in (padded, background):
        neck = build_neck()
        seen = recorded_inputs(dict(neck.latents.posterior.items()))
        labels = FrameLabels(masks[[0, 3]], torch.tensor([0, 3]))
        torch.manual_seed(1)
        path = neck(**inputs, labels=labels).posterior
        for mask in (
            seen['visual_specific'][0][:, 3],
            seen['audio_specific'][1],
            seen['shared'][1][:, 3],
        ):
            assert set(mask.unique().tolist()) <= {0.0, 1.0}
        results.append([g.mean for g in path.distributions.values()])
    for a, b in zip(*results):
        assert torch.equal(a, b)


def test_unlabelled_frames_do_not_touch_the_posterior_encoders():
    """Neither their Gaussians nor their running statistics."""
    inputs, batch = make_inputs()
    labels = make_labels(batch, [1, 5])
    other = dict(inputs, frames=batch.frames.clone())
    other['audio'] = inputs['audio'].clone()
    for n in (0, 2, 3, 4):
        other['frames'][n] = float('nan')
        other['audio'][n] = float('nan')
    outputs = []
    for arguments in (inputs, other):
        neck = build_neck()
        path = neck(**arguments, labels=labels).posterior
        outputs.append(
            {
                f'{k}.{a}': getattr(g, a)
                for k, g in path.distributions.items()
                for a in ('mean', 'log_var')
            }
            | dict(neck.latents.posterior.named_buffers())
        )
    assert any('running_mean' in name for name in outputs[0])
    for name, value in outputs[0].items():
        assert value.isfinite().all()
        assert torch.equal(value, outputs[1][name]), name


def test_running_statistics_are_those_of_the_labelled_frames_alone():
    inputs, batch = make_inputs()
    labels = make_labels(batch, [0, 3])
    neck = build_neck()
    alone = copy.deepcopy(neck.latents)
    neck(**inputs, labels=labels)
    alone.encode_posterior(
        batch.frames[[0, 3]], inputs['audio'][[0, 3]], labels.foreground
    )
    changed = dict(neck.latents.posterior.named_buffers())
    for name, value in alone.posterior.named_buffers():
        assert torch.equal(changed[name], value), name
    counts = [v for k, v in changed.items() if k.endswith('batches_tracked')]
    assert counts and all(c == 1 for c in counts)


# --- what the paths carry --------------------------------------------------


def test_unlabelled_frames_carry_the_sample_of_the_prior():
    inputs, batch = make_inputs()
    index, rest = [0, 4], [1, 2, 3, 5]
    features = build_neck()(**inputs, labels=make_labels(batch, index))
    for name in CODES:
        prior = features.prior.draws[0].samples[name]
        posterior = features.posterior.draws[0].samples[name]
        assert torch.equal(posterior[rest], prior[rest])
        assert (posterior[index] != prior[index]).all()
        gaussian = features.posterior.distributions[name]
        assert gaussian.mean.shape == (2, 4)
        # A sample: not the mean.
        assert (posterior[index] != gaussian.mean).any()


def test_posterior_sample_lies_on_the_frame_of_its_mask():
    """In evaluation mode the sample is the mean, so the rows can be told."""
    inputs, batch = make_inputs()
    features = build_neck().eval()(**inputs, labels=make_labels(batch, [1, 5]))
    for name in CODES:
        mean = features.posterior.distributions[name].mean
        assert torch.equal(
            features.posterior.draws[0].samples[name][[1, 5]], mean
        )


def test_codes_are_fused_from_specific_and_shared():
    """sc = L [specific; shared], four maps of their own."""
    neck = build_neck()
    inputs, batch = make_inputs()
    features = neck(**inputs, labels=make_labels(batch))
    weights = []
    for path, fusion in (
        (features.prior, neck.latents.prior_fusion),
        (features.posterior, neck.latents.posterior_fusion),
    ):
        for modality in ('visual', 'audio'):
            linear = fusion[modality]
            specific = path.draws[0].samples[f'{modality}_specific']
            expected = (
                specific @ linear.weight[:, :4].T
                + path.draws[0].samples['shared'] @ linear.weight[:, 4:].T
                + linear.bias
            )
            code = getattr(path.draws[0], f'{modality}_code')
            torch.testing.assert_close(code, expected)
            weights.append(linear.weight)
    assert len({id(w) for w in weights}) == 4


def test_codes_are_injected_into_the_deepest_level_only():
    """[feature, sc_v, sc_a] in this order through a 1x1 convolution."""
    neck = build_neck().eval()
    inputs, batch = make_inputs()
    features = neck(**inputs, labels=make_labels(batch))
    for path, mapping, injection in (
        (features.prior, neck.prior_mapping, neck.prior_injection),
        (features.posterior, neck.posterior_mapping, neck.posterior_injection),
    ):
        mapped = [f(x) for f, x in zip(mapping, inputs['levels'])]
        for level, expected in zip(path.levels, mapped[:3], strict=True):
            assert torch.equal(level, expected)
        kernel = injection.conv.weight[:, :, 0, 0]
        codes = path.draws[0].visual_code @ kernel[:, 16:20].T
        codes = (
            codes
            + path.draws[0].audio_code @ kernel[:, 20:].T
            + injection.conv.bias
        )
        expected = torch.einsum('oc,nchw->nohw', kernel[:, :16], mapped[3])
        expected = expected + codes[:, :, None, None]
        torch.testing.assert_close(
            path.draws[0].decodings[0][0], expected, rtol=1e-4, atol=1e-5
        )


@pytest.mark.parametrize('num_levels', [1, 3, 4])
def test_codes_modulate_the_deepest_levels(num_levels):
    """(1 + a) x + b in n levels, (a, b) linear in both codes."""
    injection = dict(type='ModulatedInjection', num_levels=num_levels)
    neck = build_neck(injection=injection).eval()
    for module in (neck.prior_injection, neck.posterior_injection):
        for parameter in module.parameters():
            assert not parameter.any()  # the levels pass as they are
            torch.nn.init.normal_(parameter)
    inputs, batch = make_inputs()
    features = neck(**inputs, labels=make_labels(batch))
    for path, mapping, injection in (
        (features.prior, neck.prior_mapping, neck.prior_injection),
        (features.posterior, neck.posterior_mapping, neck.posterior_injection),
    ):
        mapped = [f(x) for f, x in zip(mapping, inputs['levels'])]
        draw = path.draws[0]
        assert len(path.levels) == 4 - num_levels
        for level, expected in zip(path.levels, mapped):
            assert torch.equal(level, expected)
        (decoding,) = draw.decodings
        codes = torch.cat([draw.visual_code, draw.audio_code], 1)
        for level, source, linear in zip(
            decoding,
            mapped[4 - num_levels :],
            injection.modulations,
            strict=True,
        ):
            factors = codes @ linear.weight.T + linear.bias
            expected = source * (1 + factors[:, :16, None, None])
            expected = expected + factors[:, 16:, None, None]
            torch.testing.assert_close(level, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ('num_levels', 'message'),
    [(0, '1 or more, got 0'), (5, 'num_levels=5, but .* has 4 levels')],
)
def test_levels_that_are_not_there(num_levels, message):
    injection = dict(type='ModulatedInjection', num_levels=num_levels)
    with pytest.raises(ValueError, match=message):
        build_neck(injection=injection)


def test_nothing_of_a_posterior_without_one():
    neck = build_neck(with_posterior=False)
    names = [name for name, _ in neck.named_parameters()]
    assert names and not [name for name in names if 'posterior' in name]
    inputs, batch = make_inputs()
    features = neck(**inputs, labels=make_labels(batch))
    assert features.posterior is None and features.labels is not None
    # The prior is drawn in training all the same.
    path = features.prior
    assert not torch.equal(
        path.draws[0].samples['shared'], path.distributions['shared'].mean
    )


@pytest.mark.parametrize('detached', [False, True])
def test_a_detached_posterior_leaves_the_backbone_alone(detached):
    neck = build_neck(detach_posterior=detached)
    inputs, batch = make_inputs()
    for level in inputs['levels']:
        level.requires_grad_()
    features = neck(**inputs, labels=make_labels(batch))
    path = features.posterior
    total = sum(
        level.sum() for level in (*path.levels, *path.draws[0].decodings[0])
    )
    total.backward()
    for level in inputs['levels']:
        assert (level.grad is None) == detached
    mapping = neck.posterior_mapping[0].parameters()
    assert all(parameter.grad is not None for parameter in mapping)


def test_prediction_uses_the_mean_and_training_samples():
    neck = build_neck()
    inputs, _ = make_inputs()
    drawn = [neck(**inputs).prior.draws[0].samples['shared'] for _ in range(2)]
    assert not torch.equal(*drawn)
    torch.manual_seed(3)
    again = [neck(**inputs).prior.draws[0].samples['shared']]
    torch.manual_seed(3)
    again.append(neck(**inputs).prior.draws[0].samples['shared'])
    assert torch.equal(*again)
    path = neck.eval()(**inputs).prior
    for name in CODES:
        assert torch.equal(
            path.draws[0].samples[name], path.distributions[name].mean
        )


def test_no_posterior_without_masks():
    inputs, _ = make_inputs()
    features = build_neck()(**inputs)
    assert features.posterior is None and features.labels is None
    assert features.num_frames == 3 and features.frame_size == (64, 64)


# --- sizes -----------------------------------------------------------------


@pytest.mark.parametrize('size', [(64, 64), (96, 96), (100, 132), (224, 224)])
def test_sizes_are_free(size):
    inputs, batch = make_inputs(1, 2, size)
    features = build_neck()(**inputs, labels=make_labels(batch))
    for path in (features.prior, features.posterior):
        levels = (*path.levels, *path.draws[0].decodings[0])
        for level, source in zip(levels, inputs['levels'], strict=True):
            assert level.shape == (2, 16, *source.shape[2:])
        assert path.draws[0].visual_code.shape == (2, 4)
    assert features.frame_size == size


def test_pool_of_the_encoders_is_the_identity_at_224():
    """Five strides of 2 leave 7 x 7 there; elsewhere it averages to 7 x 7."""
    torch.manual_seed(0)
    encoder = VisualEncoder(3, 4).eval()
    x = torch.randn(1, 3, 224, 224)
    features = x
    for unit in encoder.stack:
        features = unit(features)
    assert features.shape == (1, 128, 7, 7)
    linear = encoder.head.mean
    expected = F.linear(features.flatten(1), linear.weight, linear.bias)
    torch.testing.assert_close(encoder(x).mean, expected)
    for size in (64, 448):
        assert encoder(torch.randn(2, 3, size, size)).mean.shape == (2, 4)


def test_audio_mask_encoder_by_its_layers():
    """Summary of the image, behind the sound, to mean and log-variance."""
    torch.manual_seed(0)
    encoder = AudioMaskEncoder(8, 1, 4).eval()
    audio, mask = torch.rand(2, 8), torch.rand(2, 1, 64, 64)
    x = mask
    for unit in encoder.stack:
        # With a bias, although a norm follows; LeakyReLU(0.01) behind it.
        x = F.conv2d(x, unit.conv.weight, unit.conv.bias, stride=2, padding=1)
        x = F.leaky_relu(unit.bn(x), 0.01)
    x = F.adaptive_avg_pool2d(x, 7).flatten(1)
    both = torch.cat([audio, encoder.image(x)], dim=1)
    gaussian = encoder(audio, mask)
    torch.testing.assert_close(gaussian.mean, encoder.head.mean(both))
    torch.testing.assert_close(gaussian.log_var, encoder.head.log_var(both))


def test_basic_mapping_has_no_activation_and_no_bias():
    """Linear in evaluation mode but for the norms: f(-x) - f(0) mirrors."""
    torch.manual_seed(0)
    mapping = BasicMapping(4, 6).eval()
    assert [unit.conv.kernel_size for unit in mapping] == [
        (1, 1),
        (3, 3),
        (3, 3),
    ]
    assert all(unit.conv.bias is None for unit in mapping)
    x = torch.randn(2, 4, 5, 7)
    zero = mapping(torch.zeros_like(x))
    torch.testing.assert_close(
        mapping(x) - zero, zero - mapping(-x), rtol=1e-4, atol=1e-5
    )


def test_audio_is_mapped_only_where_sizes_differ():
    inputs, _ = make_inputs()
    features = build_neck()(**inputs)
    assert features.audio.shape == (6, 16)
    neck = build_neck(audio_channels=16)
    assert not list(neck.audio_mapping.parameters())
    audio = torch.rand(6, 16)
    assert torch.equal(neck(**dict(inputs, audio=audio)).audio, audio)


def test_number_of_levels_is_checked():
    inputs, _ = make_inputs()
    inputs['levels'] = inputs['levels'][:3]
    with pytest.raises(ValueError, match=r'3 levels.*\(4, 8, 16, 32\)'):
        build_neck()(**inputs)
