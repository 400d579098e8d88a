"""The model on every backbone of configs/backbones, at 64 px."""

from __future__ import annotations

import re
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import timm
import torch
from mmengine.config import Config
from mmengine.runner import Runner
from mmseg.registry import MODELS

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / 'docs/backbones.md'
CONFIGS = sorted((ROOT / 'configs/backbones').glob('*.py'))
SIZE = 64
each_config = pytest.mark.parametrize(
    'path', CONFIGS, ids=[path.stem for path in CONFIGS]
)


def small_model(path: Path) -> Config:
    """A config with random weights and a narrow VGGish."""
    config = Config.fromfile(path)
    config.model.backbone.init_cfg = None
    if 'pretrained' in config.model.backbone:
        config.model.backbone.pretrained = False
    config.model.audio_backbone.init_cfg = None
    config.model.audio_backbone.width = 0.05
    return config


def build(config: Config) -> torch.nn.Module:
    """The model in evaluation mode; some backbones return None there."""
    model = MODELS.build(config.model)
    model.eval()
    return model


def clip(num_frames=2):
    generator = torch.Generator().manual_seed(0)
    frames = torch.randint(
        256, (num_frames, 3, SIZE, SIZE), generator=generator
    )
    return dict(
        inputs=dict(
            frames=[frames.to(torch.uint8)],
            log_mel=[torch.randn(num_frames, 1, 96, 64, generator=generator)],
        )
    )


def documented() -> dict[str, tuple]:
    """Rows of docs/backbones.md: name to channels and two sizes in 1e6."""
    rows = {}
    for line in DOCS.read_text().splitlines():
        if line.startswith('| `mmvae_'):
            name, *_, channels, backbone, model = line.strip('| ').split(' | ')
            rows[name.strip('`')] = (
                tuple(int(c) for c in channels.split(', ')),
                float(backbone),
                float(model),
            )
    return rows


def test_the_docs_name_every_config():
    assert set(documented()) == {path.stem for path in CONFIGS}
    assert len(CONFIGS) >= 7


def test_the_example_of_the_docs(tmp_path):
    example = re.search('```python\n(.*?)```', DOCS.read_text(), re.DOTALL)[1]
    assert len(example.splitlines()) == 10
    path = tmp_path / 'example.py'
    path.write_text(example.replace("'../", f"'{ROOT}/configs/"))
    model = build(small_model(path))
    logits = model(**model.data_preprocessor(clip()), mode='tensor')
    assert logits.shape == (2, 1, SIZE, SIZE)


@each_config
def test_builds_and_segments(path):
    config = small_model(path)
    model = build(config)
    batch = model.data_preprocessor(clip())
    with torch.no_grad():
        levels = model.backbone(batch['inputs'].frames)
        logits = model(**batch, mode='tensor')
    assert [level.shape[1] for level in levels] == list(
        config.model.neck.in_channels
    )
    assert [level.shape[2:] for level in levels] == [
        (SIZE // stride,) * 2 for stride in (4, 8, 16, 32)
    ]
    assert logits.shape == (2, 1, SIZE, SIZE)
    assert logits.isfinite().all() and logits.std() > 0

    parameters = {
        name: sum(p.numel() for p in part.parameters()) / 1e6
        for name, part in model.named_children()
    }
    total = sum(parameters.values()) - parameters['audio_backbone']
    assert documented()[path.stem] == (
        tuple(config.model.neck.in_channels),
        round(parameters['backbone'], 1),
        round(total, 1),
    )


@each_config
def test_only_the_backbone_differs_from_the_published_model(path):
    """Channels are named once, in neck.in_channels."""
    published, config = (
        Config.fromfile(p).to_dict()
        for p in (ROOT / 'configs/mmvae_pvt_s4.py', path)
    )
    for c in (published, config):
        del c['model']['backbone'], c['model']['neck']['in_channels']
        # Of the address of the weights, and of mmpretrain.
        c.pop('url', None)
        assert 'mmavs' in c.pop('custom_imports')['imports']
    assert config == published


@each_config
def test_weights_of_imagenet(path):
    """Every backbone starts from weights that its config names."""
    backbone = Config.fromfile(path).model.backbone
    if backbone.type == 'TIMMBackbone':
        # An init_cfg would load nothing: see docs/backbones.md.
        assert backbone.pretrained and 'init_cfg' not in backbone
    else:
        source = backbone.init_cfg.checkpoint
        assert source.startswith(('https://', 'torchvision://'))
        assert backbone.init_cfg.type == 'Pretrained'


@pytest.mark.parametrize(
    'wrong', [(256, 512, 1024), (64, 128, 320, 512), (2048, 1024, 512, 256)]
)
def test_other_channels_than_the_backbones_are_refused(wrong):
    config = small_model(ROOT / 'configs/backbones/mmvae_r50_s4.py')
    config.model.neck.in_channels = wrong
    config.model.decode_head.in_channels = (128,) * len(wrong)
    model = build(config)
    with pytest.raises(ValueError) as error:
        model(**model.data_preprocessor(clip()), mode='tensor')
    assert '(256, 512, 1024, 2048)' in str(error.value)
    assert str(wrong) in str(error.value)


def test_a_local_copy_of_the_weights_of_timm(tmp_path):
    """What docs/backbones.md says to do without a network."""
    path = ROOT / 'configs/backbones/mmvae_timm-efficientnet-b0_s4.py'
    published = timm.create_model('efficientnet_b0', pretrained=False)
    torch.save(published.state_dict(), tmp_path / 'weights.pth')
    config = small_model(path)
    config.merge_from_dict(
        {
            'model.backbone.pretrained': True,
            'model.backbone.pretrained_cfg_overlay.file': str(
                tmp_path / 'weights.pth'
            ),
        }
    )
    backbone = build(config).backbone
    backbone.init_weights()
    loaded, expected = backbone.timm_model.state_dict(), published.state_dict()
    assert len(loaded) > 300
    assert all(torch.equal(v, expected[k]) for k, v in loaded.items())


@pytest.fixture
def work_dir():
    """A directory that is gone after the test: checkpoints are large."""
    with TemporaryDirectory() as directory:
        yield Path(directory)


def small_run(path: Path, data_root: Path, work_dir: Path) -> Config:
    """One epoch of two clips in two iterations, then two of validation."""
    config = small_model(path)
    config.work_dir = str(work_dir)
    # mmengine keeps both by name, with the directory they write to.
    config.experiment_name = config.visualizer.name = path.stem
    config.train_cfg.max_epochs = 1
    config.default_hooks.logger.interval = 1
    # The state of Adam is twice the model, and not what is tested here.
    config.default_hooks.checkpoint.update(
        save_optimizer=False, save_best=None
    )
    for split in ('train', 'val', 'test'):
        loader = config[f'{split}_dataloader']
        loader.update(batch_size=1, num_workers=0, persistent_workers=False)
        loader.dataset.data_root = str(data_root / 'Single-source')
        loader.dataset.indices = 2
        for step in loader.dataset.pipeline[0].transforms:
            if step.type == 'Resize':
                step.scale = (SIZE, SIZE)
    return config


@each_config
def test_trains_validates_and_reloads(
    path, synthetic_root, work_dir, check_reload
):
    config = small_run(path, synthetic_root, work_dir)
    runner = Runner.from_cfg(config)
    before = {
        name: parameter.detach().clone()
        for name, parameter in runner.model.named_parameters()
    }
    runner.train()
    assert runner.iter == 2
    assert 0 <= runner.message_hub.get_scalar('val/mIoU').current() <= 1
    losses = runner.message_hub.get_scalar('train/loss').data[0]
    assert len(losses) == 2 and torch.tensor(losses).isfinite().all()

    # A part that the loss does not reach would stop DDP.
    unmoved = {
        name
        for name, parameter in runner.model.named_parameters()
        if torch.equal(parameter, before[name])
    }
    frozen = {n for n in before if n.startswith('audio_backbone.')}
    assert unmoved == frozen

    check_reload(runner, build(config), work_dir / 'epoch_1.pth', 5)


@pytest.mark.parametrize(
    'out_indices, strides, channels',
    [
        ((1, 2, 3), (1, 2, 2, 2), (16, 32, 64)),
        ((3,), (1, 2, 2, 2), (64,)),
        ((0, 1, 2, 3), (1, 2, 1, 1), (8, 16, 32, 64)),
    ],
    ids=['from_stride_8', 'one_level', 'levels_of_equal_size'],
)
def test_levels_of_other_numbers_and_strides(
    out_indices, strides, channels, synthetic_root, work_dir, request
):
    path = ROOT / 'configs/backbones/mmvae_r50_s4.py'
    config = small_run(path, synthetic_root, work_dir)
    config.experiment_name = config.visualizer.name = request.node.name
    config.model.backbone.update(
        depth=18,
        stem_channels=8,
        base_channels=8,
        out_indices=out_indices,
        strides=strides,
    )
    config.model.neck.in_channels = channels
    config.model.decode_head.in_channels = (128,) * len(channels)
    runner = Runner.from_cfg(config)
    runner.train()
    assert runner.iter == 2
    losses = runner.message_hub.get_scalar('train/loss').data[0]
    assert torch.tensor(losses).isfinite().all()
    samples = runner.model.test_step(next(iter(runner.val_dataloader)))
    assert samples[0].seg_logits.data.shape == (1, 224, 224)
