"""Transforms of a clip."""

import copy
import random

import numpy as np
import pytest
import soundfile
import torch
from avsbench_layout import (
    NUM_FRAMES,
    mask_of,
    save_audio,
    save_image,
    waveform_of,
)
from mmcv.transforms import BaseTransform
from PIL import Image

from mmavs.datasets import (
    ClipTransform,
    DataError,
    LoadAudio,
    LoadAVSMask,
    PackAVSInputs,
    VGGishLogMel,
)
from mmavs.datasets.transforms.load_avs_mask import decode_binary_mask
from mmavs.datasets.transforms.pack_avs_inputs import digest_array
from mmavs.functional.log_mel import vggish_log_mel

LOAD = [dict(type='LoadImageFromFile'), dict(type='LoadAVSMask')]


def frames_after(clip, *transforms, seed=0):
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)
    return ClipTransform([*LOAD, *transforms])(copy.deepcopy(clip))['frames']


# ---------------------------------------------------------- ClipTransform


@pytest.mark.parametrize(
    'transform',
    [
        dict(type='Resize', scale=(20, 16), keep_ratio=False),
        dict(type='RandomResize', scale=(64, 48), ratio_range=(0.5, 2.0)),
        dict(type='RandomFlip', prob=0.5),
        dict(type='RandomCrop', crop_size=(12, 14)),
        dict(type='PhotoMetricDistortion'),
        dict(type='RandomRotFlip', rotate_prob=0.5, flip_prob=0.5),
        dict(type='RandomRotate', prob=0.5, degree=30.0),
        dict(type='RandomCutOut', prob=0.5, n_holes=3, cutout_shape=(4, 4)),
    ],
    ids=lambda t: t['type'],
)
def test_stock_transforms_treat_all_frames_alike(clip, transform):
    outcomes = set()
    for seed in range(12):
        frames = frames_after(clip, transform, seed=seed)
        for frame in frames[1:]:
            assert np.array_equal(frame['img'], frames[0]['img'])
            assert np.array_equal(frame['gt_seg_map'], frames[0]['gt_seg_map'])
        outcomes.add(frames[0]['img'].tobytes())
    # One draw per clip, but another one for another clip.
    assert len(outcomes) > 1 or transform['type'] == 'Resize'


def test_random_transforms_in_a_row(clip):
    for seed in range(6):
        frames = frames_after(
            clip,
            dict(type='RandomCrop', crop_size=(12, 14)),
            dict(type='RandomFlip', prob=0.5),
            dict(type='PhotoMetricDistortion'),
            seed=seed,
        )
        for frame in frames[1:]:
            assert np.array_equal(frame['img'], frames[0]['img'])
    # Each transform draws after the ones before it, as without clips.
    clip['img_paths'], clip['seg_map_paths'] = (
        clip['img_paths'][:1],
        clip['seg_map_paths'][:1],
    )
    alone = frames_after(
        clip,
        dict(type='RandomCrop', crop_size=(12, 14)),
        dict(type='RandomFlip', prob=0.5),
        dict(type='PhotoMetricDistortion'),
        seed=5,
    )
    assert np.array_equal(alone[0]['img'], frames[0]['img'])


def test_generators_move_on_between_clips(clip):
    transform = ClipTransform([*LOAD, dict(type='PhotoMetricDistortion')])
    np.random.seed(0)
    random.seed(0)
    images = [
        transform(copy.deepcopy(clip))['frames'][0]['img'].tobytes()
        for _ in range(4)
    ]
    assert len(set(images)) == 4


def test_mask_follows_the_flip_once(clip):
    # A seg_fields list shared by the frames would flip mask k k times.
    frames = frames_after(clip, dict(type='RandomFlip', prob=1.0))
    for frame in frames:
        assert frame['flip']
        assert frame['seg_fields'] == ['gt_seg_map']
        assert np.array_equal(frame['gt_seg_map'], (mask_of(1) > 0)[:, ::-1])
    lists = {id(frame['seg_fields']) for frame in frames}
    assert len(lists) == NUM_FRAMES


class PeekAtFrame(BaseTransform):
    """Draw once more for a given frame, from a given generator."""

    def __init__(self, draw, frame_idx):
        self.draw, self.frame_idx = draw, frame_idx

    def transform(self, results):
        if results['frame_idx'] == self.frame_idx:
            self.draw()
        return results

    def __repr__(self):
        return 'PeekAtFrame()'


@pytest.mark.parametrize(
    'draw',
    [
        random.random,
        np.random.rand,
        lambda: torch.rand(1),
        lambda: np.random.choice(3),
    ],
    ids=['python', 'numpy', 'torch', 'numpy-choice'],
)
@pytest.mark.parametrize('frame_idx', [0, 1, 4])
def test_different_draws_are_refused(clip, draw, frame_idx):
    with pytest.raises(
        RuntimeError, match=r"PeekAtFrame\(\) drew other.*'same'"
    ):
        frames_after(clip, PeekAtFrame(draw, frame_idx))


def test_data_dependent_crop_is_refused(clip):
    # The third mask fills the left half: a crop that looks at the mask tries
    # again for that frame only.
    full = mask_of(1)
    full[:] = 0
    full[:, :16] = 255
    save_image(clip['seg_map_paths'][2], full)
    crop = dict(type='RandomCrop', crop_size=(12, 12), cat_max_ratio=0.9)
    with pytest.raises(RuntimeError, match='RandomCrop'):
        for seed in range(20):
            frames_after(clip, crop, seed=seed)


def test_frame_results_are_what_stock_transforms_expect(clip):
    seen = []

    def look(results):
        seen.append(dict(results))
        return results

    clip['seg_map_paths'][3] = None
    clip['label_map'] = {0: 1}
    ClipTransform([look])(clip)
    assert [frame['img_path'] for frame in seen] == clip['img_paths']
    assert [frame['seg_map_path'] for frame in seen] == clip['seg_map_paths']
    assert [frame['frame_idx'] for frame in seen] == [0, 1, 2, 3, 4]
    for frame in seen:
        assert frame['reduce_zero_label'] is False
        assert frame['label_map'] == {0: 1}


def test_clip_of_arrays(clip):
    images = [np.full((8, 8, 3), t, np.uint8) for t in range(3)]
    transform = ClipTransform([dict(type='LoadImageFromNDArray')])
    frames = transform(dict(imgs=images, num_frames=3))['frames']
    assert [frame['img'][0, 0, 0] for frame in frames] == [0, 1, 2]


def test_a_frame_given_up_gives_up_the_clip(clip):
    clip['img_paths'][2] += '.missing'
    load = dict(type='LoadImageFromFile', ignore_empty=True)
    assert ClipTransform([load])(clip) is None
    with pytest.raises(FileNotFoundError, match='f_3.png.missing'):
        ClipTransform(LOAD)(clip)


def test_uneven_lists(clip):
    clip['seg_map_paths'].pop()
    with pytest.raises(ValueError, match="'seg_map_path': 4.*'same'"):
        ClipTransform(LOAD)(clip)
    with pytest.raises(ValueError, match='img_paths or imgs'):
        ClipTransform(LOAD)(dict(num_frames=5))


# ------------------------------------------------------------------ masks


def test_unlabelled_frame_is_full_of_255(clip):
    clip['seg_map_paths'][1] = None
    # Loaded first, the map passes the resize; loaded last, it has the
    # original size.
    resize = dict(type='Resize', scale=(20, 10), keep_ratio=False)
    first = ClipTransform([*LOAD, resize])(copy.deepcopy(clip))['frames'][1]
    last = ClipTransform([LOAD[0], resize, LOAD[1]])(clip)['frames'][1]
    assert first['gt_seg_map'].shape == (10, 20)
    assert last['gt_seg_map'].shape == (24, 32)
    for frame in (first, last):
        assert frame['gt_seg_map'].dtype == np.uint8
        assert (frame['gt_seg_map'] == 255).all()


@pytest.mark.parametrize('mode', ['1', 'L', 'L01', 'P', 'RGB'])
def test_mask_formats(tmp_path, mode):
    mask = mask_of(2)
    if mode == 'P':
        image = Image.fromarray((mask > 0).astype(np.uint8) * 7, mode='P')
        image.putpalette([0, 0, 0] * 256)  # all black: only indices count
    elif mode == 'L01':
        image = Image.fromarray((mask > 0).astype(np.uint8))
    elif mode == 'RGB':
        image = Image.fromarray(mask[..., None] * np.uint8([0, 0, 1]))
    else:
        image = Image.fromarray(mask).convert(mode)
    image.save(tmp_path / 'm.png')
    decoded = decode_binary_mask((tmp_path / 'm.png').read_bytes(), 'm.png')
    assert decoded.dtype == np.uint8
    assert np.array_equal(decoded, mask > 0)


def test_grey_values_are_not_dithered(tmp_path):
    grey = np.zeros((16, 16), np.uint8)
    grey[:, 8:] = 100  # PIL's mode '1' would scatter black pixels here
    save_image(tmp_path / 'm.png', grey)
    content = (tmp_path / 'm.png').read_bytes()
    assert np.array_equal(decode_binary_mask(content, 'm'), grey > 0)
    dithered = np.asarray(Image.open(tmp_path / 'm.png').convert('1'))
    assert not np.array_equal(dithered, grey > 0)


@pytest.mark.parametrize(
    'array, mode',
    [
        (np.zeros((8, 8, 4), np.uint8), 'RGBA'),
        (np.zeros((8, 8, 2), np.uint8), 'LA'),
        (np.zeros((8, 8), np.uint16), 'I;16'),
    ],
)
def test_surprising_mask_formats(tmp_path, array, mode):
    save_image(tmp_path / 'odd.png', array)
    content = (tmp_path / 'odd.png').read_bytes()
    with pytest.raises(ValueError, match=f'odd.png.*{mode}'):
        decode_binary_mask(content, 'odd.png')


def test_broken_masks(clip, tmp_path):
    content = (tmp_path / 'm_1.png').read_bytes()
    for broken, message in (
        (b'', 'm_1.png is empty'),
        (b'no image', 'm_1.png is not a readable'),
        (content[: len(content) // 2], 'm_1.png is cut short'),
        (content[:40] + content[60:], 'm_1.png'),
    ):
        (tmp_path / 'm_1.png').write_bytes(broken)
        with pytest.raises(DataError, match=message):
            ClipTransform(LOAD)(copy.deepcopy(clip))


def test_mask_of_another_size(clip, tmp_path):
    save_image(tmp_path / 'm_2.png', np.zeros((24, 31), np.uint8))
    with pytest.raises(
        ValueError, match=r'm_2.png.*f_2.png, \(24, 32\).*\(24, 31\)'
    ):
        ClipTransform(LOAD)(clip)


# ------------------------------------------------------------------ audio


def load_audio(path, **kwargs):
    return LoadAudio(**kwargs)(dict(audio_path=str(path)))


def test_stereo_becomes_the_mean(tmp_path):
    left, right = waveform_of('left', 4000), waveform_of('right', 4000)
    save_audio(tmp_path / 'a.wav', np.stack([left, right], 1))
    results = load_audio(tmp_path / 'a.wav')
    assert results['waveform'].dtype == np.float32
    assert results['waveform'].shape == (4000,)
    assert results['sample_rate_hz'] == 16000
    # 16-bit samples are written with a step of 1 / 32768
    assert np.abs(results['waveform'] - (left + right) / 2).max() < 1 / 32768


@pytest.mark.parametrize('extension', ['wav', 'flac', 'ogg'])
@pytest.mark.parametrize('rate_hz', [8000, 44100, 48000])
def test_other_rates_keep_the_tone(tmp_path, rate_hz, extension):
    tone_hz = 1000
    time_s = np.arange(rate_hz) / rate_hz
    save_audio(
        tmp_path / f'a.{extension}',
        0.5 * np.sin(2 * np.pi * tone_hz * time_s),
        rate_hz,
    )
    waveform = load_audio(tmp_path / f'a.{extension}')['waveform']
    assert waveform.shape == (16000,)
    expected = 0.5 * np.sin(2 * np.pi * tone_hz * np.arange(16000) / 16000)
    # ends apart, where a filter sees the silence around; ogg is lossy
    error = np.abs(waveform - expected)[500:-500].max()
    assert error < (0.06 if extension == 'ogg' else 1e-3)


def test_audio_errors_name_the_file(tmp_path):
    with pytest.raises(FileNotFoundError, match='none.wav'):
        load_audio(tmp_path / 'none.wav')
    (tmp_path / 'text.wav').write_text('not audio')
    with pytest.raises(ValueError, match='text.wav is not readable'):
        load_audio(tmp_path / 'text.wav')
    save_audio(tmp_path / 'empty.wav', np.zeros(0))
    with pytest.raises(ValueError, match='empty.wav holds no audio'):
        load_audio(tmp_path / 'empty.wav')

    soundfile.write(
        tmp_path / 'nan.wav', np.full(100, np.nan), 16000, subtype='FLOAT'
    )
    with pytest.raises(ValueError, match='nan.wav.*not finite'):
        load_audio(tmp_path / 'nan.wav')
    for rate_hz in (999, 192001):
        save_audio(tmp_path / 'rate.wav', np.zeros(10), rate_hz)
        with pytest.raises(DataError, match=f'rate.wav.*{rate_hz} Hz'):
            load_audio(tmp_path / 'rate.wav')
    with pytest.raises(ValueError, match='sample_rate_hz.*0'):
        LoadAudio(sample_rate_hz=0)


def test_log_mel_of_a_clip(clip):
    results = VGGishLogMel()(LoadAudio()(clip))
    expected = vggish_log_mel(results['waveform'])[:, None]
    assert results['log_mel'].shape == (5, 1, 96, 64)
    assert np.array_equal(results['log_mel'], expected)


def test_short_audio(clip, tmp_path):
    save_audio(tmp_path / 'a.wav', waveform_of('same', 30960))
    log_mel = VGGishLogMel()(LoadAudio()(dict(clip)))['log_mel']
    assert log_mel.shape == (5, 1, 96, 64)
    assert not np.array_equal(log_mel[0], log_mel[1])
    for t in (2, 3, 4):
        assert np.array_equal(log_mel[t], log_mel[1])
    save_audio(tmp_path / 'a.wav', waveform_of('same', 15599))
    with pytest.raises(ValueError, match='a.wav.*15600 samples.*15599'):
        VGGishLogMel()(LoadAudio()(dict(clip)))


def test_log_mel_needs_16_khz(clip):
    results = LoadAudio(sample_rate_hz=8000)(clip)
    with pytest.raises(ValueError, match='a.wav.*16000 Hz, got 8000'):
        VGGishLogMel()(results)


# ------------------------------------------------------------------- pack


def packed(clip, *transforms, pack=None, load=LOAD):
    results = ClipTransform([*load, *transforms])(clip)
    results = VGGishLogMel()(LoadAudio()(results))
    return (pack or PackAVSInputs())(results)


def test_pack(clip):
    clip['seg_map_paths'][1] = None
    for t, path in enumerate(clip['img_paths']):
        save_image(path, np.full((24, 32, 3), t, np.uint8))
    out = packed(
        clip,
        dict(type='Resize', scale=(20, 10)),
        dict(type='RandomFlip', prob=1.0),
    )
    frames = out['inputs']['frames']
    assert frames.shape == (5, 3, *out['data_samples'].img_shape)
    assert frames.dtype == torch.uint8
    assert frames.is_contiguous()
    assert [int(frame.unique()) for frame in frames] == [0, 1, 2, 3, 4]
    assert set(out['inputs']) == {'frames', 'log_mel'}
    sample = out['data_samples']
    assert sample.gt_sem_seg.data.shape == (5, *sample.img_shape)
    labels = [set(m.unique().tolist()) for m in sample.gt_sem_seg.data]
    assert labels == [{0, 1}, {255}, {0, 1}, {0, 1}, {0, 1}]
    assert sample.flip and sample.flip_direction == 'horizontal'
    assert sample.ori_shape == (24, 32)
    assert len(sample.scale_factor) == 2
    assert sample.img_paths == clip['img_paths']
    assert sample.audio_path == clip['audio_path']


def test_pack_without_masks_and_with_own_meta_keys(clip):
    del clip['seg_map_paths']
    out = packed(
        clip,
        load=LOAD[:1],
        pack=PackAVSInputs(meta_keys=('video_id', 'ori_shape', 'absent')),
    )
    assert 'gt_sem_seg' not in out['data_samples']
    assert set(out['data_samples'].metainfo_keys()) == {
        'video_id',
        'ori_shape',
    }


def test_pack_names_the_sound_by_its_content(clip, tmp_path):
    def key_of(*transforms, **changes):
        sample = packed(dict(clip, **changes), *transforms)['data_samples']
        return sample.get('audio_key')

    key = key_of()
    assert len(key) == 40 and set(key) <= set('0123456789abcdef')
    samples, rate_hz = soundfile.read(tmp_path / 'a.wav', dtype='int16')
    soundfile.write(tmp_path / 'same.wav', samples, rate_hz, subtype='PCM_16')
    assert key_of(audio_path=str(tmp_path / 'same.wav')) == key
    # What happens to the frames does not change the sound.
    assert key_of(dict(type='RandomFlip', prob=1.0)) == key
    samples[8000] += 2000
    soundfile.write(tmp_path / 'a.wav', samples, rate_hz, subtype='PCM_16')
    assert key_of() not in (key, None)


def test_pack_names_no_augmented_sound(clip):
    sample = packed(dict(clip, audio_augmented=True))['data_samples']
    assert 'audio_key' not in sample
    sample = packed(dict(clip, audio_augmented=False))['data_samples']
    assert 'audio_key' in sample


def test_digest_of_an_array():
    """Of type, shape and values; however they lie in memory."""
    array = np.arange(12, dtype=np.float32).reshape(3, 4)
    digest = digest_array(array)
    assert digest_array(array.T.copy().T) == digest
    others = [array + 1, array.T, array.reshape(12), array.astype(np.float64)]
    others.append(array.view(np.int32))
    assert len({digest, *map(digest_array, others)}) == 6


def test_pack_refuses_uneven_frames(clip):
    save_image(clip['img_paths'][1], np.zeros((10, 32, 3), np.uint8))
    with pytest.raises(ValueError, match=r"'same'.*'img'.*\(10, 32, 3\)"):
        packed(clip, load=LOAD[:1])


def test_mask_loader_is_built_by_name(clip):
    assert 'LoadAVSMask' in repr(ClipTransform(LOAD))
    assert isinstance(ClipTransform(LOAD).transforms[1], LoadAVSMask)
