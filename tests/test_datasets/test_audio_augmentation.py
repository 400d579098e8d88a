"""Augmentations of a clip's sound."""

import copy
import random

import numpy as np
import pytest
import torch
from avsbench_layout import save_audio, waveform_of
from mmcv.transforms.utils import cache_random_params
from mmseg.registry import TRANSFORMS
from scipy.signal import welch
from torchaudio.functional import mask_along_axis

from mmavs.datasets import LoadAudio, SoundCondition, VGGishLogMel
from mmavs.datasets.transforms.random_gain import apply_gain
from mmavs.datasets.transforms.random_time_shift import shift_sound
from mmavs.datasets.transforms.spec_augment import (
    SILENCE,
    Masks,
    draw_ranges,
    mask_log_mel,
)
from mmavs.functional.log_mel import vggish_log_mel
from mmavs.functional.sounds import coloured_noise, mix_at_snr

NUM_FRAMES = 5
RATE_HZ = 16000
OF_WAVEFORMS = ('RandomGain', 'RandomNoise', 'RandomTimeShift')
NAMES = (*OF_WAVEFORMS, 'SpecAugment')
each_name = pytest.mark.parametrize('name', NAMES)


def key_of(name):
    return 'log_mel' if name == 'SpecAugment' else 'waveform'


def results_for(name):
    """A clip as it reaches a transform."""
    results = dict(video_id='clip', num_frames=NUM_FRAMES)
    waveform = waveform_of('sound')
    if name == 'SpecAugment':
        log_mel = vggish_log_mel(waveform, NUM_FRAMES)[:, None]
        return dict(results, log_mel=log_mel)
    return dict(results, waveform=waveform, sample_rate_hz=RATE_HZ)


def build(name, **arguments):
    return TRANSFORMS.build(dict(type=name, **arguments))


def augmented(name, seed, **arguments):
    np.random.seed(seed)
    return build(name, **arguments)(results_for(name))[key_of(name)]


# ------------------------------------------------------------ all of them


@each_name
def test_chance(name):
    original = results_for(name)[key_of(name)]
    changed = [
        not np.array_equal(augmented(name, seed, prob=0.25), original)
        for seed in range(160)
    ]
    assert 20 < sum(changed) < 60  # 40, five standard deviations of 5.5 off
    assert not np.array_equal(augmented(name, 0, prob=1), original)
    assert np.array_equal(augmented(name, 0, prob=0), original)


@each_name
@pytest.mark.parametrize('prob', [0, 1])
def test_the_clip_is_marked_whatever_was_drawn(name, prob):
    assert build(name, prob=prob)(results_for(name))['audio_augmented'] is True


@each_name
def test_form_is_kept_and_the_input_untouched(name):
    results = results_for(name)
    given = results[key_of(name)]
    given.flags.writeable = False  # as an array mapped from a file
    out = build(name, prob=1)(results)[key_of(name)]
    assert out is not given
    assert out.shape == given.shape and out.dtype == np.float32
    assert np.isfinite(out).all()


@each_name
def test_draws_come_from_the_generator_of_numpy(name):
    random.seed(0)
    torch.manual_seed(0)
    before = random.getstate(), torch.get_rng_state()
    first, same, other = (augmented(name, seed, prob=1) for seed in (3, 3, 4))
    assert np.array_equal(first, same)
    assert not np.array_equal(first, other)
    assert random.getstate() == before[0]
    assert torch.equal(torch.get_rng_state(), before[1])


@each_name
def test_draws_can_be_kept_for_several_clips(name):
    """As mmcv's transforms that share their random values."""
    transform = build(name, prob=1)
    with cache_random_params(transform):
        kept = [transform(results_for(name))[key_of(name)] for _ in range(2)]
    free = [transform(results_for(name))[key_of(name)] for _ in range(2)]
    assert np.array_equal(*kept)
    assert not np.array_equal(*free)


@each_name
@pytest.mark.parametrize('prob', [-0.1, 1.5, float('nan')])
def test_probability_out_of_range(name, prob):
    with pytest.raises(ValueError, match=r'prob must be in \[0, 1\], got'):
        build(name, prob=prob)


@pytest.mark.parametrize(
    'name, arguments, message',
    [
        ('RandomGain', dict(gain_db=(6, -6)), r'gain_db.*got \(6, -6\)'),
        ('RandomGain', dict(gain_db=6), 'gain_db must be .*got 6'),
        ('RandomGain', dict(gain_db=(0, np.inf)), 'gain_db.*finite'),
        ('RandomGain', dict(gain_db=(0, 1, 2)), 'gain_db'),
        ('RandomNoise', dict(snr_db=('low', 'high')), 'snr_db'),
        ('RandomNoise', dict(colours=('white', 'red')), "'red'"),
        ('RandomNoise', dict(colours='pink'), "list of .*got 'pink'"),
        ('RandomNoise', dict(colours=()), 'colours'),
        ('RandomNoise', dict(floor_dbfs=3), 'floor_dbfs'),
        ('RandomTimeShift', dict(max_shift_s=0), 'max_shift_s.*got 0'),
        ('RandomTimeShift', dict(max_shift_s=0.5), 'below 0.48.*got 0.5'),
        ('SpecAugment', dict(max_time_mask_s=0.96), '0.96, so that every'),
        ('SpecAugment', dict(num_time_masks=7), 'got 7 times 0.15'),
        ('SpecAugment', dict(max_mel_mask_bins=64), 'max_mel_mask_bins'),
        ('SpecAugment', dict(num_mel_masks=-1), 'num_mel_masks.*got -1'),
        ('SpecAugment', dict(max_time_mask_s=np.nan), 'got 1 times nan'),
    ],
)
def test_nonsense_is_refused(name, arguments, message):
    with pytest.raises(ValueError, match=message):
        build(name, **arguments)


@each_name
def test_repr_tells_the_settings(name):
    transform = build(name, prob=0.125)
    assert repr(transform).startswith(f'{name}(')
    for key, value in vars(transform).items():
        assert f'{key}={value}' in repr(transform)


# ------------------------------------------------------- in the pipeline


@pytest.mark.parametrize('name', OF_WAVEFORMS)
def test_a_clip_that_came_as_log_mel(name):
    with pytest.raises(
        ValueError, match=f"'clip' is a log-mel already and {name}.*'wav'"
    ):
        build(name)(results_for('SpecAugment'))


@pytest.mark.parametrize('name', OF_WAVEFORMS)
def test_after_the_front_end_it_would_change_nothing(name):
    results = VGGishLogMel()(results_for(name))
    with pytest.raises(ValueError, match=f'{name}.*before VGGishLogMel'):
        build(name)(results)


@each_name
def test_a_clip_without_sound(name):
    place = 'VGGishLogMel' if name == 'SpecAugment' else 'LoadAudio'
    with pytest.raises(
        ValueError, match=f"'clip' has no {key_of(name)}.*{name} after {place}"
    ):
        build(name)(dict(video_id='clip'))


def test_all_in_a_row(clip):
    pipeline = [
        LoadAudio(),
        *(build(name, prob=1) for name in OF_WAVEFORMS),
        VGGishLogMel(),
        build('SpecAugment', prob=1),
    ]
    log_mels = []
    for seed in (0, 0, 1):
        np.random.seed(seed)
        results = copy.deepcopy(clip)
        for transform in pipeline:
            results = transform(results)
        assert results['audio_augmented']
        log_mels.append(results['log_mel'])
    assert log_mels[0].shape == (NUM_FRAMES, 1, 96, 64)
    assert np.isfinite(log_mels).all()
    assert np.array_equal(log_mels[0], log_mels[1])
    assert not np.array_equal(log_mels[0], log_mels[2])


@pytest.mark.parametrize('name', OF_WAVEFORMS)
def test_sound_conditions_before_and_after(clip, tmp_path, name):
    """Whatever plays is augmented, or replaces what was augmented."""
    save_audio(tmp_path / 'twin.wav', waveform_of('twin', 70000))
    clip = dict(clip, paired_audio_paths=dict(twin=str(tmp_path / 'twin.wav')))
    twin = LoadAudio()(dict(audio_path=str(tmp_path / 'twin.wav')))
    augment = build(name, prob=1)

    np.random.seed(0)
    expected = augment(dict(twin))['waveform']
    np.random.seed(0)
    played = SoundCondition('twin')(LoadAudio()(copy.deepcopy(clip)))
    assert np.array_equal(augment(played)['waveform'], expected)

    changed = augment(LoadAudio()(copy.deepcopy(clip)))
    kept = changed['waveform']
    assert SoundCondition()(changed)['waveform'] is kept
    replaced = SoundCondition('twin')(changed)
    assert np.array_equal(replaced['waveform'], twin['waveform'])
    assert replaced['audio_augmented']


# ------------------------------------------------------------------- gain


def test_gain_by_hand():
    waveform = np.float32([0.5, -0.25, 0])
    assert np.allclose(apply_gain(waveform, 20), [5, -2.5, 0])
    assert np.allclose(apply_gain(waveform, -40), [0.005, -0.0025, 0])
    # Twice the amplitude is 6.02 dB.
    assert np.allclose(apply_gain(waveform, 20 * np.log10(2)), 2 * waveform)
    assert np.array_equal(apply_gain(waveform, 0), waveform)


def test_gains_fill_their_range():
    original = results_for('RandomGain')['waveform']
    gains_db = [
        20
        * np.log10(
            augmented('RandomGain', seed, gain_db=(-3, 9), prob=1)[0]
            / original[0]
        )
        for seed in range(200)
    ]
    assert -3 <= min(gains_db) < -2.5 and 8.5 < max(gains_db) <= 9
    assert abs(np.mean(gains_db) - 3) < 1


# ------------------------------------------------------------------ noise


def power_slope(noise):
    """Exponent of the power density, from SciPy's estimate of it."""
    frequency_hz, density = welch(noise, RATE_HZ, nperseg=4096)
    middle = (frequency_hz > 50) & (frequency_hz < 7000)
    slope, _ = np.polyfit(
        np.log(frequency_hz[middle]), np.log(density[middle]), 1
    )
    return slope


@pytest.mark.parametrize('colour, slope', [('white', 0), ('pink', -1)])
@pytest.mark.parametrize('num_samples', [160000, 79999])
def test_colours_have_their_spectrum(colour, slope, num_samples):
    noise = coloured_noise(
        num_samples, RATE_HZ, colour, np.random.default_rng(0)
    )
    assert noise.shape == (num_samples,) and noise.dtype == np.float32
    assert abs(power_slope(noise) - slope) < 0.05
    assert abs(noise.mean()) < 1e-4
    assert abs(np.sqrt(np.mean(noise**2)) - 1) < 1e-4
    # Gaussian: kurtosis 3.
    assert abs(np.mean(noise**4) - 3) < 0.1
    below = np.abs(np.fft.rfft(noise))[: int(20 * num_samples / RATE_HZ)]
    assert below.max() < 1e-2 * np.abs(np.fft.rfft(noise)).mean()


def test_pink_noise_has_equal_power_in_octaves():
    noise = coloured_noise(160000, RATE_HZ, 'pink', np.random.default_rng(1))
    power = np.abs(np.fft.rfft(noise)) ** 2
    frequency_hz = np.fft.rfftfreq(len(noise), 1 / RATE_HZ)
    octaves = [
        power[(frequency_hz >= low) & (frequency_hz < 2 * low)].sum()
        for low in (125, 250, 500, 1000, 2000, 4000)
    ]
    assert max(octaves) / min(octaves) < 1.2


def test_noise_of_any_length():
    generator = np.random.default_rng(0)
    for num_samples in (2, 3, 17):
        noise = coloured_noise(num_samples, RATE_HZ, 'pink', generator)
        assert np.isfinite(noise).all() and len(noise) == num_samples
    for num_samples in (0, 1):
        with pytest.raises(ValueError, match=f'2 samples, got {num_samples}'):
            coloured_noise(num_samples, RATE_HZ, 'pink', generator)


@pytest.mark.parametrize('colour', ['white', 'pink'])
@pytest.mark.parametrize('snr_db', [-5, 15, 40])
def test_ratio_of_signal_and_noise(colour, snr_db):
    clean = results_for('RandomNoise')['waveform'].astype(np.float64)
    noisy = augmented(
        'RandomNoise', 0, snr_db=(snr_db,) * 2, colours=[colour], prob=1
    )
    ratio = np.mean(clean**2) / np.mean((noisy - clean) ** 2)
    assert abs(10 * np.log10(ratio) - snr_db) < 0.01


def test_both_colours_are_drawn():
    clean = results_for('RandomNoise')['waveform']
    slopes = [
        power_slope(augmented('RandomNoise', seed, prob=1) - clean)
        for seed in range(12)
    ]
    assert all(min(abs(s), abs(s + 1)) < 0.1 for s in slopes)
    assert {round(-s) for s in slopes} == {0, 1}


@pytest.mark.parametrize('floor_dbfs', [-60, -80])
def test_noise_over_silence_has_a_level(floor_dbfs):
    silent = np.zeros(80000, np.float32)
    noise = coloured_noise(80000, RATE_HZ, 'white', np.random.default_rng(0))
    noisy = mix_at_snr(silent, noise, 15, floor_dbfs)
    level_dbfs = 10 * np.log10(np.mean(noisy.astype(np.float64) ** 2))
    assert abs(level_dbfs - (floor_dbfs - 15)) < 0.01
    # A clip at the floor and a silent one get the same noise.
    tone = 10 ** (floor_dbfs / 20) * np.resize(np.float32([1, -1]), 80000)
    assert np.allclose(mix_at_snr(tone, noise, 15, floor_dbfs) - tone, noisy)


def test_silence_with_noise_still_looks_silent():
    results = dict(
        waveform=np.zeros(80000, np.float32),
        sample_rate_hz=RATE_HZ,
        num_frames=NUM_FRAMES,
    )
    np.random.seed(0)
    noisy = build('RandomNoise', prob=1, snr_db=(15, 15))(results)
    rise = VGGishLogMel()(noisy)['log_mel'] - SILENCE
    assert 0 <= rise.min() and rise.max() < 1.6  # a loud sound is at 5 to 8


# ------------------------------------------------------------- time shift


def test_shift_by_hand():
    waveform = np.float32([1, 2, 3, 4])
    for shift, expected in {
        0: [1, 2, 3, 4],
        1: [0, 1, 2, 3],
        -1: [2, 3, 4, 0],
        3: [0, 0, 0, 1],
        -3: [4, 0, 0, 0],
        4: [0, 0, 0, 0],
        -9: [0, 0, 0, 0],
    }.items():
        assert shift_sound(waveform, shift).tolist() == expected


@pytest.mark.parametrize('sample_rate_hz', [8000, 16000])
def test_shifts_are_in_seconds_and_go_both_ways(sample_rate_hz):
    impulse = np.zeros(5 * sample_rate_hz, np.float32)
    impulse[len(impulse) // 2] = 1
    transform = build('RandomTimeShift', max_shift_s=0.2, prob=1)
    shifts_s = []
    np.random.seed(0)
    for _ in range(200):
        results = dict(waveform=impulse, sample_rate_hz=sample_rate_hz)
        moved = transform(results)['waveform']
        assert moved.sum() == 1
        shifts_s.append(moved.argmax() / sample_rate_hz - 2.5)
    assert -0.2 <= min(shifts_s) < -0.18 and 0.18 < max(shifts_s) <= 0.2
    assert abs(np.mean(shifts_s)) < 0.04


def test_the_end_is_not_heard_at_the_start():
    waveform = np.zeros(80000, np.float32)
    waveform[64000:] = 1  # only the fifth second sounds
    for seed in range(20):
        np.random.seed(seed)
        results = dict(waveform=waveform, sample_rate_hz=RATE_HZ)
        moved = build('RandomTimeShift', max_shift_s=0.4, prob=1)(results)
        assert not moved['waveform'][:48000].any()


# ------------------------------------------------------------ SpecAugment


def test_masks_by_hand():
    log_mel = np.arange(3 * 96 * 64, dtype=np.float32).reshape(3, 1, 96, 64)
    masks = Masks(windows=[(94, 98), (200, 200)], mel_bins=[(2, 5)])
    out = mask_log_mel(log_mel, masks, value=-1)
    expected = log_mel.copy()
    expected[0, 0, 94:] = -1  # through the border of two patches
    expected[1, 0, :2] = -1
    expected[:, :, :, 2:5] = -1  # in every patch
    assert np.array_equal(out, expected)
    with pytest.raises(ValueError, match=r'\(T, 1, 96, 64\).*\(3, 96, 64\)'):
        mask_log_mel(log_mel[:, 0], masks)


def test_masked_is_what_the_front_end_makes_of_silence():
    silent = vggish_log_mel(np.zeros(80000), NUM_FRAMES)
    assert np.all(silent == SILENCE)
    original = results_for('SpecAugment')['log_mel']
    out = augmented('SpecAugment', 1, prob=1)
    changed = out != original
    assert changed.any() and np.all(out[changed] == SILENCE)


def test_one_draw_for_all_patches_of_a_clip():
    original = results_for('SpecAugment')['log_mel']
    patches = set()
    for seed in range(40):
        changed = augmented('SpecAugment', seed, prob=1) != original
        grid = changed.reshape(NUM_FRAMES * 96, 64)
        windows = np.flatnonzero(grid.all(axis=1))
        bins = np.flatnonzero(grid.all(axis=0))
        # At most 0.15 s in one piece, at most 8 bins in one piece, no more.
        assert len(windows) <= 15 and len(bins) <= 8
        for found in (windows, bins):
            assert (np.diff(found) == 1).all()
        rest = np.delete(np.delete(grid, windows, 0), bins, 1)
        assert not rest.any()
        patches |= set(windows // 96)
    assert patches == set(range(NUM_FRAMES))


def test_every_frame_keeps_some_of_its_sound():
    arguments = dict(
        num_time_masks=3, max_time_mask_s=0.31, max_mel_mask_bins=63, prob=1
    )
    np.random.seed(0)
    transform = build('SpecAugment', **arguments)
    longest = 0
    for _ in range(500):
        log_mel = np.zeros((1, 1, 96, 64), np.float32)
        masked = transform(dict(log_mel=log_mel))['log_mel'] == SILENCE
        assert not masked.all()
        longest = max(longest, masked[0, 0].all(axis=1).sum())
    assert longest > 70


def test_ranges_are_drawn_as_by_torchaudio():
    """How often each window is masked, and how many at once."""
    count, max_width, size = 6000, 12, 40
    np.random.seed(0)
    torch.manual_seed(0)
    ours = np.zeros((count, size))
    for row, (start, stop) in zip(
        ours, draw_ranges(count, max_width, size), strict=True
    ):
        row[start:stop] = 1
    theirs = np.stack(
        [
            # Its widths go up to the parameter, which is left out.
            mask_along_axis(torch.zeros(1, 1, size), max_width + 1, 1.0, 2)
            .numpy()
            .ravel()
            for _ in range(count)
        ]
    )
    for masked in (ours, theirs):
        assert set(masked.sum(1)) == set(range(max_width + 1))
    widths = [
        np.bincount(masked.sum(1).astype(int)) / count
        for masked in (ours, theirs)
    ]
    assert np.abs(np.diff(widths, axis=0)).max() < 0.02
    # Where all widths reach; torchaudio rounds starts down and never masks
    # the last window. Ours are as likely at both ends. Standard error: 0.005.
    shares = ours.mean(0), theirs.mean(0)
    assert np.abs(np.diff(shares, axis=0))[:, 12:28].max() < 0.03
    assert np.abs(shares[0] - shares[0][::-1]).max() < 0.02
    assert ours[:, 0].any() and ours[:, -1].any()
