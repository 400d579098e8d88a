"""The index of clips, and a whole clip through the default pipeline."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from avsbench_layout import CLIPS, frame_of, mask_of, save_image, waveform_of
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.runner import Runner
from mmseg.registry import DATASETS, METRICS

from mmavs.datasets import (
    AVSBenchDataset,
    AVSBenchMS3Dataset,
    AVSBenchS4Dataset,
)
from mmavs.datasets.errors import DataError
from mmavs.functional.log_mel import vggish_log_mel

CONFIGS = Path(__file__).parents[2] / 'configs/_base_/datasets'
PIPELINE = [
    dict(
        type='ClipTransform',
        transforms=[dict(type='LoadImageFromFile'), dict(type='LoadAVSMask')],
    ),
    dict(type='LoadAudio'),
    dict(type='VGGishLogMel'),
    dict(type='PackAVSInputs'),
]


def test_s4_train_lists_one_labelled_frame_per_clip(s4_root):
    dataset = AVSBenchS4Dataset(data_root=str(s4_root), split='train')
    assert len(dataset) == 3
    info = dataset[1]
    folder = s4_root / 's4_data/visual_frames/train/cat/_abc'
    assert info['video_id'] == '_abc'
    assert info['category'] == 'cat'
    assert info['num_frames'] == 5
    assert info['img_paths'] == [
        str(folder / f'_abc_{k}.png') for k in range(1, 6)
    ]
    assert info['seg_map_paths'] == [
        str(s4_root / 's4_data/gt_masks/train/cat/_abc/_abc_1.png'),
        None,
        None,
        None,
        None,
    ]
    assert info['audio_path'] == str(
        s4_root / 's4_data/audio_wav/train/cat/_abc.wav'
    )
    assert 'paired_audio_paths' not in info


def test_ids_stay_strings(s4_root):
    ids = [
        clip['video_id']
        for split in CLIPS
        for clip in AVSBenchS4Dataset(data_root=str(s4_root), split=split)
    ]
    assert ids == ['-0KlNFd4a6E', '_abc', '0012', '1e5', '-x', 'y']


@pytest.mark.parametrize('split', ['val', 'test'])
def test_s4_evaluation_splits_are_fully_labelled(s4_root, split):
    for clip in AVSBenchS4Dataset(data_root=str(s4_root), split=split):
        assert None not in clip['seg_map_paths']


@pytest.mark.parametrize('split', list(CLIPS))
def test_ms3_layout(ms3_root, split):
    dataset = AVSBenchMS3Dataset(
        data_root=str(ms3_root), split=split, pipeline=PIPELINE
    )
    assert len(dataset) == len(CLIPS[split])
    for packed, video_id in zip(dataset, CLIPS[split], strict=True):
        masks = packed['data_samples'].gt_sem_seg.data
        empty = (masks == 0).flatten(1).all(1).tolist()
        assert empty == [False, False, True, False, False]
        assert 'category' not in packed['data_samples']
        assert packed['data_samples'].video_id == video_id


@pytest.mark.parametrize('test_mode', [True, False])
def test_whole_clip(s4_root, test_mode):
    dataset = DATASETS.build(
        dict(
            type='AVSBenchS4Dataset',
            data_root=str(s4_root),
            split='train',
            pipeline=PIPELINE,
            test_mode=test_mode,
        )
    )
    batch = pseudo_collate([dataset[0], dataset[1]])
    # One sample per clip, so the collation transposes nothing.
    assert len(batch['inputs']['frames']) == 2
    assert len(batch['data_samples']) == 2
    for b, video_id in enumerate(CLIPS['train'][:2]):
        frames = batch['inputs']['frames'][b]
        assert frames.shape == (5, 3, 24, 32)
        assert frames.dtype == torch.uint8
        for t in range(5):
            # mmcv loads BGR
            expected = frame_of(video_id, t + 1)[..., ::-1]
            assert np.array_equal(frames[t].permute(1, 2, 0), expected)
        log_mel = batch['inputs']['log_mel'][b]
        assert log_mel.shape == (5, 1, 96, 64)
        assert log_mel.dtype == torch.float32
        expected = vggish_log_mel(waveform_of(video_id), 5)
        # the file holds 16-bit samples
        assert np.abs(log_mel[:, 0].numpy() - expected).max() < 1e-2
        sample = batch['data_samples'][b]
        assert sample.gt_sem_seg.data.shape == (5, 24, 32)
        assert np.array_equal(sample.gt_sem_seg.data[0], mask_of(1) > 0)
        assert (sample.gt_sem_seg.data[1:] == 255).all()
        assert sample.video_id == video_id
        assert sample.category == 'cat'
        assert sample.num_frames == 5
        assert [path.rsplit('_', 1)[1] for path in sample.img_paths] == [
            '1.png',
            '2.png',
            '3.png',
            '4.png',
            '5.png',
        ]
        assert sample.ori_shape == (24, 32)
        assert 'waveform' not in sample


def test_fewer_frames(s4_root):
    dataset = AVSBenchS4Dataset(
        data_root=str(s4_root), split='val', num_frames=2, pipeline=PIPELINE
    )
    packed = dataset[0]
    assert packed['inputs']['frames'].shape[0] == 2
    assert packed['inputs']['log_mel'].shape[0] == 2


def test_pairs(s4_root):
    dataset = AVSBenchS4Dataset(
        data_root=str(s4_root), split='test', pairs_file='sound_pairs.json'
    )
    audio = s4_root / 's4_data/audio_wav'
    # The partners of the first test clip are in two other splits.
    assert dataset[0]['paired_audio_paths'] == dict(
        twin=str(audio / 'val/cat/1e5.wav'),
        swapped=str(audio / 'train/cat/0012.wav'),
    )


def test_pair_of_unknown_clip(s4_root):
    path = s4_root / 'pairs2.json'
    path.write_text(json.dumps({'y': dict(twin='nobody')}))
    with pytest.raises(ValueError, match=r"pairs2.json.*'y'.*'nobody'"):
        AVSBenchS4Dataset(
            data_root=str(s4_root), split='test', pairs_file=str(path)
        )
    with pytest.raises(FileNotFoundError, match='none.json'):
        AVSBenchS4Dataset(
            data_root=str(s4_root), split='test', pairs_file='none.json'
        )


def test_clip_without_pairs_has_none(s4_root):
    (s4_root / 'sound_pairs.json').write_text('{}')
    dataset = AVSBenchS4Dataset(
        data_root=str(s4_root), split='val', pairs_file='sound_pairs.json'
    )
    assert dataset[0]['paired_audio_paths'] == {}


def test_base_class_with_patterns(tmp_path, s4_root):
    (tmp_path / 'list.csv').write_text('train,a b\nnew,-id\n\nnew,7\n')
    dataset = AVSBenchDataset(
        data_root=str(tmp_path),
        split='new',
        num_frames=2,
        ann_file='list.csv',
        csv_columns=dict(split=0, video_id=1),
        data_prefix=dict(
            img_path='{video_id}/frames/{k}.jpg',
            seg_map_path='{video_id}/labels/{k}.png',
            audio_path='{video_id}/audio.wav',
        ),
        labelled_frames=dict(new=[1]),
        first_frame=0,
    )
    assert [clip['video_id'] for clip in dataset] == ['-id', '7']
    assert dataset[0]['img_paths'] == [
        str(tmp_path / '-id/frames/0.jpg'),
        str(tmp_path / '-id/frames/1.jpg'),
    ]
    assert dataset[0]['seg_map_paths'] == [
        None,
        str(tmp_path / '-id/labels/1.png'),
    ]


def test_byte_order_mark_without_header(tmp_path, ms3_root):
    path = ms3_root / 'ms3_meta_data.csv'
    path.write_text('\ufeffabc,test\n', encoding='utf-8')
    dataset = AVSBenchMS3Dataset(data_root=str(ms3_root), split='test')
    assert dataset[0]['video_id'] == 'abc'


def test_upstream_arguments(s4_root):
    args = dict(data_root=str(s4_root), split='train')
    lazy = AVSBenchS4Dataset(lazy_init=True, **args)
    assert lazy.metainfo['classes'] == ('background', 'sounding')
    assert len(lazy.metainfo['palette']) == 2
    lazy.full_init()
    assert len(lazy) == 3
    assert len(AVSBenchS4Dataset(indices=2, **args)) == 2
    subset = AVSBenchS4Dataset(serialize_data=False, **args).get_subset([2])
    assert subset[0]['video_id'] == '0012'
    assert subset[0]['sample_idx'] == 0
    swapped = AVSBenchS4Dataset(
        metainfo=dict(classes=('sounding', 'background')),
        pipeline=PIPELINE,
        **args,
    )
    masks = swapped[0]['data_samples'].gt_sem_seg.data
    assert np.array_equal(masks[0], mask_of(1) == 0)
    assert (masks[1:] == 255).all()


@pytest.mark.parametrize(
    'prefix, message',
    [
        (dict(img_path='{vid}_{k}.png'), r"img_path.*'\{vid\}.*\['vid'\]"),
        (dict(audio_path='{video_id}_{k}.wav'), r"audio_path.*\['k'\]"),
    ],
)
def test_unknown_pattern_field(s4_root, prefix, message):
    with pytest.raises(ValueError, match=message):
        AVSBenchS4Dataset(
            data_root=str(s4_root), split='val', data_prefix=prefix
        )


def test_bad_arguments(s4_root):
    root = str(s4_root)
    with pytest.raises(ValueError, match='num_frames.*0'):
        AVSBenchS4Dataset(data_root=root, split='val', num_frames=0)
    with pytest.raises(ValueError, match='reduce_zero_label'):
        AVSBenchS4Dataset(data_root=root, split='val', reduce_zero_label=True)
    with pytest.raises(ValueError, match="needs? .*'img_path'|'img_path'"):
        AVSBenchDataset(data_root=root, split='val')
    with pytest.raises(ValueError, match="csv_columns must name 'split'"):
        AVSBenchS4Dataset(
            data_root=root, split='val', csv_columns=dict(video_id=0)
        )
    with pytest.raises(ValueError, match='needs ann_file'):
        AVSBenchDataset(
            data_root=root,
            split='val',
            data_prefix=dict(img_path='', seg_map_path='', audio_path=''),
        )


def test_csv_errors_name_the_file(s4_root):
    root = str(s4_root)
    with pytest.raises(ValueError, match=r"s4_meta_data.csv.*'dev'.*'val'"):
        AVSBenchS4Dataset(data_root=root, split='dev')
    (s4_root / 's4_meta_data.csv').write_text('a,0,cat,val\nb,0\n')
    with pytest.raises(ValueError, match='s4_meta_data.csv, row 2'):
        AVSBenchS4Dataset(data_root=root, split='val')
    (s4_root / 's4_meta_data.csv').unlink()
    with pytest.raises(FileNotFoundError, match='s4_meta_data.csv'):
        AVSBenchS4Dataset(data_root=root, split='val')


@pytest.mark.parametrize(
    'name',
    [
        's4_data/visual_frames/val/cat/1e5/1e5_3.png',
        's4_data/gt_masks/val/cat/1e5/1e5_4.png',
        's4_data/audio_wav/val/cat/1e5.wav',
    ],
)
def test_missing_files_are_named_when_the_clip_is_loaded(s4_root, name):
    (s4_root / name).unlink()
    dataset = AVSBenchS4Dataset(
        data_root=str(s4_root), split='val', pipeline=PIPELINE
    )
    with pytest.raises(FileNotFoundError, match=name.rsplit('/', 1)[1]):
        dataset[0]


def test_empty_training_mask(s4_root, ms3_root):

    save_image(
        s4_root / 's4_data/gt_masks/train/cat/_abc/_abc_1.png', mask_of(1) * 0
    )
    args = dict(data_root=str(s4_root), split='train', pipeline=PIPELINE)
    dataset = AVSBenchS4Dataset(**args)
    dataset[0]
    with pytest.raises(ValueError, match='_abc_1.png.*allow_empty_masks'):
        dataset[1]
    allowed = AVSBenchS4Dataset(allow_empty_masks=True, **args)
    assert (allowed[1]['data_samples'].gt_sem_seg.data[0] == 0).all()
    strict = AVSBenchMS3Dataset(
        data_root=str(ms3_root),
        split='train',
        allow_empty_masks=False,
        pipeline=PIPELINE,
    )
    with pytest.raises(ValueError, match='_3.png'):
        strict[0]


def test_empty_mask_outside_training_is_scored(s4_root):

    save_image(
        s4_root / 's4_data/gt_masks/val/cat/1e5/1e5_2.png', mask_of(1) * 0
    )
    dataset = AVSBenchS4Dataset(
        data_root=str(s4_root), split='val', pipeline=PIPELINE
    )
    assert (dataset[0]['data_samples'].gt_sem_seg.data[1] == 0).all()


@pytest.mark.parametrize(
    'name, size, batch_size',
    [
        ('avsbench_s4', 224, 4),
        ('avsbench_ms3', 224, 4),
        ('synthetic_s4', 96, 8),
        ('synthetic_ms3', 96, 4),
    ],
)
def test_dataset_configs(request, name, size, batch_size):
    root = request.getfixturevalue(name.split('_')[1] + '_root')
    (root / 'sound_pairs.json').write_text('{}')
    config = Config.fromfile(CONFIGS / f'{name}.py')
    for split in CLIPS:
        loader = config[f'{split}_dataloader']
        assert loader.dataset.split == split
        if split == 'train':
            assert loader.batch_size == batch_size
        loader.dataset.data_root = str(root)
        loader.update(num_workers=0, persistent_workers=False)
        batch = next(iter(Runner.build_dataloader(loader, seed=0)))
        # The synthetic sets train by iterations, without an end.
        endless = split == 'train' and name.startswith('synthetic')
        assert len(batch['data_samples']) == (
            batch_size if endless else len(CLIPS[split])
        )
        for frames, sample in zip(
            batch['inputs']['frames'], batch['data_samples'], strict=True
        ):
            assert frames.shape == (5, 3, size, size)
            # Training masks are resized, others keep their own size.
            assert sample.gt_sem_seg.shape == (
                (size, size) if split == 'train' else (24, 32)
            )
    for split in ('val', 'test'):
        assert (
            METRICS.build(config[f'{split}_evaluator']).protocol == 'dataset'
        )


@pytest.mark.parametrize(
    'video_id', ['../../secret', '/etc/passwd', '..', 'a/../../b', 'a\n../b']
)
@pytest.mark.parametrize('column', ['video_id', 'category', 'folder'])
def test_no_file_outside_the_data_root(tmp_path, column, video_id):
    """No column that becomes a part of a path leads out of the folder."""
    row = dict(video_id='x', split='train', category='c', folder='f')
    cells = [f'"{ ({**row, column: video_id}[name]) }"' for name in row]
    (tmp_path / 'list.csv').write_text(','.join(cells))
    patterns = dict.fromkeys(
        ('img_path', 'seg_map_path', 'audio_path'),
        '{split}/{category}/{folder}/{video_id}',
    )
    with pytest.raises(DataError) as error:
        AVSBenchDataset(
            data_root=str(tmp_path),
            split='train',
            ann_file='list.csv',
            csv_columns={name: i for i, name in enumerate(row)},
            data_prefix=patterns,
        )
    assert f'row 1: {column} {video_id!r} must be the plain' in str(
        error.value
    )
    assert '\n' not in str(error.value)
