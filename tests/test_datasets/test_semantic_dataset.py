"""AVSBench-semantic: three subsets, two lengths, classes as masks."""

import io
import json

import numpy as np
import pytest
import torch
from avsbench_layout import frame_of, save_audio, save_image, waveform_of
from mmengine.config import Config
from mmengine.dataset import ConcatDataset
from mmengine.runner import Runner
from PIL import Image
from test_avsbench import CONFIGS

from mmavs.datasets import (
    AVSBenchSemanticDataset,
    ClipTransform,
    DataError,
    LoadAVSMask,
    LoadFrame,
    MissingDataError,
    PackAVSInputs,
)
from mmavs.datasets.layout import class_palette
from mmavs.datasets.transforms.load_avs_mask import decode_semantic_mask

CLASSES = ('background', 'dog', 'lawn-mower', 'man')
PALETTE = class_palette(4)
# id, split, subset; not in the order of the lengths
CLIPS = (
    ('-new_0_10000', 'train', 'v2'),
    ('_one_0_5000', 'train', 'v1s'),
    ('0012', 'train', 'v1m'),
    ('val2', 'val', 'v2'),
    ('val1', 'val', 'v1s'),
)


def mask_of_classes(k):
    """A mask with classes 0, 2 and 3 that moves with k."""
    mask = np.zeros((24, 32), np.uint8)
    mask[4:12, 2 + k : 10 + k] = 2
    mask[14:20, 20:28] = 3
    return mask


@pytest.fixture
def avss_root(tmp_path):
    root = tmp_path / 'AVSBench-semantic'
    rows = ['vid,uid,s_min,s_sec,a_obj,split,label']
    for video_id, split, subset in CLIPS:
        rows.append(f'{video_id},{video_id},0,0,man_dog,{split},{subset}')
        folder = root / subset / video_id
        for k in range(10 if subset == 'v2' else 5):
            frame = Image.fromarray(frame_of(video_id, k))
            (folder / 'frames').mkdir(parents=True, exist_ok=True)
            frame.save(folder / f'frames/{k}.jpg', quality=95)
            if (subset, split) == ('v1s', 'train') and k > 0:
                continue
            mask = mask_of_classes(k)
            save_image(folder / f'labels_semantic/{k}.png', mask)
            save_image(
                folder / f'labels_rgb/{k}.png',
                np.array(PALETTE, np.uint8)[mask],
            )
        save_audio(
            folder / 'audio.wav',
            waveform_of(video_id, 16000 * (10 if subset == 'v2' else 5)),
        )
    (root / 'metadata.csv').write_text('\n'.join(rows) + '\n')
    (root / 'label2idx.json').write_text(
        json.dumps({name: i for i, name in enumerate(CLASSES)})
    )
    return root


def build(root, split='train', **kwargs):
    return AVSBenchSemanticDataset(split, data_root=str(root), **kwargs)


def test_index(avss_root):
    dataset = build(avss_root)
    assert [clip['video_id'] for clip in dataset] == [
        '_one_0_5000',
        '0012',
        '-new_0_10000',
    ]
    assert [clip['num_frames'] for clip in dataset] == [5, 5, 10]
    assert [clip['subset'] for clip in dataset] == ['v1s', 'v1m', 'v2']
    assert dataset[0]['objects'] == 'man_dog'
    labelled = [
        [path is not None for path in clip['seg_map_paths']]
        for clip in dataset
    ]
    assert labelled == [[True] + [False] * 4, [True] * 5, [True] * 10]
    folder = avss_root / 'v2/-new_0_10000'
    assert dataset[2]['img_paths'][9] == str(folder / 'frames/9.jpg')
    assert dataset[2]['seg_map_paths'][0] == str(
        folder / 'labels_semantic/0.png'
    )
    assert dataset[2]['log_mel_path'] == str(folder / 'audio.pkl')
    assert all(
        None not in clip['seg_map_paths'] for clip in build(avss_root, 'val')
    )


def test_classes_are_those_of_the_file(avss_root):
    dataset = build(avss_root)
    assert dataset.metainfo['classes'] == CLASSES
    assert dataset.metainfo['palette'] == PALETTE
    assert dataset[0]['palette'] == PALETTE
    with pytest.raises(ValueError, match='label2idx.json, metainfo'):
        build(avss_root, metainfo=dict(classes=('a', 'b')))


@pytest.mark.parametrize(
    'text, message',
    [
        ('{"background": 0, "dog": 2}', r'must be 0 to 1.*got \[0, 2\]'),
        ('{"background": 0, "dog": 1.0}', r'must be 0 to 1.*got \[0, 1.0\]'),
        ('{"background": 0, "dog": true}', r'must be 0 to 1.*got \[0, True\]'),
        ('{}', 'has 0 classes'),
        (json.dumps({str(i): i for i in range(256)}), 'has 256 classes'),
        ('{"background": 0, "dog": 0}', 'must be 0 to 1'),
        ('["background"]', 'got a list'),
        ('{"background": 0', 'not a JSON file'),
        ('[' * 100_000, 'not a JSON file'),
    ],
)
def test_bad_label_file(avss_root, text, message):
    (avss_root / 'label2idx.json').write_text(text)
    with pytest.raises(DataError, match=f'label2idx.json.*{message}'):
        build(avss_root)


def test_classes_of_data_sets_that_wait(avss_root):
    lazy = build(avss_root, lazy_init=True, test_mode=True)
    assert lazy.metainfo['classes'] == CLASSES
    both = ConcatDataset([build(avss_root, lazy_init=True) for _ in range(2)])
    assert both.metainfo['palette'] == PALETTE
    assert len(both) == 6


def test_missing_label_file(avss_root):
    (avss_root / 'label2idx.json').unlink()
    with pytest.raises(MissingDataError, match='label2idx.json'):
        build(avss_root)


def test_subsets(avss_root):
    assert len(build(avss_root, subsets=['v1s', 'v1m'])) == 2
    with pytest.raises(ValueError, match=r"subsets.*\['v3'\]"):
        build(avss_root, subsets=['v3'])
    with pytest.raises(DataError, match=r"metadata.csv.*v1m in split 'val'"):
        build(avss_root, 'val', subsets=['v1m'])
    metadata = avss_root / 'metadata.csv'
    metadata.write_text(metadata.read_text().replace(',v2\n', ',v7\n'))
    with pytest.raises(DataError, match=r"metadata.csv.*'-new_0_10000'.*'v7'"):
        build(avss_root)


@pytest.mark.parametrize('folder', ['labels_semantic', 'labels_rgb'])
def test_masks_are_classes(avss_root, folder):
    dataset = build(
        avss_root,
        data_prefix=dict(
            seg_map_path=f'{{subset}}/{{video_id}}/{folder}/{{k}}.png'
        ),
        pipeline=[
            ClipTransform([LoadFrame(), LoadAVSMask()]),
            dict(type='LoadAudio'),
            dict(type='VGGishLogMel'),
            PackAVSInputs(),
        ],
    )
    masks = [clip['data_samples'].gt_sem_seg.data for clip in dataset]
    assert [len(mask) for mask in masks] == [5, 5, 10]
    assert (masks[0][1:] == 255).all()
    for clip, numbers in zip(masks, ([0], range(5), range(10))):
        for k in numbers:
            assert np.array_equal(clip[k], mask_of_classes(k))


def encode(array, mode=None, palette=None):
    image = Image.fromarray(array)
    if mode:
        image.putpalette(palette)
    stream = io.BytesIO()
    image.save(stream, 'PNG')
    return stream.getvalue()


def test_semantic_mask_formats():
    mask = mask_of_classes(1)
    mask[0, 0] = 255  # no class: stays unlabelled
    assert np.array_equal(
        decode_semantic_mask(encode(mask), 'm', PALETTE), mask
    )
    indexed = encode(mask, 'P', [7, 7, 7] * 256)
    assert np.array_equal(decode_semantic_mask(indexed, 'm', PALETTE), mask)


def test_values_that_are_no_class():
    mask = mask_of_classes(1)
    mask[3, 3:5] = 4
    with pytest.raises(DataError, match=r'm.png has the values \[4\].*4 clas'):
        decode_semantic_mask(encode(mask), 'm.png', PALETTE)
    colours = np.array(PALETTE, np.uint8)[mask_of_classes(1)]
    colours[0, :3] = (128, 0, 1)
    with pytest.raises(
        DataError, match=r'm.png has 1 colours.*\(128, 0, 1\) in 3 pixels'
    ):
        decode_semantic_mask(encode(colours), 'm.png', PALETTE)


@pytest.mark.parametrize(
    'name, size', [('avsbench_semantic', 224), ('synthetic_avss', 96)]
)
def test_dataset_configs(avss_root, name, size):
    (avss_root / 'sound_pairs.json').write_text('{}')
    config = Config.fromfile(CONFIGS / f'{name}.py')
    for split, shapes in (('train', None), ('val', [[5], [10]])):
        loader = config[f'{split}_dataloader']
        loader.dataset.data_root = str(avss_root)
        loader.update(num_workers=0, persistent_workers=False, batch_size=2)
        loader = Runner.build_dataloader(loader, seed=0)
        seen = []
        for batch, _ in zip(loader, range(6)):
            frames = batch['inputs']['frames']
            seen.append([len(clip) for clip in frames])
            assert len(set(seen[-1])) == 1
            for clip, sample in zip(frames, batch['data_samples']):
                assert clip.shape[1:] == (3, size, size)
                # Scored at the size of the input, which the model is told.
                assert sample.gt_sem_seg.shape == (size, size)
                if split == 'val':
                    assert sample.ori_shape == (size, size)
                assert set(torch.unique(sample.gt_sem_seg.data).tolist()) <= {
                    0,
                    2,
                    3,
                    255,
                }
        if shapes:
            assert seen == shapes
        else:
            assert [10] in seen or [10, 10] in seen
            assert [5, 5] in seen
