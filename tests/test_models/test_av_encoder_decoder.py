"""The segmentor as a whole, at a small size."""

import copy

import pytest
import torch
from mmengine.model import (
    ExponentialMovingAverage,
    MMDistributedDataParallel,
)
from mmengine.optim import OptimWrapper
from mmseg.models import EncoderDecoder
from mmseg.registry import MODELS
from small_model import (
    HEAD,
    NECK,
    build_model,
    make_batch,
    make_labels,
    make_masks,
    make_samples,
)
from torch import distributed

from mmavs.structures import ClipBatch

S4 = [0, 3]  # the first frame of each of two clips of three


def training_step(model, batch, masks, seed=0):
    """Total and losses of one step, gradients filled in."""
    model.zero_grad()
    torch.manual_seed(seed)
    losses = model(batch, make_samples(masks, batch.num_frames), mode='loss')
    total, log = model.parse_losses(losses)
    total.backward()
    return total.detach(), losses, log


def pack(batch, masks=None):
    """A batch of clips as the data loader gives it."""
    t = batch.num_frames
    data = dict(
        inputs=dict(
            frames=list(batch.frames.split(t)),
            log_mel=list(batch.log_mel.split(t)),
        )
    )
    if masks is not None:
        data['data_samples'] = []
        for b, clip in enumerate(masks.split(t)):
            sample = make_samples(clip[:1])[0]
            size = tuple(clip.shape[-2:])
            sample.set_metainfo(
                dict(video_id=f'clip{b}', num_frames=t, ori_shape=size)
            )
            sample.gt_sem_seg.data = clip
            data['data_samples'].append(sample)
    return data


# --- construction ----------------------------------------------------------


def test_public_names():
    model = build_model()
    assert isinstance(model, EncoderDecoder)
    for name in ('backbone', 'audio_backbone', 'neck', 'decode_head'):
        assert isinstance(getattr(model, name), torch.nn.Module)
    assert not model.with_auxiliary_head


@pytest.mark.parametrize('mode', ['slide', 'flip'])
def test_only_whole_frames(mode):
    test_cfg = dict(mode=mode, crop_size=(32, 32), stride=(16, 16))
    with pytest.raises(ValueError, match=f"'whole', got '{mode}'"):
        build_model(test_cfg=test_cfg)


def test_auxiliary_head_is_refused():
    with pytest.raises(ValueError, match='auxiliary_head'):
        build_model(auxiliary_head=dict(type='FCNHead'))


def test_train_does_not_thaw_the_audio_network():
    model = build_model()
    model.train()
    assert model.backbone.training and model.neck.training
    assert not any(m.training for m in model.audio_backbone.modules())
    before = copy.deepcopy(model.audio_backbone.state_dict())
    batch = make_batch()
    optimiser = torch.optim.Adam(model.parameters(), 0.1)
    training_step(model, batch, make_masks(batch))
    optimiser.step()
    for name, value in model.audio_backbone.state_dict().items():
        assert torch.equal(value, before[name])


# --- shapes ----------------------------------------------------------------


@pytest.mark.parametrize('num_frames', [1, 3, 5, 10])
def test_number_of_frames_is_free(num_frames):
    model = build_model()
    batch = make_batch(2, num_frames)
    total, _, _ = training_step(model, batch, make_masks(batch))
    assert total.isfinite()
    with torch.no_grad():
        logits = model.eval()(batch, mode='tensor')
    assert logits.shape == (2 * num_frames, 1, 64, 64)


@pytest.mark.parametrize('size', [(64, 64), (96, 96), (100, 132), (224, 224)])
def test_size_is_free(size):
    model = build_model()
    batch = make_batch(1, 2, size)
    total, _, _ = training_step(model, batch, make_masks(batch))
    assert total.isfinite()
    with torch.no_grad():
        logits = model.eval()(batch, mode='tensor')
    assert logits.shape == (2, 1, *size)


# --- training --------------------------------------------------------------


def test_total_is_the_sum_of_the_loss_terms():
    """And of nothing else: what is watched does not contain «loss»."""
    model = build_model()
    batch = make_batch()
    total, losses, log = training_step(model, batch, make_masks(batch, S4))
    terms = {k: v for k, v in losses.items() if k.startswith('decode.loss_')}
    assert len(terms) == 8
    torch.testing.assert_close(total, sum(terms.values()).detach())
    watched = set(losses) - set(terms)
    assert watched == {'decode.iou_prior', 'decode.iou_posterior'}
    assert not any('acc_seg' in name for name in log)


def test_every_trainable_parameter_gets_a_gradient():
    """Unused ones stop distributed training; dead ones are a mistake."""
    model = build_model()
    batch = make_batch()
    training_step(model, batch, make_masks(batch, S4))
    for name, parameter in model.named_parameters():
        if not parameter.requires_grad:
            assert name.startswith('audio_backbone.'), name
            continue
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        if '.stack.' not in name or not name.endswith('conv.bias'):
            # A bias under a batch norm has none but rounding errors.
            assert parameter.grad.abs().sum() > 0, name


def test_a_trained_audio_network_gets_a_gradient():
    model = build_model(audio=dict(frozen=False))
    batch = make_batch()
    training_step(model, batch, make_masks(batch, S4))
    weight = model.audio_backbone.features[0].weight
    assert weight.grad.abs().sum() > 0


def test_unlabelled_masks_are_not_read():
    """Whatever label lies beyond the first frames would change the loss."""
    batch = make_batch()
    model = build_model()
    full, first = make_masks(batch), make_masks(batch, S4)
    results = {}
    for name, masks in dict(full=full, first=first).items():
        copied = copy.deepcopy(model)
        total, _, _ = training_step(copied, batch, masks)
        results[name] = total
    assert results['full'] != results['first']
    # Another filler, marked as such, changes nothing.
    copied = build_model(head=dict(ignore_index=254))
    other = first.clone()
    other[first == 255] = 254
    total, _, _ = training_step(copied, batch, other)
    assert total == results['first']


def test_no_labelled_frame_is_a_clear_error():
    model = build_model()
    batch = make_batch()
    masks = torch.full((6, 64, 64), 255)
    with pytest.raises(ValueError, match='none of the 6 frames'):
        model(batch, make_samples(masks), mode='loss')


def test_noise_follows_the_seed():
    batch = make_batch()
    masks = make_masks(batch, S4)
    one, same, other = (
        training_step(build_model(), batch, masks, seed=seed)[0]
        for seed in (0, 0, 1)
    )
    assert one == same
    assert one != other


def test_training_lowers_the_loss():
    """The whole can be fitted: twelve steps on one batch."""
    model = build_model()
    batch = make_batch()
    masks = make_masks(batch)
    optimiser = torch.optim.Adam(model.parameters(), 5e-3)
    values = []
    for step in range(12):
        total, _, _ = training_step(model, batch, masks, seed=step)
        values.append(total.item())
        optimiser.step()
    assert values[-1] < 0.8 * values[0]


def test_posterior_depends_on_the_mask():
    """The mask of a labelled frame reaches every posterior, and no prior."""
    model = build_model().eval()
    batch = make_batch()
    features = [
        model.extract_feat(batch, make_labels(batch, S4, seed))
        for seed in (0, 1)
    ]
    for name in ('visual_specific', 'audio_specific', 'shared'):
        a, b = (f.posterior.distributions[name].mean for f in features)
        assert not torch.equal(a, b)
        a, b = (f.prior.distributions[name].mean for f in features)
        assert torch.equal(a, b)


# --- prediction ------------------------------------------------------------


def test_prediction_is_deterministic():
    model = build_model().eval()
    batch = make_batch()
    with torch.no_grad():
        first = model(batch, mode='tensor')
        torch.manual_seed(99)
        second = model(batch, mode='tensor')
    assert torch.equal(first, second)


def test_masks_of_the_samples_do_not_reach_the_prediction():
    """At test only the prior path exists, whatever the samples hold."""
    model = build_model().eval()
    batch = make_batch()
    scores = []
    with torch.no_grad():
        for seed in (0, 1):
            samples = make_samples(make_masks(batch, seed=seed))
            predicted = model(batch, samples, mode='predict')
            scores.append(torch.cat([s.seg_logits.data for s in predicted]))
    assert torch.equal(*scores)


@pytest.mark.parametrize('with_samples', [True, False])
def test_predict(with_samples):
    """Probabilities and masks at threshold 0.5 in the original size."""
    model = build_model().eval()
    batch = make_batch()
    samples = None
    if with_samples:
        samples = make_samples(make_masks(batch))
        for sample in samples:
            sample.set_metainfo(dict(ori_shape=(90, 120)))
    with torch.no_grad():
        predicted = model(batch, samples, mode='predict')
        logits = model(batch, mode='tensor')
    assert len(predicted) == 6
    size = (90, 120) if with_samples else (64, 64)
    for n, sample in enumerate(predicted):
        probability = sample.seg_logits.data.reshape(1, *size)
        mask = sample.pred_sem_seg.data.reshape(1, *size)
        assert torch.equal(mask, (probability > 0.5).to(mask))
        if not with_samples:
            # One sigmoid, not two.
            torch.testing.assert_close(probability, logits[n].sigmoid())


def test_a_frame_hears_its_own_clip_only():
    model = build_model().eval()
    batch = make_batch()
    log_mel = batch.log_mel.clone()
    log_mel[4] = -4.6  # frame 1 of clip 1 falls silent
    with torch.no_grad():
        before = model(batch, mode='tensor')
        after = model(batch._replace(log_mel=log_mel), mode='tensor')
    changed = (before - after).abs().flatten(1).amax(1) > 1e-6
    assert changed.tolist() == [False] * 3 + [True] * 3


def test_through_the_data_preprocessor_without_samples():
    model = build_model(
        data_preprocessor=dict(type='AVSegDataPreProcessor')
    ).eval()
    batch = make_batch()
    data = model.data_preprocessor(pack(batch))
    assert isinstance(data['inputs'], ClipBatch)
    with torch.no_grad():
        logits = model(**data, mode='tensor')
        expected = model(batch, mode='tensor')
    torch.testing.assert_close(logits, expected)


def test_train_step_and_test_step_at_an_odd_size():
    """Frames of 50 x 70 are padded to 64 x 96, with 255 in the masks."""
    model = build_model(
        data_preprocessor=dict(
            type='AVSegDataPreProcessor',
            size_divisor=32,
            seg_pad_val=255,
            test_cfg=dict(size_divisor=32),
        )
    )
    batch = make_batch(size=(50, 70))
    masks = make_masks(batch, S4)
    seen = []
    model.neck.latents.posterior['audio_specific'].register_forward_pre_hook(
        lambda module, inputs: seen.append(inputs[1])
    )
    wrapper = OptimWrapper(torch.optim.Adam(model.parameters(), 1e-3))
    log = model.train_step(pack(batch, masks), wrapper)
    assert log['loss'].isfinite()
    assert seen[0].shape == (2, 1, 64, 96)
    assert set(seen[0].unique().tolist()) == {0.0, 1.0}
    model.eval()
    predicted = model.test_step(pack(batch, masks))
    assert [tuple(s.pred_sem_seg.data.shape) for s in predicted] == [
        (1, 50, 70)
    ] * 6


# --- numerics --------------------------------------------------------------


def test_bf16_autocast_stays_close_to_float32():
    batch = make_batch()
    masks = make_masks(batch, S4)
    results = []
    for enabled in (False, True):
        model = build_model()
        with torch.autocast('cpu', torch.bfloat16, enabled=enabled):
            torch.manual_seed(0)
            losses = model(batch, make_samples(masks), mode='loss')
        total, _ = model.parse_losses(losses)
        total.backward()
        for name, parameter in model.named_parameters():
            if parameter.requires_grad:
                assert parameter.grad.isfinite().all(), name
        results.append({k: v.item() for k, v in losses.items()})
    for name, exact in results[0].items():
        # bfloat16 keeps eight bits; batches of two make the norms wobble.
        assert results[1][name] == pytest.approx(exact, rel=0.1, abs=2e-3), (
            name
        )


def test_bf16_prediction_stays_close_to_float32():
    model = build_model().eval()
    batch = make_batch()
    with torch.no_grad():
        exact = model(batch, mode='tensor').sigmoid()
        with torch.autocast('cpu', torch.bfloat16):
            value = model(batch, mode='tensor').float().sigmoid()
    assert (value - exact).abs().max() < 0.05


def test_memory_format_does_not_matter():
    batch = make_batch()
    masks = make_masks(batch, S4)
    plain = build_model()
    total, _, _ = training_step(plain, batch, masks)
    strided = build_model().to(memory_format=torch.channels_last)
    frames = batch.frames.contiguous(memory_format=torch.channels_last)
    again, _, _ = training_step(strided, batch._replace(frames=frames), masks)
    torch.testing.assert_close(again, total, rtol=1e-4, atol=1e-5)
    with torch.no_grad():
        torch.testing.assert_close(
            strided.eval()(batch._replace(frames=frames), mode='tensor'),
            plain.eval()(batch, mode='tensor'),
            rtol=1e-3,
            atol=1e-3,
        )


# --- distributed -----------------------------------------------------------


def test_sync_bn_keeps_the_checkpoint_format():
    model = build_model()
    keys = list(model.state_dict())
    batch = make_batch()
    with torch.no_grad():
        before = model.eval()(batch, mode='tensor')
    synced = torch.nn.SyncBatchNorm.convert_sync_batchnorm(model)
    assert any(isinstance(m, torch.nn.SyncBatchNorm) for m in synced.modules())
    assert list(synced.state_dict()) == keys
    with torch.no_grad():
        torch.testing.assert_close(synced(batch, mode='tensor'), before)


@pytest.fixture
def process_group():
    distributed.init_process_group(
        'gloo', store=distributed.HashStore(), rank=0, world_size=1
    )
    yield
    distributed.destroy_process_group()


NO_TERMS = dict(
    divergences=None, loss_orthogonality=None, loss_mutual_information=None
)
MIXTURE = dict(
    head=dict(NO_TERMS, type='IWAEDecodeHead'),
    neck=dict(latents=dict(type='JointMixtureLatents')),
)


@pytest.mark.parametrize(
    'parts',
    [
        {},
        dict(head=dict(shared_decoder=True)),
        dict(neck=dict(injection=dict(type='PerModalityInjection'))),
        MIXTURE,
    ],
    ids=['default', 'shared decoder', 'per modality', 'mixture'],
)
def test_distributed_training_finds_no_unused_parameter(process_group, parts):
    """DDP raises in the second step if the first left one without gradient."""
    model = build_model(
        data_preprocessor=dict(type='AVSegDataPreProcessor'), **parts
    )
    wrapped = MMDistributedDataParallel(
        model, broadcast_buffers=False, find_unused_parameters=False
    )
    optimiser = OptimWrapper(torch.optim.Adam(model.parameters(), 1e-3))
    batch = make_batch()
    for _ in range(2):
        log = wrapped.train_step(pack(batch, make_masks(batch, S4)), optimiser)
    assert log['loss'].isfinite()


@pytest.mark.parametrize(
    'parts', [dict(head=dict(shared_decoder=True)), MIXTURE]
)
def test_average_of_the_weights(parts):
    """EMA copies the model, and averages it under its own names."""
    model = build_model(**parts).eval()
    average = ExponentialMovingAverage(model, momentum=0.5)
    average.update_parameters(model)  # the first is a copy
    before = {k: v.clone() for k, v in model.named_parameters()}
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(3)
        average.update_parameters(model)
        assert average.module(make_batch(), mode='tensor').isfinite().all()
    averaged = dict(average.module.named_parameters())
    assert averaged.keys() == before.keys()
    for name, value in before.items():
        torch.testing.assert_close(averaged[name], 2 * value, msg=name)


def test_any_backbone_of_mmseg():
    """Levels are all that is asked of it."""
    model = MODELS.build(
        dict(
            type='AVEncoderDecoder',
            backbone=dict(
                type='MixVisionTransformer',
                embed_dims=4,
                num_heads=[1, 1, 1, 1],
                num_layers=[1, 1, 1, 1],
            ),
            audio_backbone=dict(type='VGGish', width=0.03, out_channels=8),
            neck=dict(NECK, in_channels=(4, 4, 4, 4)),
            decode_head=HEAD,
        )
    ).eval()
    with torch.no_grad():
        assert model(make_batch(), mode='tensor').shape == (6, 1, 64, 64)


# --- several samples -------------------------------------------------------


def test_a_deaf_model_hears_nothing():
    model = build_model(deaf=True).eval()
    batch = make_batch()
    other = batch._replace(log_mel=torch.randn_like(batch.log_mel))
    with torch.no_grad():
        assert torch.equal(model(batch), model(other))
        assert not torch.equal(
            *(build_model().eval()(x) for x in (batch, other))
        )
    total, _, _ = training_step(model.train(), batch, make_masks(batch))
    assert total.isfinite()


def test_levels_of_the_backbone_can_be_used_again():
    model = build_model().eval()
    batch = make_batch()
    other = batch._replace(log_mel=torch.randn_like(batch.log_mel))
    with torch.no_grad():
        levels = model.backbone(batch.frames)
        expected = [model.predict_clips(x).logits for x in (batch, other)]
        calls = []
        model.backbone.register_forward_hook(lambda *_: calls.append(1))
        again = [model.predict_clips(x, levels).logits for x in (batch, other)]
    assert not calls
    for ours, theirs in zip(again, expected, strict=True):
        assert torch.equal(ours, theirs)


def test_uncertainty_goes_where_the_pixels_go():
    """Cut, mirrored and resized as the probabilities are."""
    model = build_model(test_cfg=dict(num_samples=5)).eval()
    batch = make_batch(1)
    with torch.no_grad():
        torch.manual_seed(0)
        features = model.extract_feat(batch, num_samples=5)
        draws = torch.stack(model.decode_head.draw_logits(features))
        torch.manual_seed(0)
        samples = make_samples(make_masks(batch))
        for sample in samples:
            sample.set_metainfo(
                dict(
                    img_padding_size=[0, 16, 8, 0],
                    ori_shape=(56, 48),
                    flip=True,
                    flip_direction='horizontal',
                )
            )
        results = model.predict(batch, samples)
    probabilities = draws.sigmoid()
    std = probabilities.std(0, unbiased=False)
    assert std.max() > 0
    for n, result in enumerate(results):
        expected = std[n, :, 8:, :48].flip(-1)
        torch.testing.assert_close(
            result.uncertainty.data, expected, rtol=1e-4, atol=1e-6
        )
        mean = probabilities.mean(0)[n, :, 8:, :48].flip(-1)
        torch.testing.assert_close(
            result.seg_logits.data, mean, rtol=1e-4, atol=1e-6
        )


def test_samples_without_data_samples():
    model = build_model(test_cfg=dict(num_samples=2)).eval()
    with torch.no_grad():
        results = model.predict(make_batch(1))
    assert all(r.uncertainty.data.shape == (1, 64, 64) for r in results)
    assert not torch.equal(results[0].uncertainty.data, torch.zeros(1, 64, 64))


def test_no_uncertainty_without_samples():
    model = build_model().eval()
    with torch.no_grad():
        results = model.predict(make_batch(1))
    assert not any('uncertainty' in result for result in results)


@pytest.mark.parametrize('number', [-1, 2.5, '4'])
def test_a_number_of_samples_that_is_none_is_refused(number):
    with pytest.raises(ValueError, match=f'num_samples.*{number!r}'):
        build_model(test_cfg=dict(num_samples=number))


def test_clips_are_predicted_as_frames_are():
    """In two steps, with the mean of every latent of the prior."""
    model = build_model().eval()
    batch = make_batch(2)
    with torch.no_grad():
        prediction = model.predict_clips(batch)
        whole = model.predict(batch)
        features = model.extract_feat(batch)
    assert prediction.uncertainty is None
    expected = features.prior.distributions
    assert set(prediction.codes) == set(expected) != set()
    for name, code in prediction.codes.items():
        torch.testing.assert_close(code, expected[name].mean)
    torch.testing.assert_close(
        prediction.logits, model(batch, mode='tensor'), rtol=0, atol=0
    )
    for step, result in zip(model.postprocess_clips(prediction), whole):
        assert torch.equal(step.seg_logits.data, result.seg_logits.data)


def test_half_precision_ends_before_the_threshold():
    model = build_model(test_cfg=dict(num_samples=2)).eval()
    with torch.no_grad(), torch.autocast('cpu', torch.bfloat16):
        prediction = model.predict_clips(make_batch(1))
    tensors = [
        prediction.logits,
        prediction.uncertainty,
        *prediction.codes.values(),
    ]
    assert {x.dtype for x in tensors} == {torch.float32}
