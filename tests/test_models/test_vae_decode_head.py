"""The decode head: fusion, decoders and the dict of losses."""

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from mmseg.models.decode_heads.decode_head import BaseDecodeHead
from mmseg.registry import MODELS
from small_model import CHANNELS, HEAD, build_model, make_batch, make_labels
from torch import nn

from mmavs.functional.divergences import gaussian_kl, geometric_jsd
from mmavs.structures import FrameLabels

STATISTICS = ('running_mean', 'running_var', 'num_batches_tracked')
PLAIN = dict(
    loss_orthogonality=None,
    loss_mutual_information=None,
    loss_matching=None,
    divergences=None,
)


def make_features(labelled=None, seed=0, **head):
    """Head and features of a training batch, from one small model."""
    model = build_model(head=head)
    batch = make_batch()
    labels = make_labels(batch, labelled, seed)
    return model.decode_head, model.extract_feat(batch, labels)


def build_head(**kwargs):
    return MODELS.build(dict(HEAD, **kwargs))


# --- construction ----------------------------------------------------------


def test_binary_defaults():
    """mmseg's own threshold for one channel is 0.3."""
    head = build_head()
    assert isinstance(head, BaseDecodeHead)
    assert head.threshold == 0.5
    assert head.out_channels == 1 and head.num_classes == 2
    assert head.ignore_index == 255


def test_classifier_of_mmseg_is_gone():
    """Its parameters would never get a gradient, which stops DDP."""
    head = build_head()
    assert not hasattr(head, 'conv_seg')
    assert not any('conv_seg' in name for name in head.state_dict())


def test_channels_are_checked():
    with pytest.raises(ValueError, match=r'channels=16.*\(16, 16, 16, 8\)'):
        build_head(in_channels=(16, 16, 16, 8))


def test_one_fusion_per_level_and_two_decoders():
    head = build_head()
    assert len(head.fusion) == 4
    own = {id(p) for p in head.prior_decoder.parameters()}
    assert not own & {id(p) for p in head.posterior_decoder.parameters()}


# --- decoder ---------------------------------------------------------------


def direct_decoder(decoder, levels):
    """The published order of operations, sizes that divide by 32."""

    def unit(module, x):
        y = x
        for conv in module.convs:
            y = F.conv2d(y, conv.conv.weight, padding=1)
            y = F.relu(conv.bn(y))
        return x + y

    def twice(x):
        return x.repeat_interleave(2, 2).repeat_interleave(2, 3)

    x = twice(unit(decoder.merge[3], levels[3]))
    for i in (2, 1, 0):
        lateral = unit(decoder.lateral[i], levels[i])
        x = twice(unit(decoder.merge[i], x + lateral))
    x = twice(decoder.reduce(x))
    x = F.relu(decoder.head[0](x))
    return decoder.head[2](x)


def test_decoder_against_the_direct_form():
    torch.manual_seed(0)
    decoder = MODELS.build(dict(type='ResidualPyramidDecoder', channels=8))
    decoder.eval()
    levels = [torch.randn(2, 8, 64 // s, 96 // s) for s in (4, 8, 16, 32)]
    value = decoder(levels, (64, 96))
    assert value.shape == (2, 1, 64, 96)
    torch.testing.assert_close(value, direct_decoder(decoder, levels))


def test_decoder_at_a_size_that_does_not_divide():
    decoder = MODELS.build(
        dict(type='ResidualPyramidDecoder', channels=8, out_channels=5)
    )
    sizes = [(25, 33), (13, 17), (7, 9), (4, 5)]
    levels = [torch.randn(2, 8, *size) for size in sizes]
    assert decoder(levels, (100, 130)).shape == (2, 5, 100, 130)


# --- losses ----------------------------------------------------------------


def test_keys():
    head, features = make_features()
    losses = head.loss(features, [], None)
    assert set(losses) == {
        'loss_structure_prior',
        'loss_structure_posterior',
        'loss_kl_visual_specific',
        'loss_kl_audio_specific',
        'loss_jsd_shared',
        'loss_orthogonality',
        'loss_mutual_information',
        'loss_matching',
        'iou_prior',
        'iou_posterior',
    }
    for value in losses.values():
        assert value.shape == () and value.isfinite()
    assert not losses['iou_prior'].requires_grad


def test_terms_that_are_left_out_leave_no_key():
    head, features = make_features(**PLAIN)
    assert set(head.loss(features, [], None)) == {
        'loss_structure_prior',
        'loss_structure_posterior',
        'iou_prior',
        'iou_posterior',
    }


def test_every_term_from_the_features():
    """Each value again from the features, with labels in frames 1 and 3."""
    index = [1, 3]
    head, features = make_features(index)
    head.eval()  # the norms of the two calls alike
    prior, posterior = features.prior, features.posterior
    losses = head.loss(features, [], None)
    labels = features.labels
    (fused,) = head.fuse(prior, features)
    prior_logits = head.prior_decoder(fused, (64, 64))
    structure = MODELS.build(dict(type='StructureLoss'))
    (posterior_levels,) = head.fuse(posterior, features)
    posterior_logits = head.posterior_decoder(posterior_levels, (64, 64))
    expected = dict(
        loss_structure_prior=structure(prior_logits[index], labels.labels),
        loss_structure_posterior=structure(
            posterior_logits[index], labels.labels
        ),
    )
    for name in ('visual_specific', 'audio_specific', 'shared'):
        divergence = geometric_jsd if name == 'shared' else gaussian_kl
        key = 'loss_jsd_shared' if name == 'shared' else f'loss_kl_{name}'
        expected[key] = (
            0.01
            * divergence(
                posterior.distributions[name],
                prior.distributions[name].select(torch.tensor(index)),
            ).mean()
        )
    samples = [
        {k: v[index] for k, v in path.draws[0].samples.items()}
        for path in (prior, posterior)
    ]
    expected['loss_orthogonality'] = head.loss_orthogonality(*samples)
    expected['loss_mutual_information'] = head.loss_mutual_information(
        *(
            (draw.visual_code[index], draw.audio_code[index])
            for draw in (prior.draws[0], posterior.draws[0])
        )
    )
    # All frames, labelled or not.
    expected['loss_matching'] = head.loss_matching(
        prior_logits, fused, features.audio
    )
    for name, value in expected.items():
        torch.testing.assert_close(
            losses[name], value, rtol=1e-4, atol=1e-6, msg=name
        )


def test_forward_is_the_prior_path():
    head, features = make_features()
    head.eval()
    logits = head(features)
    (levels,) = head.fuse(features.prior, features)
    expected = head.prior_decoder(levels, (64, 64))
    assert logits.shape == (6, 1, 64, 64)
    torch.testing.assert_close(logits, expected)


def test_weights_of_the_two_paths():
    values = []
    for weights in ((1.0, 1.0), (0.5, 2.0)):
        head, features = make_features(
            prior_weight=weights[0], posterior_weight=weights[1]
        )
        values.append(head.loss(features, [], None))
    for path, factor in (('prior', 0.5), ('posterior', 2.0)):
        name = f'loss_structure_{path}'
        torch.testing.assert_close(values[1][name], factor * values[0][name])
    assert torch.equal(values[1]['iou_prior'], values[0]['iou_prior'])


def test_ignored_pixels_take_no_part():
    """Padding of a labelled frame: no gradient to its logits."""
    head, features = make_features(**PLAIN)
    labels = features.labels.labels.clone()
    labels[:, :, 48:] = 255
    known = FrameLabels(labels, features.labels.index)
    logits = torch.randn(6, 1, 64, 64, requires_grad=True)
    losses = head._segmentation('prior', [logits], known, 1.0)
    losses['loss_structure_prior'].backward()
    assert (logits.grad[..., 48:] == 0).all()
    assert (logits.grad[..., :48] != 0).all()
    moved = logits.detach().clone()
    moved[..., 48:] = 100
    again = head._segmentation('prior', [moved], known, 1.0)
    for name, value in losses.items():
        torch.testing.assert_close(again[name], value.detach())


def test_losses_of_mmseg_and_several_of_them():
    """With one channel, and without a division by ignored pixels."""
    cross_entropy = dict(
        type='CrossEntropyLoss', use_sigmoid=True, avg_non_ignore=True
    )
    head, features = make_features(
        [0, 3], loss_decode=[cross_entropy, dict(type='StructureLoss')]
    )
    head.eval()
    losses = head.loss(features, [], None)
    assert 'loss_structure_prior' in losses
    logits = head(features)[[0, 3], 0]
    expected = F.binary_cross_entropy_with_logits(
        logits, features.labels.labels.float()
    )
    torch.testing.assert_close(losses['loss_ce_prior'], expected)


# --- variants --------------------------------------------------------------


def test_shared_decoder_decodes_both_paths_and_is_saved_once():
    head, features = make_features(shared_decoder=True)
    head.eval()
    (levels,) = head.fuse(features.posterior, features)
    (logits,) = head.posterior_logits(features)
    torch.testing.assert_close(logits, head.prior_decoder(levels, (64, 64)))
    assert not any('posterior_decoder' in k for k in head.state_dict())
    names = [name for name, _ in head.named_parameters(remove_duplicate=False)]
    assert len(names) == len({id(p) for p in head.parameters()})


def per_modality_features(**head):
    model = build_model(
        head=dict(PLAIN, **head),
        neck=dict(injection=dict(type='PerModalityInjection')),
    ).eval()
    batch = make_batch()
    features = model.extract_feat(batch, make_labels(batch, [0, 3]))
    return model, features


def test_one_decoding_per_modality_and_their_losses_add_up():
    """sum_m log p(y | x^m, s^m, c), Eq. 11."""
    model, features = per_modality_features()
    head = model.decode_head
    losses = head.loss(features, [], None)
    structure = MODELS.build(dict(type='StructureLoss'))
    decodings = head.fuse(features.prior, features)
    assert len(decodings) == 2
    logits = [head.prior_decoder(levels, (64, 64)) for levels in decodings]
    assert not torch.equal(*logits)
    expected = sum(
        structure(x[[0, 3]], features.labels.labels) for x in logits
    )
    torch.testing.assert_close(losses['loss_structure_prior'], expected)
    # Prediction: the average of their probabilities.
    mean = (logits[0].sigmoid() + logits[1].sigmoid()) / 2
    torch.testing.assert_close(head(features).sigmoid(), mean)


@pytest.mark.parametrize('modality', ['visual', 'audio'])
def test_a_decoding_of_one_modality_does_not_see_the_other_code(modality):
    model, features = per_modality_features()
    draw = features.prior.draws[0]
    codes = dict(visual=draw.visual_code, audio=draw.audio_code)
    codes[modality] = codes[modality] + 1
    level = torch.randn(6, CHANNELS, 2, 2)
    inject = model.neck.prior_injection
    before = inject([level], draw.visual_code, draw.audio_code)
    after = inject([level], codes['visual'], codes['audio'])
    for name, (a,), (b,) in zip(('visual', 'audio'), before, after):
        assert torch.equal(a, b) == (name != modality)


def test_matching_of_several_decodings_is_their_mean():
    model, features = per_modality_features(
        loss_matching=dict(type='AVMatchingLoss')
    )
    head = model.decode_head
    values = [
        head.loss_matching(
            head.prior_decoder(levels, (64, 64)), levels, features.audio
        )
        for levels in head.fuse(features.prior, features)
    ]
    torch.testing.assert_close(
        head.loss(features, [], None)['loss_matching'], sum(values) / 2
    )


@pytest.mark.parametrize('shared_decoder', [False, True])
def test_running_statistics_are_those_of_the_prior_path(shared_decoder):
    """At test there is no other; what is normalised by a batch is not kept."""
    found = []
    for with_posterior in (True, False):
        head, features = make_features(shared_decoder=shared_decoder)
        if with_posterior:
            head.loss(features, [], None)
        else:
            for levels in head.fuse(features.prior, features):
                head.prior_decoder(levels, features.frame_size)
        found.append(
            {
                name: value
                for name, value in head.state_dict().items()
                if name.endswith(STATISTICS) and 'posterior' not in name
            }
        )
    assert len(found[0]) > 8
    for name, value in found[0].items():
        assert torch.equal(value, found[1][name]), name
    fresh, _ = make_features(shared_decoder=shared_decoder)
    noted = fresh.state_dict()
    assert any(not torch.equal(v, noted[k]) for k, v in found[0].items())
    norms = [m for m in head.modules() if isinstance(m, nn.BatchNorm2d)]
    assert norms and all(norm.track_running_stats for norm in norms)


def test_draws_share_the_fusion_of_the_shallow_levels():
    """S samples cost a larger deepest level and S decodings, nothing else."""
    model = build_model().eval()
    features = model.extract_feat(make_batch(), num_samples=3)
    calls = []
    for i, fusion in enumerate(model.decode_head.fusion):
        fusion.register_forward_hook(lambda *_, i=i: calls.append(i))
    logits = model.decode_head.draw_logits(features)
    assert len(logits) == 3
    # The deepest at once, as more clips of one batch.
    assert sorted(calls) == [0, 1, 2, 3]
    mean = torch.stack([x.sigmoid() for x in logits]).mean(0)
    torch.testing.assert_close(model.decode_head(features).sigmoid(), mean)


def test_two_draws_of_the_posterior_are_averaged():
    """Decodings of a draw add up, draws are a Monte-Carlo mean."""
    head, features = make_features([0, 3], **PLAIN)
    head.eval()
    (logits,) = head.posterior_logits(features)
    draws = features.posterior.draws
    twice = replace(
        features,
        posterior=replace(features.posterior, draws=draws * 2),
    )
    once, again = (
        head.loss(f, [], None)['loss_structure_posterior']
        for f in (features, twice)
    )
    structure = MODELS.build(dict(type='StructureLoss'))
    torch.testing.assert_close(once, structure(logits, features.labels.labels))
    torch.testing.assert_close(once, again)


@pytest.mark.parametrize('num_samples', [1, 4])
def test_statistics_of_the_fusion_do_not_depend_on_the_draws(num_samples):
    """One batch, of the prior path, however often the posterior is drawn."""
    latents = dict(type='JointMixtureLatents', num_samples=num_samples)
    model = build_model(
        head=dict(PLAIN, type='IWAEDecodeHead'), neck=dict(latents=latents)
    )
    batch = make_batch()
    features = model.extract_feat(batch, make_labels(batch))
    model.decode_head.loss(features, [], None)
    for fusion in model.decode_head.fusion:
        assert fusion.out_norm.num_batches_tracked == 1


def test_several_clips_of_several_draws_are_fused_apart():
    """As if each draw had been a batch of its own."""
    model = build_model().eval()
    features = model.extract_feat(make_batch(), num_samples=2)
    path = features.prior
    for draw, levels in zip(
        path.draws, model.decode_head.fuse(path, features), strict=True
    ):
        alone = model.decode_head.fusion[-1](
            draw.decodings[0][0], features.audio, features.num_frames
        )
        torch.testing.assert_close(levels[-1], alone)


def test_orthogonality_of_what_is_not_drawn_is_named():
    pairs = [('visual_specific', 'audio_specific')]
    model = build_model(
        head=dict(
            divergences=None,
            loss_mutual_information=None,
            loss_orthogonality=dict(type='OrthogonalityLoss', pairs=pairs),
        ),
        neck=dict(latents=dict(type='JointProductLatents')),
    )
    batch = make_batch()
    features = model.extract_feat(batch, make_labels(batch))
    with pytest.raises(ValueError, match=r"orthogonality.*\['joint'\]"):
        model.decode_head.loss(features, [], None)


def test_warmup_scales_every_latent_term_and_nothing_else():
    head, features = make_features([0, 3])
    head.eval()
    full = head.loss(features, [], None)
    head.latent_warmup = 0.25
    scaled = head.loss(features, [], None)
    latent = ('kl', 'jsd', 'orthogonality', 'mutual_information')
    for name, value in full.items():
        factor = 0.25 if any(word in name for word in latent) else 1.0
        torch.testing.assert_close(scaled[name], factor * value, msg=name)


@pytest.mark.parametrize(
    'changes',
    [
        dict(loss_orthogonality=None),
        dict(divergences=None),
    ],
    ids=['divergences', 'orthogonality'],
)
def test_terms_of_latents_that_do_not_exist_are_named(changes):
    model = build_model(
        head=dict(changes, loss_mutual_information=None),
        neck=dict(latents=dict(type='UnfactorisedLatents')),
    )
    batch = make_batch()
    features = model.extract_feat(batch, make_labels(batch))
    with pytest.raises(ValueError, match=r"\['shared'\].*'audio_specific'"):
        model.decode_head.loss(features, [], None)


def test_another_number_of_levels_than_the_neck_has():
    model = build_model(head=dict(in_channels=(CHANNELS,) * 3))
    features = model.extract_feat(make_batch())
    with pytest.raises(ValueError, match='gave 4 levels.*has 3'):
        model.decode_head(features)


def test_a_mixture_without_its_head_is_refused():
    model = build_model(
        head=dict(PLAIN), neck=dict(latents=dict(type='JointMixtureLatents'))
    )
    batch = make_batch()
    features = model.extract_feat(batch, make_labels(batch))
    with pytest.raises(ValueError, match="'joint' is a mixture.*IWAE"):
        model.decode_head.loss(features, [], None)


def test_a_posterior_without_its_head_is_refused():
    kept = {
        k: v
        for k, v in HEAD.items()
        if k not in ('divergences', *PLAIN) or k == 'loss_matching'
    }
    model = build_model()
    model.decode_head = MODELS.build(dict(kept, type='AVDecodeHead'))
    batch = make_batch()
    features = model.extract_feat(batch, make_labels(batch))
    with pytest.raises(ValueError, match='AVDecodeHead.*AVMappingNeck'):
        model.decode_head.loss(features, [], None)


@pytest.mark.parametrize(
    ('neck', 'message'),
    [
        (dict(out_channels=8), 'out_channels=8.*decode_head.channels=16'),
        (dict(latent_channels=5), 'latent_channels=5.*code_channels=4'),
        (dict(audio_channels=9), 'gave 8 channels.*audio_channels=9'),
    ],
)
def test_sizes_that_do_not_fit_are_named(neck, message):
    model = build_model(neck=neck)
    batch = make_batch()
    with pytest.raises(ValueError, match=message):
        features = model.extract_feat(batch, make_labels(batch))
        model.decode_head.loss(features, [], None)


def test_a_posterior_is_needed():
    model = build_model()
    neck = MODELS.build(
        dict(
            type='AVMappingNeck',
            in_channels=model.neck.in_channels,
            out_channels=CHANNELS,
            audio_channels=8,
        )
    )
    model.neck = neck
    batch = make_batch()
    features = model.extract_feat(batch, make_labels(batch))
    with pytest.raises(ValueError, match='VAEDecodeHead.*AVDecodeHead'):
        model.decode_head.loss(features, [], None)


# --- the watched value -----------------------------------------------------


def test_watched_iou_by_hand():
    """3 hits, 1 false alarm, 1 miss of the labelled pixels: 3 / 5.

    Half of the row is background that is predicted right and one pixel is
    ignored: mmseg's acc_seg would call that 0.8 and more.
    """
    head = build_head()
    labels = torch.tensor([[[1, 1, 1, 1, 0, 0, 0, 0, 0, 255]]])
    signs = torch.tensor([1, 1, 1, -1, 1, -1, -1, -1, -1, 1])
    logits = 4.0 * signs.view(1, 1, 1, 10)
    value = head._foreground_iou(
        logits, FrameLabels(labels, torch.tensor([0]))
    )
    assert value.item() == pytest.approx(3 / 5)


def test_watched_iou_of_all_background():
    head = build_head()
    labels = FrameLabels(torch.zeros(1, 4, 4).long(), torch.tensor([0]))
    value = head._foreground_iou(torch.full((1, 1, 4, 4), -9.0), labels)
    assert value == 0


def test_gradient_reaches_both_paths_and_the_sound():
    head, features = make_features([0, 3])
    total = sum(
        v for k, v in head.loss(features, [], None).items() if 'loss' in k
    )
    total.backward()
    for fusion in head.fusion:
        assert fusion.phi.weight.grad.abs().sum() > 0
    for decoder in (head.prior_decoder, head.posterior_decoder):
        for name, parameter in decoder.named_parameters():
            assert parameter.grad.abs().sum() > 0, name
    assert head.channels == CHANNELS
