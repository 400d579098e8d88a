"""Fixtures: tiny layouts of AVSBench and one clip of equal frames."""

import json

import numpy as np
import pytest
from avsbench_layout import (
    CLIPS,
    NUM_FRAMES,
    frame_of,
    mask_of,
    pairs,
    save_audio,
    save_image,
    waveform_of,
)
from mmengine.registry import DefaultScope

import mmavs  # noqa: F401


@pytest.fixture(autouse=True)
def mmseg_scope():
    """Build transforms as a runner of MMSegmentation does."""
    with DefaultScope.overwrite_default_scope('mmseg'):
        yield


@pytest.fixture
def s4_root(tmp_path):
    root = tmp_path / 'odd {root} name' / 'Single-source'
    rows = ['name,start,category,split']
    for split, ids in CLIPS.items():
        for video_id in ids:
            rows.append(f'{video_id},0,cat,{split}')
            folder = f'{split}/cat'
            for k in range(1, NUM_FRAMES + 1):
                name = f'{folder}/{video_id}/{video_id}_{k}.png'
                save_image(
                    root / 's4_data/visual_frames' / name,
                    frame_of(video_id, k),
                )
                if split != 'train' or k == 1:
                    save_image(root / 's4_data/gt_masks' / name, mask_of(k))
            save_audio(
                root / f's4_data/audio_wav/{folder}/{video_id}.wav',
                waveform_of(video_id),
            )
    (root / 's4_meta_data.csv').write_text('\n'.join(rows) + '\n')
    (root / 'sound_pairs.json').write_text(json.dumps(pairs()))
    return root


@pytest.fixture
def ms3_root(tmp_path):
    root = tmp_path / 'Multi-sources'
    rows = ['video_id,split']
    for split, ids in CLIPS.items():
        for video_id in ids:
            rows.append(f'{video_id},{split}')
            for k in range(1, NUM_FRAMES + 1):
                save_image(
                    root / f'ms3_data/visual_frames/{video_id}/'
                    f'{video_id}.mp4_{k}.png',
                    frame_of(video_id, k),
                )
                # The third frame of every clip is silent.
                save_image(
                    root / f'ms3_data/gt_masks/{split}/{video_id}/'
                    f'{video_id}_{k}.png',
                    mask_of(k) * np.uint8(k != 3),
                )
            save_audio(
                root / f'ms3_data/audio_wav/{split}/{video_id}.wav',
                waveform_of(video_id),
            )
    (root / 'ms3_meta_data.csv').write_text('\n'.join(rows) + '\n')
    return root


@pytest.fixture
def clip(tmp_path):
    """Results of a clip whose frames are all the same image.

    What differs between its frames after a transform differs because of
    the transform.
    """
    image = frame_of('same', 0)
    paths, masks = [], []
    for k in range(1, NUM_FRAMES + 1):
        save_image(tmp_path / f'f_{k}.png', image)
        save_image(tmp_path / f'm_{k}.png', mask_of(1))
        paths.append(str(tmp_path / f'f_{k}.png'))
        masks.append(str(tmp_path / f'm_{k}.png'))
    save_audio(tmp_path / 'a.wav', waveform_of('same'))
    return dict(
        video_id='same',
        num_frames=NUM_FRAMES,
        img_paths=paths,
        seg_map_paths=masks,
        audio_path=str(tmp_path / 'a.wav'),
    )
