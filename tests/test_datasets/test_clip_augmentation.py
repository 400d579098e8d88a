"""Stock augmentations of frames and masks, and the strong configs."""

import copy
import random
from pathlib import Path

import numpy as np
import pytest
import torch
from avsbench_layout import NUM_FRAMES, save_image
from mmengine.config import Config
from mmengine.dataset import Compose
from mmseg.registry import TRANSFORMS

from mmavs.datasets import ClipTransform
from mmavs.datasets.transforms.audio_augmentation import AudioAugmentation
from mmavs.models.losses.structure_loss import StructureLoss

CONFIGS = Path(__file__).resolve().parents[2] / 'configs'
STRONG = sorted(CONFIGS.rglob('*_strong.py'))
TOP_STRONG = [path for path in STRONG if path.parent == CONFIGS]
LOAD = [dict(type='LoadFrame'), dict(type='LoadAVSMask')]
SIZE = 96
MEAN_COLOUR = (104, 116, 124)


def steps_of(pipeline):
    """All transforms of a pipeline, those of frames too, by name."""
    flat = []
    for step in pipeline:
        flat += step.get('transforms', [step])
    return {step['type']: step for step in flat}


def strong_pipeline(**changes):
    """The training pipeline of the tiny strong config.

    Args:
        **changes: for transforms by name, other arguments.
    """
    config = Config.fromfile(CONFIGS / 'mmvae_tiny_s4_strong.py')
    pipeline = copy.deepcopy(config.train_dataloader.dataset.pipeline)
    steps = steps_of(pipeline)
    for name, arguments in changes.items():
        steps[name].update(arguments)
    return pipeline


def seeded(pipeline, clip, seed):
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)
    return Compose(pipeline)(copy.deepcopy(clip))


def write_clip(clip, height=60, width=80, moving=True):
    """Frames that are white where their mask is, black elsewhere."""
    for t, (path, mask_path) in enumerate(
        zip(clip['img_paths'], clip['seg_map_paths'])
    ):
        mask = np.zeros((height, width), np.uint8)
        left = 10 + 8 * t * moving
        mask[20:44, left : left + 26] = 255
        save_image(path, np.repeat(mask[..., None], 3, axis=2))
        save_image(mask_path, mask)
    return clip


# --------------------------------------------------------- stock transforms

GEOMETRY = [
    dict(type='Resize', scale=(120, 50), keep_ratio=False),
    dict(type='RandomResize', scale=(96, 96), ratio_range=(0.5, 2.0)),
    dict(
        type='RandomResize',
        scale=(96, 96),
        ratio_range=(0.75, 1.5),
        keep_ratio=False,
    ),
    dict(
        type='RandomChoiceResize',
        scales=[40, 64, 90],
        resize_type='ResizeShortestEdge',
        max_size=200,
    ),
    dict(type='ResizeShortestEdge', scale=45, max_size=64),
    dict(type='RandomCrop', crop_size=(40, 48)),
    dict(type='RandomFlip', prob=0.5),
    dict(
        type='RandomFlip',
        prob=[0.4, 0.4],
        direction=['horizontal', 'vertical'],
    ),
    dict(type='Pad', size=(100, 90)),
]


@pytest.mark.parametrize('transform', GEOMETRY, ids=lambda t: t['type'])
def test_masks_follow_their_frames(clip, transform):
    """Every frame, by the draw of its clip, at the same size."""
    write_clip(clip)
    for seed in range(6):
        out = seeded(
            [dict(type='ClipTransform', transforms=[*LOAD, transform])],
            clip,
            seed,
        )
        shapes = {frame['gt_seg_map'].shape for frame in out['frames']}
        assert len(shapes) == 1
        for frame in out['frames']:
            assert frame['img'].shape[:2] == frame['gt_seg_map'].shape
            known = frame['gt_seg_map'] != 255
            white = frame['img'][..., 0] > 127
            differs = white[known] != frame['gt_seg_map'][known]
            # Frames are interpolated, masks are not: edges differ.
            assert differs.mean() < 0.04
            assert set(np.unique(frame['gt_seg_map'])) <= {0, 1, 255}


@pytest.mark.parametrize(
    'transform',
    [*GEOMETRY, dict(type='PhotoMetricDistortion')],
    ids=lambda t: t['type'],
)
def test_equal_frames_stay_equal(clip, transform):
    write_clip(clip, moving=False)
    clip['seg_map_paths'][3] = None
    for seed in range(6):
        frames = seeded(
            [dict(type='ClipTransform', transforms=[*LOAD, transform])],
            clip,
            seed,
        )['frames']
        first = frames[0]
        for t, frame in enumerate(frames):
            assert np.array_equal(frame['img'], first['img'])
            if t == 3:
                assert frame['gt_seg_map'].shape == first['gt_seg_map'].shape
                assert (frame['gt_seg_map'] == 255).all()
            else:
                assert np.array_equal(frame['gt_seg_map'], first['gt_seg_map'])


def test_a_crop_that_looks_at_masks_is_refused(clip):
    """cat_max_ratio tries again where a frame has no label, as in S4."""
    write_clip(clip)
    clip['seg_map_paths'][1:] = [None] * (NUM_FRAMES - 1)
    crop = dict(type='RandomCrop', crop_size=(50, 60), cat_max_ratio=0.95)
    with pytest.raises(RuntimeError, match='RandomCrop.*frame 1'):
        seeded([dict(type='ClipTransform', transforms=[*LOAD, crop])], clip, 0)


# ------------------------------------------------------ the strong pipeline


@pytest.mark.parametrize('height, width', [(60, 80), (224, 224), (97, 30)])
def test_strong_gives_clips_of_the_input_size(clip, height, width):
    write_clip(clip, height, width, moving=False)
    clip['seg_map_paths'][1:] = [None] * (NUM_FRAMES - 1)
    images, sounds = set(), set()
    for seed in range(8):
        out = seeded(strong_pipeline(), clip, seed)
        frames = out['inputs']['frames']
        labels = out['data_samples'].gt_sem_seg.data
        assert frames.shape == (NUM_FRAMES, 3, SIZE, SIZE)
        assert labels.shape == (NUM_FRAMES, SIZE, SIZE)
        assert frames.dtype == labels.dtype == torch.uint8
        assert (frames == frames[0]).all()
        assert set(labels[0].unique().tolist()) <= {0, 1, 255}
        assert (labels[0] != 255).any()
        assert (labels[1:] == 255).all()
        log_mel = out['inputs']['log_mel']
        assert log_mel.shape == (NUM_FRAMES, 1, 96, 64)
        assert log_mel.isfinite().all()
        images.add(frames.numpy().tobytes())
        sounds.add(log_mel.numpy().tobytes())
    assert len(images) == 8 and len(sounds) > 4


def test_augmented_sound_gets_no_key_for_the_cache(clip):
    """Nothing of it is worth keeping: the next epoch hears another one."""
    write_clip(clip)
    sample = seeded(strong_pipeline(), clip, 0)['data_samples']
    assert 'audio_key' not in sample
    names = ('RandomTimeShift', 'RandomGain', 'RandomNoise', 'SpecAugment')
    plain = [s for s in strong_pipeline() if s['type'] not in names]
    assert 'audio_key' in seeded(plain, clip, 0)['data_samples']
    for step in strong_pipeline():
        if step['type'] in names:  # one of them is enough, whatever it draws
            place = -2 if step['type'] != 'SpecAugment' else -1
            pipeline = [*plain[:place], dict(step, prob=0), *plain[place:]]
            sample = seeded(pipeline, clip, 0)['data_samples']
            assert 'audio_key' not in sample


def test_zooming_out_pads_with_what_counts_nowhere(clip):
    write_clip(clip)
    out = seeded(
        strong_pipeline(
            RandomResize=dict(ratio_range=(0.75, 0.75)),
            RandomFlip=dict(prob=0.0),
        ),
        clip,
        0,
    )
    inner = round(0.75 * SIZE)
    labels = out['data_samples'].gt_sem_seg.data
    frames = out['inputs']['frames']
    padding = torch.ones(SIZE, SIZE, dtype=torch.bool)
    padding[:inner, :inner] = False
    for t in range(NUM_FRAMES):
        assert torch.equal(labels[t] == 255, padding)
        assert set(labels[t][~padding].tolist()) == {0, 1}
        for channel, value in enumerate(MEAN_COLOUR):
            assert (frames[t, channel][padding] == value).all()

    logits = torch.randn(NUM_FRAMES, 1, SIZE, SIZE, requires_grad=True)
    StructureLoss()(logits, labels.long(), ignore_index=255).backward()
    assert not logits.grad[:, :, padding].any()
    assert (logits.grad[:, :, ~padding] != 0).all()


def test_zooming_in_crops(clip):
    write_clip(clip)
    changes = dict(
        RandomResize=dict(ratio_range=(1.5, 1.5)), RandomFlip=dict(prob=0.0)
    )
    sizes = set()
    for seed in range(6):
        out = seeded(strong_pipeline(**changes), clip, seed)
        labels = out['data_samples'].gt_sem_seg.data
        assert not (labels == 255).any()
        sizes.add(int((labels == 1).sum()))
    assert len(sizes) > 1  # other crops show more or less of the object
    # Whole, the object covers (24 / 60) (26 / 80) of a frame.
    share = max(sizes) / labels.numel() / 1.5**2
    assert 0.05 < share < 24 / 60 * 26 / 80 + 0.01


def test_the_mean_colour_is_zero_for_the_network():
    """The padding is what the data preprocessor pads with."""
    model = Config.fromfile(CONFIGS / 'mmvae_pvt_s4_strong.py').model
    rgb = np.array(model.data_preprocessor.mean)
    assert np.abs(np.array(MEAN_COLOUR)[::-1] - rgb).max() < 0.5
    assert model.data_preprocessor.pad_val == 0
    for path in TOP_STRONG:
        config = Config.fromfile(path)
        pad = steps_of(config.train_dataloader.dataset.pipeline)['Pad']
        assert pad.pad_val == dict(img=MEAN_COLOUR, seg=255)


# -------------------------------------------------------------- the configs


def test_the_strong_variants_are_there():
    assert {path.stem for path in TOP_STRONG} >= {
        'mmvae_pvt_s4_strong',
        'mmvae_pvt_ms3_strong',
        'mmvae_pvt_avss_strong',
        'mmvae_r50_s4_strong',
        'mmvae_r50_ms3_strong',
        'mmvae_tiny_s4_strong',
    }


@pytest.mark.parametrize('path', TOP_STRONG, ids=lambda path: path.stem)
def test_strong_differs_in_the_training_pipeline_only(path):
    strong = Config.fromfile(path).to_dict()
    plain = Config.fromfile(
        path.with_name(path.name.replace('_strong', ''))
    ).to_dict()
    pipeline = strong['train_dataloader']['dataset'].pop('pipeline')
    paper = plain['train_dataloader']['dataset'].pop('pipeline')
    assert strong.pop('strong_pipeline') == pipeline
    assert strong == plain
    steps, paper_steps = steps_of(pipeline), steps_of(paper)
    assert set(paper_steps) - set(steps) == {'Resize'}
    # The same size of the input in every place.
    (height, width) = paper_steps['Resize']['scale'][::-1]
    assert steps['RandomResize']['scale'] == (width, height)
    assert steps['RandomCrop']['crop_size'] == (height, width)
    assert steps['Pad']['size'] == (width, height)
    assert 'cat_max_ratio' not in steps['RandomCrop']


def test_both_strong_pipelines_have_the_same_strengths():
    small, large = (
        Config.fromfile(CONFIGS / f'_base_/datasets/{name}_strong.py')
        for name in ('synthetic', 'avsbench')
    )
    text = repr(large.to_dict()).replace('(224, 224)', f'({SIZE}, {SIZE})')
    assert repr(small.to_dict()) == text


def is_of_audio(name):
    kind = TRANSFORMS.get(name)
    return isinstance(kind, type) and issubclass(kind, AudioAugmentation)


def test_sound_is_augmented_in_training_of_the_strong_configs_only():
    checked = 0
    for path in CONFIGS.glob('mmvae_*.py'):
        config = Config.fromfile(path)
        for loader in ('train', 'val', 'test'):
            dataset = config[f'{loader}_dataloader'].dataset
            dataset = dataset.get('dataset', dataset)  # of NegativeSounds
            for part in dataset.get('datasets', [dataset]):
                names = set(filter(is_of_audio, steps_of(part.pipeline)))
                strong = loader == 'train' and path in STRONG
                assert len(names) == (4 if strong else 0), path
                checked += 1
    assert checked > 50


@pytest.mark.parametrize('path', TOP_STRONG, ids=lambda path: path.stem)
def test_strong_pipelines_build(path):
    config = Config.fromfile(path)
    transforms = Compose(config.train_dataloader.dataset.pipeline).transforms
    assert isinstance(transforms[0], ClipTransform)
    assert [
        type(transform).__name__
        for transform in transforms
        if isinstance(transform, AudioAugmentation)
    ] == ['RandomTimeShift', 'RandomGain', 'RandomNoise', 'SpecAugment']
