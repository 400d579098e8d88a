"""The model against golden numbers of the published network.

Some tests build it at full size: PVTv2-B5, 224 x 224, five frames.
"""

import json
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from mmseg.registry import MODELS
from published_format import (
    DATA,
    convert,
    make_clip,
    make_weights,
    read_shapes,
)

from mmavs.functional.log_mel import vggish_log_mel
from mmavs.models.backbones import VGGish, pvt_v2
from mmavs.structures import FrameLabels

KEYS = 'ecmvae_pvt_b5_keys.json.gz'
CODES = ('visual_specific', 'audio_specific', 'shared')
# Of logits, codes and features in float32; measured: 2e-5.
TOLERANCE = dict(rtol=0, atol=1e-4)


def build_parts():
    """The published model without its audio backbone."""
    backbone = MODELS.build(dict(type='PVTv2', variant='b5'))
    neck = MODELS.build(
        dict(type='LatentFactorisationNeck', in_channels=(64, 128, 320, 512))
    )
    head = MODELS.build(
        dict(
            type='VAEDecodeHead',
            in_channels=(128,) * 4,
            channels=128,
            fusion=dict(type='TPAVI'),
            loss_decode=dict(type='StructureLoss', weighted_bce=False),
            loss_mutual_information=dict(
                type='MutualInformationLoss',
                code_channels=16,
                normalised=False,
                loss_weight=1.0,
            ),
            loss_orthogonality=dict(type='OrthogonalityLoss', loss_weight=1.0),
            loss_matching=dict(
                type='AVMatchingLoss', reduction='sum', loss_weight=1.0
            ),
        )
    )
    model = torch.nn.ModuleDict(
        dict(backbone=backbone, neck=neck, decode_head=head)
    )
    return model.eval()


def test_every_published_tensor_has_a_place():
    """Names and shapes, without a single number."""
    with torch.device('meta'):
        model = build_parts()
        state = {k: torch.empty(s) for k, s in read_shapes(KEYS).items()}
    assert len(state) == 1691
    backbone, rest = convert(state)
    ours = {
        name: value.shape
        for name, value in model.state_dict().items()
        if not name.startswith('backbone.')
    }
    assert {k: v.shape for k, v in rest.items()} == ours
    assert len(backbone) == len(model['backbone'].state_dict())


@pytest.fixture(scope='module')
def golden():
    """Numbers of the published network, and ours."""
    numbers = dict(np.load(DATA / 'ecmvae_pvt_b5_slices.npz'))
    backbone, rest = convert(make_weights(read_shapes(KEYS)))
    model = build_parts()
    with pytest.MonkeyPatch.context() as patch:
        part = model['backbone']
        part.init_cfg = dict(type='Pretrained', checkpoint='golden')
        patch.setattr(pvt_v2, 'read_state', lambda source: backbone)
        part.init_weights()
    incompatible = model.load_state_dict(rest, strict=False)
    assert not incompatible.unexpected_keys
    assert all(k.startswith('backbone.') for k in incompatible.missing_keys)

    frames, audio, masks = make_clip()
    labels = FrameLabels(masks, torch.arange(5))
    neck, head = model['neck'], model['decode_head']
    with torch.no_grad():
        levels = model['backbone'](frames)
        features = neck(levels, frames, audio, 5, labels)
        losses = head.loss(features, None, None)
        first = FrameLabels(masks[:1], torch.arange(1))
        logits = head(features)
        first_losses = head._segmentation('prior', logits[:1], first, 1.0)
        posterior = head.posterior_decoder(
            head.fuse(features.posterior, features), (224, 224)
        )
        mapped = neck.prior_mapping[3](levels[3])
        fused = head.fuse(features.prior, features)
    return SimpleNamespace(
        numbers=numbers,
        levels=levels,
        features=features,
        mapped=mapped,
        fused=fused,
        logits=logits,
        posterior=posterior,
        losses=losses,
        first_losses=first_losses,
    )


def slice_of(level):
    """Two channels at about seven positions a side, as they are stored."""
    step = max(1, level.shape[-1] // 7)
    return level[:, :2, ::step, ::step]


def assert_close(value, expected):
    torch.testing.assert_close(value, torch.from_numpy(expected), **TOLERANCE)


def test_features(golden):
    for i in range(4):
        for name, level in (
            ('backbone', golden.levels[i]),
            ('fused_prior', golden.fused[i]),
        ):
            expected = golden.numbers[f'{name}_level{i}']
            assert_close(slice_of(level), expected)
    assert_close(
        slice_of(golden.mapped), golden.numbers['mapped_prior_level3']
    )
    assert_close(
        slice_of(golden.features.prior.levels[3]),
        golden.numbers['injected_prior_level3'],
    )


@pytest.mark.parametrize('path', ['prior', 'posterior'])
@pytest.mark.parametrize('code', CODES)
def test_codes(golden, path, code):
    gaussian = getattr(golden.features, path).gaussians[code]
    assert_close(gaussian.mean, golden.numbers[f'{path}_{code}_mean'])
    assert_close(gaussian.log_var, golden.numbers[f'{path}_{code}_log_var'])


def test_logits(golden):
    for name, logits in (
        ('logits_test', golden.logits),
        ('logits_posterior', golden.posterior),
    ):
        assert_close(logits[..., ::8, ::8], golden.numbers[name])


def test_losses(golden):
    losses, numbers = golden.losses, golden.numbers
    for value, name, sign in (
        (
            losses['loss_structure_prior'],
            'structure_loss_all_frames_prior',
            1,
        ),
        (
            golden.first_losses['loss_structure_prior'],
            'structure_loss_first_frame_prior',
            1,
        ),
        (losses['loss_orthogonality'], 'orthogonality', 1),
        # A bound to maximise: the loss is minus it.
        (losses['loss_mutual_information'], 'mutual_information_bound', -1),
        (losses['loss_matching'], 'av_matching_kl', 1),
    ):
        expected = sign * float(numbers[name])
        assert value.item() == pytest.approx(expected, abs=1e-5), name


def test_vggish_embedding():
    """From PCM to the embedding, on weights of the public shapes."""
    network = VGGish()
    shapes = {k: list(v.shape) for k, v in network.state_dict().items()}
    network.load_state_dict(make_weights(shapes))
    pcm = np.load(DATA / 'vggish_log_mel_16k.npz')['pcm']
    log_mel = torch.from_numpy(vggish_log_mel(pcm / 32768.0)).unsqueeze(1)
    expected = json.loads((DATA / 'vggish_embedding.json').read_text())
    torch.testing.assert_close(
        network(log_mel), torch.tensor(expected), rtol=0, atol=1e-5
    )
