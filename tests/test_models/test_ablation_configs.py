"""Every variant of the paper, from its config."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.runner import Runner
from mmseg.registry import MODELS
from small_model import make_batch, make_masks, make_samples

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / 'configs/ablations'
_SEGMENTATION = {
    'loss_structure_prior',
    'loss_structure_posterior',
    'iou_prior',
    'iou_posterior',
    'loss_matching',
}
_BASELINE = {'loss_structure_prior', 'iou_prior', 'loss_matching'}
_SPECIFIC = {'loss_kl_visual_specific', 'loss_kl_audio_specific'}
_REGULARISERS = {'loss_orthogonality', 'loss_mutual_information'}
_FACTORISED = _SEGMENTATION | _SPECIFIC | _REGULARISERS
# What each variant logs, which is what it is trained with.
TERMS = {
    'no-factor': _SEGMENTATION | _SPECIFIC,
    'poe': _FACTORISED | {'loss_jsd_shared'},
    'poe-no-unit': _FACTORISED | {'loss_jsd_shared'},
    'poe-joint': _SEGMENTATION | {'loss_kl_joint'},
    'moe': _SEGMENTATION - {'loss_structure_posterior'} | {'loss_bound'},
    'jsd-joint': _SEGMENTATION | {'loss_jsd_joint'},
    'mc-jsd': _FACTORISED | {'loss_mc_jsd_shared'},
    'kl-shared': _FACTORISED | {'loss_kl_shared'},
    'dynamic-prior': _FACTORISED | {'loss_kl_shared'},
    'cvae': _SEGMENTATION | {'loss_kl_visual_specific'},
    'tpavi': _BASELINE,
    'per-modality': _FACTORISED | {'loss_jsd_shared'},
    'shared-decoder': _FACTORISED | {'loss_jsd_shared'},
    'av-corr': _FACTORISED | {'loss_jsd_shared'},
    'aspp': _FACTORISED | {'loss_jsd_shared'},
    'modulated': _FACTORISED | {'loss_jsd_shared'},
    'modulated-shared': _FACTORISED | {'loss_jsd_shared'},
    'detached-posterior': _FACTORISED | {'loss_jsd_shared'},
    'prior-only': _BASELINE,
    'modulated-prior-only': _BASELINE,
    'vision-only': _BASELINE - {'loss_matching'},
}
VARIANTS = sorted(TERMS)
WITHOUT_CODES = ('tpavi', 'vision-only')
# Four blocks instead of 52, to train a step in a second.
SHALLOW = dict(depths=(1, 1, 1, 1))


def read(backbone: str, variant: str) -> Config:
    return Config.fromfile(FOLDER / f'mmvae_{backbone}_s4_{variant}.py')


def build(config: Config, **backbone) -> torch.nn.Module:
    """The model from random weights, with a narrow VGGish."""
    settings = config.model.copy()
    settings.backbone.init_cfg = None
    settings.backbone.update(backbone)
    settings.audio_backbone.init_cfg = None
    settings.audio_backbone.width = 0.05
    torch.manual_seed(0)
    return MODELS.build(settings).train()


def train_step(model, num_clips=2, bf16=False):
    """Losses of a batch with one labelled frame a clip, and gradients."""
    batch = make_batch(num_clips)
    labelled = [3 * clip for clip in range(num_clips)]
    samples = make_samples(make_masks(batch, labelled))
    with torch.autocast('cpu', torch.bfloat16, enabled=bf16):
        losses = model.loss(batch, samples)
    total = sum(value for key, value in losses.items() if 'loss' in key)
    total.backward()
    return {k.removeprefix('decode.'): v for k, v in losses.items()}


def check_gradients(model):
    """All are finite, and nothing that trains goes without: DDP stops."""
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            assert parameter.grad is not None, name
            assert parameter.grad.isfinite().all(), name


def test_every_variant_has_three_configs():
    assert {path.stem for path in FOLDER.glob('*.py')} == {
        f'mmvae_{backbone}_s4_{variant}'
        for backbone in ('pvt', 'r50', 'tiny')
        for variant in VARIANTS
    }


@pytest.mark.parametrize('variant', VARIANTS)
def test_the_three_configs_differ_from_their_bases_alike(variant):
    """What a variant changes does not depend on the backbone."""
    changes = []
    for backbone in ('pvt', 'r50', 'tiny'):
        base = Config.fromfile(ROOT / f'configs/mmvae_{backbone}_s4.py')
        lines = (FOLDER / f'mmvae_{backbone}_s4_{variant}.py').read_text()
        changes.append(lines.replace(f'mmvae_{backbone}', 'mmvae'))
        config = read(backbone, variant)
        assert config.model != base.model
        assert config.train_dataloader == base.train_dataloader
        assert config.optim_wrapper == base.optim_wrapper
    assert len(set(changes)) == 1


@pytest.mark.parametrize('bf16', [False, True], ids=['float32', 'bf16'])
@pytest.mark.parametrize('variant', VARIANTS)
def test_terms_and_gradients(variant, bf16):
    model = build(read('tiny', variant))
    losses = train_step(model, bf16=bf16)
    assert set(losses) == TERMS[variant]
    for name, value in losses.items():
        assert value.isfinite(), name
        assert value.dtype == torch.float32, name
    check_gradients(model)


@pytest.mark.parametrize('backbone', ['pvt', 'r50'])
@pytest.mark.parametrize('variant', VARIANTS)
def test_step_at_published_width(variant, backbone):
    """PVTv2 with one block a level; all of it: see the slow tests."""
    depth = SHALLOW if backbone == 'pvt' else {}
    model = build(read(backbone, variant), **depth)
    assert set(train_step(model, num_clips=1)) == TERMS[variant]
    check_gradients(model)


@pytest.mark.slow
@pytest.mark.parametrize('variant', VARIANTS)
def test_step_of_the_whole_published_model(variant):
    model = build(read('pvt', variant))
    assert set(train_step(model, num_clips=1)) == TERMS[variant]
    check_gradients(model)


@pytest.mark.parametrize('bf16', [False, True], ids=['float32', 'bf16'])
@pytest.mark.parametrize(
    'variant', [v for v in VARIANTS if v not in WITHOUT_CODES]
)
def test_samples_at_prediction(variant, bf16):
    """Averaged probabilities and an uncertainty map in every sample."""
    config = read('tiny', variant)
    config.model.test_cfg.num_samples = 4
    model = build(config).eval()
    # Modulations begin without an effect.
    for parameter in model.neck.prior_injection.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    batch = make_batch(1)
    with torch.no_grad(), torch.autocast('cpu', enabled=bf16):
        results = model.predict(
            batch, make_samples(make_masks(batch), num_frames=3)
        )
    assert len(results) == 3
    for result in results:
        uncertainty = result.uncertainty.data
        assert uncertainty.shape == result.seg_logits.data.shape == (1, 64, 64)
        assert result.seg_logits.data.isfinite().all()
        assert (uncertainty >= 0).all() and (uncertainty <= 0.5).all()
        assert uncertainty.max() > 0


@pytest.mark.parametrize('variant', WITHOUT_CODES)
def test_the_baseline_has_nothing_to_draw(variant):
    config = read('tiny', variant)
    config.model.test_cfg.num_samples = 4
    model = build(config).eval()
    with pytest.raises(ValueError, match='4 samples.*no latents'):
        model.predict(make_batch(1))


def test_the_baseline_keeps_all_but_the_latents():
    for backbone in ('pvt', 'r50', 'tiny'):
        base = Config.fromfile(ROOT / f'configs/mmvae_{backbone}_s4.py').model
        model = read(backbone, 'tpavi').model
        for part, latent in (
            ('neck', {'latents', 'latent_channels'}),
            (
                'decode_head',
                {
                    'divergences',
                    'loss_orthogonality',
                    'loss_mutual_information',
                },
            ),
        ):
            kept = {k: v for k, v in base[part].items() if k not in latent}
            assert model[part] == dict(kept, type=model[part].type)


@pytest.mark.parametrize('variant', VARIANTS)
def test_trains_validates_and_reloads(variant, tiny_config, check_reload):
    config = tiny_config('s4')
    settings = read('tiny', variant).model
    settings.audio_backbone = config.model.audio_backbone
    settings.backbone = config.model.backbone
    settings.neck.in_channels = config.model.neck.in_channels
    config.model = settings
    config.experiment_name = config.visualizer.name = f'run_{variant}'
    runner = Runner.from_cfg(config)
    runner.train()
    assert runner.iter == 2
    assert 0 <= runner.message_hub.get_scalar('val/mIoU').current() <= 1
    fresh = MODELS.build(settings).eval()
    check_reload(runner, fresh, Path(config.work_dir) / 'iter_2.pth', 10)
