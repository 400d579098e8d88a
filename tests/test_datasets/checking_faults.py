"""A small AVSBench with all three settings, and what can go wrong in it."""

from __future__ import annotations

import csv
import json
import os
import pickle
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
import torch
from PIL import Image

from mmavs.datasets.layout import LAYOUTS, class_palette
from mmavs.datasets.log_mel_files import (
    MAX_BYTES,
    save_log_mel,
    save_published_pickle,
)
from mmavs.datasets.transforms.load_audio import resample_waveform
from mmavs.functional.log_mel import vggish_log_mel

HEADERS = dict(
    s4='name,start,category,split',
    ms3='video_id,split',
    avss='vid,uid,s_min,s_sec,a_obj,split,label',
)
# 'twin' is what others are made equal to: no fault is planted in it.
CLIPS = dict(
    s4=[
        dict(video_id=video_id, start='0', category=category, split=split)
        for video_id, category, split in (
            ('twin', 'cat', 'train'),
            ('-0KlNFd4a6E_0_5000', 'cat', 'train'),
            ('_b', 'dog', 'train'),
            ('0012', 'dog', 'train'),
            ('1e5', 'cat', 'val'),
            ('x-y', 'dog', 'test'),
            ('z', 'cat', 'test'),
        )
    ],
    ms3=[
        dict(video_id=video_id, split=split)
        for video_id, split in (
            ('twin', 'train'),
            ('-m', 'train'),
            ('_n', 'val'),
            ('007', 'test'),
        )
    ],
    avss=[
        dict(
            source=video_id[:3],
            video_id=video_id,
            s_min='0',
            s_sec='0',
            objects=objects,
            split=split,
            subset=subset,
        )
        for video_id, objects, split, subset in (
            ('-s', 'a-1_off-the-screen', 'train', 'v1s'),
            ('_t', 'under_score', 'val', 'v1s'),
            ('-u', 'a-3', 'test', 'v1s'),
            ('_5', 'a-1_a-2', 'train', 'v1m'),
            ('6e7', 'a-2_off-the-screen', 'val', 'v1m'),
            ('5', 'a-1_under_score_a-2', 'test', 'v1m'),
            ('long', 'a-2', 'train', 'v2'),
            ('_l', 'off-the-screen', 'test', 'v2'),
        )
    ],
)
LABELS = {
    name: i
    for i, name in enumerate(
        ['background', 'under_score', *(f'a-{i}' for i in range(1, 70))]
    )
}
PALETTE = np.array(class_palette(71), np.uint8)


def seed_of(*parts):
    return list('/'.join(map(str, parts)).encode())


def frame_of(setting, video_id, k):
    """Blocks of colours, of the size that the setting has."""
    rng = np.random.default_rng(seed_of(setting, video_id, k))
    blocks = rng.integers(20, 256, (7, 7, 3), dtype=np.uint8)
    return np.kron(blocks, np.ones((32, 32, 1), np.uint8))


def mask_of(value=255, size=224):
    mask = np.zeros((size, size), np.uint8)
    mask[20:90, 30:70] = value
    return mask


def waveform_of(setting, video_id, num_frames, scale=0.1):
    rng = np.random.default_rng(seed_of(setting, video_id))
    return scale * rng.standard_normal(16000 * num_frames)


def log_mel_of(waveform):
    return vggish_log_mel(waveform)[:, None]


class Tree:
    """A folder with the three settings, and the names of its files."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def rel(self, setting, clip, key, k=None) -> str:
        layout = LAYOUTS[setting]
        return f'{layout.root}/{layout.path(key, clip, k)}'

    def path(self, setting, clip, key, k=None) -> Path:
        path = self.root / self.rel(setting, clip, key, k)
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def csv(self, setting) -> Path:
        layout = LAYOUTS[setting]
        return self.root / layout.root / layout.csv_name

    def csv_rel(self, setting) -> str:
        return self.csv(setting).relative_to(self.root).as_posix()

    def add_row(self, setting, *cells) -> None:
        with self.csv(setting).open('a', newline='') as stream:
            csv.writer(stream).writerow(cells)

    def write_clip(self, setting, clip) -> None:
        layout, video_id = LAYOUTS[setting], clip['video_id']
        for k in layout.frame_numbers(clip):
            Image.fromarray(frame_of(setting, video_id, k)).save(
                self.path(setting, clip, 'img_path', k)
            )
        for k in layout.labelled_numbers(clip):
            if not layout.semantic:
                Image.fromarray(mask_of()).save(
                    self.path(setting, clip, 'seg_map_path', k)
                )
                continue
            mask = mask_of(70)
            Image.fromarray(mask).save(
                self.path(setting, clip, 'seg_map_path', k)
            )
            Image.fromarray(PALETTE[mask]).save(
                self.path(setting, clip, 'seg_map_rgb_path', k)
            )
        waveform = waveform_of(
            setting, video_id, len(layout.frame_numbers(clip))
        )
        soundfile.write(
            self.path(setting, clip, 'audio_path'), waveform, 16000
        )
        save_published_pickle(
            str(self.path(setting, clip, 'log_mel_path')),
            log_mel_of(waveform),
        )

    def write(self) -> None:
        for setting, clips in CLIPS.items():
            folder = self.root / LAYOUTS[setting].root
            folder.mkdir(parents=True)
            rows = [','.join(clip.values()) for clip in clips]
            self.csv(setting).write_text(
                '\n'.join([HEADERS[setting], *rows, ''])
            )
            for clip in clips:
                self.write_clip(setting, clip)
        self.write_labels(LABELS)
        # What is nobody's business.
        (self.root / 'Single-source' / 'notes.txt').write_text('mine')
        (self.root / 'AVSBench-semantic' / 'v1s.zip').write_text('x')

    def write_labels(self, labels) -> None:
        path = self.root / 'AVSBench-semantic' / 'label2idx.json'
        path.write_text(json.dumps(labels))


@dataclass(frozen=True)
class Fault:
    """Something to plant.

    Attributes:
        name: of the function that plants it.
        setting: where it goes.
        slots: what of a clip it takes, so that no other fault does; none if
            it adds something of its own.
        splits: whose clips it goes into.
        plant: given the tree and a clip returns what must be found, tuples
            (severity, kind, path).
    """

    name: str
    setting: str
    slots: frozenset
    splits: tuple
    plant: Callable


FAULTS: list[Fault] = []
AUDIO = ('wav', 'log_mel')


def fault(setting, *slots, splits=('train', 'val', 'test')):
    """Register a function that plants a fault."""

    def register(plant):
        name = f'{setting}_{plant.__name__}'
        FAULTS.append(Fault(name, setting, frozenset(slots), splits, plant))
        return plant

    return register


def error(kind, path):
    return 'error', kind, path


def warning(kind, path):
    return 'warning', kind, path


def cut(path, share=0.6):
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])


# Frames. Those of S4 with number 1 have a mask.


@fault('s4', 'frame2')
def frame_missing(tree, clip):
    tree.path('s4', clip, 'img_path', 2).unlink()
    return {error('missing', tree.rel('s4', clip, 'img_path', 2))}


@fault('s4', 'frame3')
def frame_empty(tree, clip):
    tree.path('s4', clip, 'img_path', 3).write_bytes(b'')
    return {error('empty', tree.rel('s4', clip, 'img_path', 3))}


@fault('s4', 'frame4')
def frame_unreadable(tree, clip):
    tree.path('s4', clip, 'img_path', 4).write_text('<html>not found</html>')
    return {error('unreadable', tree.rel('s4', clip, 'img_path', 4))}


@fault('s4', 'frame5')
def frame_truncated(tree, clip):
    cut(tree.path('s4', clip, 'img_path', 5))
    return {error('truncated', tree.rel('s4', clip, 'img_path', 5))}


@fault('avss', 'frame3')
def frame_truncated_jpeg(tree, clip):
    cut(tree.path('avss', clip, 'img_path', 3), 0.95)
    return {error('truncated', tree.rel('avss', clip, 'img_path', 3))}


@fault('avss', 'frame2')
def frame_bits_flipped(tree, clip):
    """The middle of a PNG, where JPEG is expected: any name is read."""
    path = tree.path('avss', clip, 'img_path', 2)
    noise = np.random.default_rng(0).integers(0, 255, (224, 224, 3), np.uint8)
    Image.fromarray(noise).save(path, 'PNG')
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0x10
    path.write_bytes(content)
    return {error('unreadable', tree.rel('avss', clip, 'img_path', 2))}


@fault('s4', 'frame1', 'mask1', splits=('train',))
def frame_smaller_than_its_mask(tree, clip):
    path = tree.path('s4', clip, 'img_path', 1)
    Image.open(path).resize((112, 112)).save(path)
    return {error('wrong_size', tree.rel('s4', clip, 'img_path', 1))}


@fault('s4', 'frame3', splits=('train',))
def frame_of_unusual_size(tree, clip):
    path = tree.path('s4', clip, 'img_path', 3)
    Image.open(path).resize((256, 224)).save(path)
    return {warning('frame_size', tree.rel('s4', clip, 'img_path', 3))}


@fault('s4', 'frame4')
def frame_black(tree, clip):
    path = tree.path('s4', clip, 'img_path', 4)
    Image.new('RGB', (224, 224), (0, 3, 0)).save(path)
    return {warning('black_frame', tree.rel('s4', clip, 'img_path', 4))}


@fault('s4', 'frame2')
def frame_is_a_folder(tree, clip):
    path = tree.path('s4', clip, 'img_path', 2)
    path.unlink()
    path.mkdir()
    rel = tree.rel('s4', clip, 'img_path', 2)
    return {error('unreadable', rel), warning('unexpected_file', rel)}


@fault('ms3', 'frame2')
def frame_is_a_pipe(tree, clip):
    path = tree.path('ms3', clip, 'img_path', 2)
    path.unlink()
    os.mkfifo(path)
    return {error('unreadable', tree.rel('ms3', clip, 'img_path', 2))}


@fault('s4', 'more frames')
def two_frames_too_many(tree, clip):
    for k in (6, 7):
        shutil.copy(
            tree.path('s4', clip, 'img_path', 5),
            tree.path('s4', clip, 'img_path', k),
        )
    return {warning('frame_count', tree.rel('s4', clip, 'img_path', 6))}


@fault('s4', 'frame5', splits=('val', 'test'))
def frame_of_a_training_clip(tree, clip):
    shutil.copy(
        tree.path('s4', CLIPS['s4'][0], 'img_path', 3),
        tree.path('s4', clip, 'img_path', 5),
    )
    return {warning('same_frame', tree.rel('s4', clip, 'img_path', 5))}


# Masks.


@fault('ms3', 'mask3')
def mask_missing(tree, clip):
    tree.path('ms3', clip, 'seg_map_path', 3).unlink()
    return {error('missing', tree.rel('ms3', clip, 'seg_map_path', 3))}


def save_mask(tree, setting, clip, k, mask, key='seg_map_path'):
    Image.fromarray(mask).save(tree.path(setting, clip, key, k))
    return tree.rel(setting, clip, key, k)


@fault('ms3', 'mask4')
def mask_grey(tree, clip):
    rel = save_mask(tree, 'ms3', clip, 4, mask_of(128))
    return {warning('mask_values', rel)}


@fault('ms3', 'mask5')
def mask_of_three_values(tree, clip):
    mask = mask_of(255)
    mask[0, 0] = 1
    rel = save_mask(tree, 'ms3', clip, 5, mask)
    return {warning('mask_levels', rel)}


@fault('ms3', 'mask2')
def mask_of_three_colours(tree, clip):
    mask = np.stack([mask_of(255), mask_of(0), mask_of(0)], -1)
    mask[0, 0] = 0, 255, 0
    rel = save_mask(tree, 'ms3', clip, 2, mask)
    return {warning('mask_levels', rel)}


@fault('s4', 'mask1', 'frame1')
def mask_of_another_size(tree, clip):
    rel = save_mask(tree, 's4', clip, 1, mask_of(size=225))
    return {error('wrong_size', rel)}


@fault('s4', 'mask1')
def mask_with_alpha(tree, clip):
    mask = np.repeat(mask_of()[..., None], 4, -1)
    rel = save_mask(tree, 's4', clip, 1, mask)
    return {error('unreadable', rel)}


@fault('s4', 'mask1')
def mask_damaged(tree, clip):
    """The checksum of its data is wrong."""
    path = tree.path('s4', clip, 'seg_map_path', 1)
    content = bytearray(path.read_bytes())
    content[-13] ^= 1
    path.write_bytes(content)
    rel = tree.rel('s4', clip, 'seg_map_path', 1)
    return {error('unreadable', rel)}


@fault('s4', 'mask1', splits=('train',))
def mask_empty(tree, clip):
    rel = save_mask(tree, 's4', clip, 1, mask_of(0))
    return {error('empty_mask', rel)}


@fault('s4', *(f'mask{k}' for k in range(1, 6)), splits=('val', 'test'))
def mask_empty_in_evaluation(tree, clip):
    """It loads, but no clip of S4 is silent."""
    rel = save_mask(tree, 's4', clip, 2, mask_of(0))
    return {warning('empty_mask', rel)}


@fault('s4', 'more masks', splits=('train',))
def masks_too_many(tree, clip):
    rel = save_mask(tree, 's4', clip, 2, mask_of())
    save_mask(tree, 's4', clip, 3, mask_of())
    return {warning('unexpected_file', rel)}


@fault('ms3', *(f'mask{k}' for k in range(1, 6)), splits=('train',))
def masks_in_another_split(tree, clip):
    wrong = {**clip, 'split': 'val'}
    source = tree.path('ms3', clip, 'seg_map_path', 1).parent
    target = tree.path('ms3', wrong, 'seg_map_path', 1).parent
    target.rmdir()
    source.rename(target)
    rel = target.relative_to(tree.root).as_posix()
    return {
        warning('unexpected_file', rel),
        *(
            error('missing', tree.rel('ms3', clip, 'seg_map_path', k))
            for k in range(1, 6)
        ),
    }


@fault('avss', 'mask0')
def class_out_of_range(tree, clip):
    rel = save_mask(tree, 'avss', clip, 0, mask_of(99))
    return {error('class_index', rel)}


@fault('avss', 'mask0')
def colours_of_another_class(tree, clip):
    mask = PALETTE[mask_of(71 - 2)]
    rel = save_mask(tree, 'avss', clip, 0, mask, 'seg_map_rgb_path')
    return {warning('masks_disagree', rel)}


@fault('avss', 'mask0')
def colour_of_no_class(tree, clip):
    mask = PALETTE[mask_of(70)]
    mask[3, 3] = 1, 2, 3
    rel = save_mask(tree, 'avss', clip, 0, mask, 'seg_map_rgb_path')
    return {warning('mask_colour', rel)}


@fault('avss', 'mask0')
def colours_unreadable(tree, clip):
    """Training does not need them."""
    path = tree.path('avss', clip, 'seg_map_rgb_path', 0)
    path.write_bytes(b'x')
    rel = tree.rel('avss', clip, 'seg_map_rgb_path', 0)
    return {warning('unreadable', rel)}


# Audio.


def save_wav(tree, setting, clip, samples, rate_hz=16000, **kwargs):
    path = tree.path(setting, clip, 'audio_path')
    soundfile.write(path, samples, rate_hz, **kwargs)
    return tree.rel(setting, clip, 'audio_path')


@fault('s4', *AUDIO)
def no_audio_of_any_kind(tree, clip):
    tree.path('s4', clip, 'audio_path').unlink()
    tree.path('s4', clip, 'log_mel_path').unlink()
    return {error('missing', tree.rel('s4', clip, 'audio_path'))}


@fault('s4', 'wav')
def wav_truncated(tree, clip):
    cut(tree.path('s4', clip, 'audio_path'))
    return {error('truncated', tree.rel('s4', clip, 'audio_path'))}


@fault('s4', 'wav')
def wav_unreadable(tree, clip):
    tree.path('s4', clip, 'audio_path').write_bytes(b'ID3 or what' * 99)
    return {error('unreadable', tree.rel('s4', clip, 'audio_path'))}


@fault('ms3', *AUDIO)
def wav_silent(tree, clip):
    tree.path('ms3', clip, 'log_mel_path').unlink()
    rel = save_wav(tree, 'ms3', clip, np.zeros(80000))
    return {warning('silent', rel)}


@fault('ms3', *AUDIO)
def log_mel_silent(tree, clip):
    tree.path('ms3', clip, 'audio_path').unlink()
    path = tree.path('ms3', clip, 'log_mel_path')
    save_published_pickle(str(path), log_mel_of(np.zeros(80000)))
    return {warning('silent', tree.rel('ms3', clip, 'log_mel_path'))}


@fault('ms3', *AUDIO)
def wav_one_patch_short(tree, clip):
    samples = waveform_of('ms3', clip['video_id'], 5)[:76000]
    rel = save_wav(tree, 'ms3', clip, samples)
    return {warning('audio_short', rel)}


@fault('s4', *AUDIO)
def wav_shorter_than_a_patch(tree, clip):
    samples = waveform_of('s4', clip['video_id'], 5)[:15599]
    rel = save_wav(tree, 's4', clip, samples)
    return {error('audio_too_short', rel)}


@fault('s4', 'wav')
def wav_not_finite(tree, clip):
    samples = waveform_of('s4', clip['video_id'], 5)
    samples[700] = np.inf
    rel = save_wav(tree, 's4', clip, samples, subtype='FLOAT')
    return {error('not_finite', rel)}


@fault('avss', *AUDIO)
def wav_of_a_telephone(tree, clip):
    tree.path('avss', clip, 'log_mel_path').unlink()
    samples = waveform_of('avss', clip['video_id'], 5)
    if clip['subset'] == 'v2':
        samples = np.tile(samples, 2)
    rel = save_wav(tree, 'avss', clip, samples[::2], 8000, subtype='ULAW')
    return {warning('audio_format', rel)}


@fault('s4', *AUDIO, splits=('val', 'test'))
def audio_of_a_training_clip(tree, clip):
    for key in ('audio_path', 'log_mel_path'):
        shutil.copy(
            tree.path('s4', CLIPS['s4'][0], key), tree.path('s4', clip, key)
        )
    return {warning('same_audio', tree.rel('s4', clip, 'audio_path'))}


class _Hostile:
    """Makes a folder when it is unpickled."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return os.mkdir, (self.path,)


@fault('s4', *AUDIO)
def log_mel_hostile(tree, clip):
    path = tree.path('s4', clip, 'log_mel_path')
    path.write_bytes(pickle.dumps(_Hostile(tree.root / 'executed')))
    tree.path('s4', clip, 'audio_path').unlink()
    return {error('log_mel_refused', tree.rel('s4', clip, 'log_mel_path'))}


@fault('ms3', *AUDIO)
def log_mel_truncated(tree, clip):
    tree.path('ms3', clip, 'audio_path').unlink()
    cut(tree.path('ms3', clip, 'log_mel_path'))
    return {error('truncated', tree.rel('ms3', clip, 'log_mel_path'))}


def save_pickle(tree, setting, clip, array):
    path = tree.path(setting, clip, 'log_mel_path')
    path.write_bytes(pickle.dumps(torch.from_numpy(array)))
    return tree.rel(setting, clip, 'log_mel_path')


@fault('s4', 'log_mel')
def log_mel_of_wrong_shape(tree, clip):
    """Beside a wav file, which is taken."""
    array = np.zeros((5, 96, 64), np.float32)
    rel = save_pickle(tree, 's4', clip, array)
    return {warning('log_mel_shape', rel)}


@fault('s4', *AUDIO)
def log_mel_not_finite(tree, clip):
    tree.path('s4', clip, 'audio_path').unlink()
    array = np.full((5, 1, 96, 64), np.nan, np.float32)
    rel = save_pickle(tree, 's4', clip, array)
    return {error('not_finite', rel)}


@fault('avss', *AUDIO)
def log_mel_one_patch_short(tree, clip):
    tree.path('avss', clip, 'audio_path').unlink()
    samples = waveform_of('avss', clip['video_id'], 4)
    rel = save_pickle(tree, 'avss', clip, log_mel_of(samples))
    return {warning('log_mel_short', rel)}


@fault('s4', 'log_mel')
def log_mel_too_large(tree, clip):
    """For its loader, not for others."""
    path = tree.path('s4', clip, 'log_mel_path')
    os.truncate(path, MAX_BYTES + 1)
    return {warning('unreadable', tree.rel('s4', clip, 'log_mel_path'))}


@fault('ms3', *AUDIO)
def log_mel_of_another_clip(tree, clip):
    other = log_mel_of(waveform_of('another', 'clip', 5, scale=0.02))
    rel = save_pickle(tree, 'ms3', clip, other)
    return {warning('log_mel_differs', rel)}


@fault('s4', *AUDIO)
def log_mel_of_another_clip_in_two_forms(tree, clip):
    """One of them is enough to say so."""
    other = log_mel_of(waveform_of('another', 'clip', 5, scale=0.02))
    rel = save_pickle(tree, 's4', clip, other)
    path = tree.path('s4', clip, 'log_mel_path')
    save_log_mel(str(path.with_suffix('.npy')), other)
    return {warning('log_mel_differs', rel)}


@fault('s4', *AUDIO)
def wav_of_half_the_rate(tree, clip):
    """The log-mel, of the original, has what the wav has lost."""
    samples = waveform_of('s4', clip['video_id'], 5)
    halved = resample_waveform(samples, 16000, 8000)
    rel = save_wav(tree, 's4', clip, halved, 8000)
    return {warning('audio_format', rel)}


@fault('s4', *AUDIO)
def wav_of_half_the_rate_of_another_clip(tree, clip):
    other = waveform_of('another', 'clip', 5, scale=0.02)
    halved = resample_waveform(other, 16000, 8000)
    rel = save_wav(tree, 's4', clip, halved, 8000)
    return {
        warning('audio_format', rel),
        warning('log_mel_differs', tree.rel('s4', clip, 'log_mel_path')),
    }


@fault('s4', 'video')
def video_empty(tree, clip):
    tree.path('s4', clip, 'video_path').write_bytes(b'')
    return {warning('empty', tree.rel('s4', clip, 'video_path'))}


# The lists, and what is not on them.


@fault('s4')
def row_too_short(tree, clip):
    tree.add_row('s4', 'short', '0', 'cat')
    return {error('bad_row', tree.csv_rel('s4'))}


@fault('ms3')
def row_outside_the_folder(tree, clip):
    tree.add_row('ms3', '../../etc/passwd', 'train')
    return {error('bad_row', tree.csv_rel('ms3'))}


@fault('avss')
def row_of_unknown_subset(tree, clip):
    tree.add_row('avss', 'v', 'new', 0, 0, 'a-1', 'train', 'v3')
    return {error('bad_row', tree.csv_rel('avss'))}


@fault('ms3')
def row_of_unknown_split(tree, clip):
    tree.add_row('ms3', 'new', 'trian')
    return {warning('unknown_split', tree.csv_rel('ms3'))}


@fault('s4', 'row')
def row_repeated(tree, clip):
    tree.add_row('s4', *clip.values())
    return {warning('repeated_id', tree.csv_rel('s4'))}


@fault('s4', 'row', splits=('train',))
def row_in_two_splits(tree, clip):
    again = {**clip, 'split': 'test'}
    tree.add_row('s4', *again.values())
    rel = f'Single-source/s4_data/visual_frames/test/{clip["category"]}'
    return {
        warning('id_in_two_splits', tree.csv_rel('s4')),
        error('no_files', f'{rel}/{clip["video_id"]}'),
    }


@fault('s4')
def row_without_files(tree, clip):
    tree.add_row('s4', 'ghost', '0', 'cat', 'train')
    rel = 'Single-source/s4_data/visual_frames/train/cat/ghost'
    return {error('no_files', rel)}


@fault('s4')
def row_of_unknown_category(tree, clip):
    tree.add_row('s4', 'ghost2', '0', 'caat', 'train')
    rel = 'Single-source/s4_data/visual_frames/train/caat/ghost2'
    return {
        warning('unknown_category', tree.csv_rel('s4')),
        error('no_files', rel),
    }


@fault('ms3')
def files_without_row(tree, clip):
    new = dict(video_id='unlisted', split='val')
    tree.write_clip('ms3', new)
    folder = tree.path('ms3', new, 'img_path', 1).parent
    masks = tree.path('ms3', new, 'seg_map_path', 1).parent
    return {
        warning('not_in_csv', folder.relative_to(tree.root).as_posix()),
        warning('not_in_csv', masks.relative_to(tree.root).as_posix()),
        warning('not_in_csv', tree.rel('ms3', new, 'audio_path')),
        warning('not_in_csv', tree.rel('ms3', new, 'log_mel_path')),
    }


@fault('ms3')
def name_that_is_not_utf8(tree, clip):
    folder = tree.root / 'Multi-sources/ms3_data/visual_frames'
    name = os.fsdecode(b'na\xefve')
    (folder / name).mkdir()
    rel = f'Multi-sources/ms3_data/visual_frames/{name}'
    return {warning('not_in_csv', rel)}


@fault('ms3')
def name_that_commands_a_terminal(tree, clip):
    rel = 'Multi-sources/ms3_data/visual_frames/\x1b[2J\x07'
    (tree.root / rel).mkdir()
    return {warning('not_in_csv', rel)}


@fault('avss')
def folder_without_row(tree, clip):
    folder = tree.root / 'AVSBench-semantic/v2/unlisted'
    (folder / 'frames').mkdir(parents=True)
    return {warning('not_in_csv', 'AVSBench-semantic/v2/unlisted')}


@fault('s4', 'notes')
def file_among_the_frames(tree, clip):
    folder = tree.path('s4', clip, 'img_path', 1).parent
    (folder / 'Thumbs.db').write_text('of a file browser')
    (folder / '.DS_Store').write_text('of another')
    (folder / 'copy of 1.png').write_text('x')
    rel = (folder / 'copy of 1.png').relative_to(tree.root).as_posix()
    return {warning('unexpected_file', rel)}


@fault('avss', 'row')
def object_of_no_class(tree, clip):
    path = tree.csv('avss')
    text = path.read_text()
    row = ','.join(clip.values())
    wrong = ','.join({**clip, 'objects': 'a-1_unheard-of'}.values())
    assert row in text
    path.write_text(text.replace(row, wrong))
    return {warning('unknown_object', tree.csv_rel('avss'))}


@fault('avss')
def one_class_more(tree, clip):
    tree.write_labels({**LABELS, 'another': 71})
    rel = 'AVSBench-semantic/label2idx.json'
    return {warning('class_count', rel)}
