"""What is played to a clip under each sound condition."""

import copy

import numpy as np
import pytest
from avsbench_layout import save_audio, waveform_of

from mmavs.datasets import (
    DataError,
    LoadAudio,
    SoundCondition,
    VGGishLogMel,
    with_sound_condition,
)
from mmavs.datasets.sound_conditions import (
    PAIRED_RELATIONS,
    SOUND_CONDITIONS,
    TRUTH,
    Condition,
    condition_rng,
    parse_condition,
)
from mmavs.functional.log_mel import vggish_log_mel
from mmavs.functional.sounds import root_mean_square

RELATIONS = ('twin', 'swapped', 'same_class')
RATE_HZ, PATCH_SAMPLES = 16_000, 15_360
ALL = (
    *('matched', *RELATIONS, 'silence', 'white_noise', 'pink_noise'),
    *('white_noise@10dB', 'pink_noise@-5dB', 'off_screen@3dB'),
    *('shift@+1s', 'shift@-2s', 'shuffle'),
)


def with_pairs(clip, tmp_path, num_samples=20_000):
    paths = {}
    for relation in RELATIONS:
        paths[relation] = str(tmp_path / f'{relation}.wav')
        save_audio(paths[relation], waveform_of(relation, num_samples))
    return dict(clip, paired_audio_paths=paths)


def played(clip, condition='matched', **kwargs):
    results = LoadAudio()(dict(clip))
    return SoundCondition(condition, **kwargs)(results)['waveform']


def ratio_db(signal, mixture):
    added = mixture.astype(np.float64) - signal
    return 20 * np.log10(root_mean_square(signal) / root_mean_square(added))


# ------------------------------------------------------------------ names


@pytest.mark.parametrize(
    'text, expected',
    [
        ('matched', ('matched', None, 'matched')),
        ('same_class', ('same_class', None, 'same_class')),
        ('white_noise', ('white_noise', None, 'white_noise')),
        ('white_noise@10dB', ('white_noise', 10, 'white_noise@10dB')),
        ('white_noise@+10.0dB', ('white_noise', 10, 'white_noise@10dB')),
        ('pink_noise@-5.25dB', ('pink_noise', -5.25, 'pink_noise@-5.25dB')),
        ('off_screen', ('off_screen', 0, 'off_screen@0dB')),
        ('off_screen@-0dB', ('off_screen', 0, 'off_screen@0dB')),
        ('off_screen@100dB', ('off_screen', 100, 'off_screen@100dB')),
        ('shift@1s', ('shift', 1, 'shift@+1s')),
        ('shift@-2.000s', ('shift', -2, 'shift@-2s')),
        ('shift@+120.125s', ('shift', 120.125, 'shift@+120.125s')),
    ],
)
def test_texts(text, expected):
    condition = parse_condition(text)
    assert condition == Condition(*expected)
    assert parse_condition(condition.text) == condition


@pytest.mark.parametrize(
    'text',
    [
        *('loud', 'noise', '', 'Matched', 'silence ', 'white_noise@'),
        *('white_noise@1e2dB', 'pink_noise@nandB', 'shift@infs', 'shift@1'),
        *('off_screen@10', 'off_screen@1DB', 'shift@1s\n', 'shift@1.2345s'),
    ],
)
def test_unknown_texts_name_all_that_are_known(text):
    with pytest.raises(ValueError) as error:
        parse_condition(text)
    assert all(name in str(error.value) for name in TRUTH)
    assert str(error.value).endswith(f'got {text!r}')


@pytest.mark.parametrize(
    'text, message',
    [
        ('matched@1s', "matched takes no parameter, got 'matched@1s'"),
        ('shuffle@0dB', 'shuffle takes no parameter'),
        ('shift@1dB', "shift takes a number of s, got 'shift@1dB'"),
        ('white_noise@1s', 'white_noise takes a number of dB'),
        ('shift', "'shift' needs the seconds"),
        ('shift@-0.0s', 'moves nothing'),
        ('off_screen@100.5dB', 'within -100 and 100 dB'),
    ],
)
def test_parameters_that_do_not_fit(text, message):
    with pytest.raises(ValueError, match=message):
        parse_condition(text)
    with pytest.raises(ValueError, match=message):
        SoundCondition(text)


def test_what_truly_sounds():
    truth = {text: parse_condition(text).truth for text in ALL}
    assert truth == {
        'matched': 'matched',
        'twin': 'twin',
        'swapped': 'empty',
        'same_class': None,
        'silence': 'empty',
        'white_noise': 'empty',
        'pink_noise': 'empty',
        'white_noise@10dB': 'matched',
        'pink_noise@-5dB': 'matched',
        'off_screen@3dB': 'matched',
        'shift@+1s': None,
        'shift@-2s': None,
        'shuffle': None,
    }
    assert set(SOUND_CONDITIONS) == set(TRUTH) > set(PAIRED_RELATIONS)


def test_relations():
    needed = {text: parse_condition(text).relation for text in ALL}
    assert {k: v for k, v in needed.items() if v} == {
        'twin': 'twin',
        'swapped': 'swapped',
        'same_class': 'same_class',
        'off_screen@3dB': 'swapped',
    }


# ----------------------------------------------------------------- sounds


@pytest.mark.parametrize('condition', RELATIONS)
def test_paired_sound(clip, tmp_path, condition):
    clip = with_pairs(clip, tmp_path)
    results = SoundCondition(condition)(LoadAudio()(clip))
    path = str(tmp_path / f'{condition}.wav')
    expected = LoadAudio()(dict(audio_path=path))['waveform']
    assert np.array_equal(results['waveform'], expected)
    assert results['sound_condition'] == condition
    assert results['played_audio_path'] == path
    assert results['audio_path'].endswith('a.wav')


def test_matched_and_silence(clip):
    own = LoadAudio()(dict(clip))['waveform']
    assert np.array_equal(played(clip), own)
    muted = SoundCondition('silence')(LoadAudio()(dict(clip)))
    log_mel = VGGishLogMel()(muted)['log_mel']
    assert log_mel.shape == (5, 1, 96, 64)
    assert np.allclose(log_mel, np.log(0.01), atol=1e-6)


@pytest.mark.parametrize('colour', ['white', 'pink'])
def test_noise_in_the_place_of_the_sound(clip, colour):
    own = LoadAudio()(dict(clip))['waveform']
    noise = played(clip, f'{colour}_noise')
    assert noise.dtype == np.float32 and noise.shape == own.shape
    assert root_mean_square(noise) == pytest.approx(0.1, rel=1e-5)
    assert abs(np.corrcoef(noise, own)[0, 1]) < 0.02
    power = np.abs(np.fft.rfft(noise)) ** 2  # bins of 0.2 Hz
    low, high = power[625:6250].sum(), power[6250:37500].sum()
    # From 125 to 1250 to 7500 Hz: by bandwidth, or by octaves.
    expected = 1125 / 6250 if colour == 'white' else np.log(10) / np.log(6)
    assert low / high == pytest.approx(expected, rel=0.1)
    # Louder or softer: what is played in the place of a sound stays.
    save_audio(clip['audio_path'], 0.01 * waveform_of('same'))
    assert np.array_equal(played(clip, f'{colour}_noise'), noise)


@pytest.mark.parametrize('level', [1, 0.01])
@pytest.mark.parametrize(
    'name, value',
    [('white_noise', 10), ('pink_noise', -5), ('off_screen', 3)],
)
def test_ratio_over_the_clip(clip, tmp_path, name, value, level):
    clip = with_pairs(clip, tmp_path)
    save_audio(clip['audio_path'], level * waveform_of('same'))
    own = played(clip)
    mixture = played(clip, f'{name}@{value}dB')
    assert mixture.dtype == np.float32
    assert abs(ratio_db(own, mixture) - value) < 0.02


def test_off_screen_is_the_sound_of_the_swapped_clip(clip, tmp_path):
    clip = with_pairs(clip, tmp_path)
    own, other = played(clip), played(clip, 'swapped')
    results = SoundCondition('off_screen')(LoadAudio()(dict(clip)))
    added = results['waveform'] - own
    expected = np.resize(other, len(own))  # shorter, hence repeated
    assert np.corrcoef(added, expected)[0, 1] > 0.9999
    assert results['sound_condition'] == 'off_screen@0dB'
    # An error of the front end is about the clip's own file.
    assert 'played_audio_path' not in results


def test_a_silent_clip_has_no_ratio(clip, tmp_path):
    """It counts as one at -60 dBFS; silence that is added stays silent."""
    clip = with_pairs(clip, tmp_path)
    save_audio(clip['audio_path'], np.zeros(80_000))
    for condition in ('white_noise@10dB', 'off_screen@10dB'):
        level = root_mean_square(played(clip, condition))
        assert 20 * np.log10(level) == pytest.approx(-70, abs=0.01)
    save_audio(clip['audio_path'], waveform_of('same'))
    save_audio(tmp_path / 'swapped.wav', np.zeros(80_000))
    assert np.array_equal(played(clip, 'off_screen'), played(clip))


@pytest.mark.parametrize('seconds', [1, -2, 0.5])
def test_shift(clip, seconds):
    own, moved = played(clip), played(clip, f'shift@{seconds:+g}s')
    assert len(moved) == len(own)
    for at_s in (0, 1.25, 4.999):
        place = round((at_s + seconds) * RATE_HZ) % len(own)
        assert moved[place] == own[round(at_s * RATE_HZ)]
    assert np.array_equal(np.sort(moved), np.sort(own))


def test_a_clip_that_is_too_short(clip):
    save_audio(clip['audio_path'], waveform_of('same', 30_959))
    with pytest.raises(ValueError, match="'same' under shift.*30959.*48000"):
        played(clip, 'shift@+3s')
    with pytest.raises(ValueError, match="'same'.*at least 2.*got 1"):
        played(clip, 'shuffle')


@pytest.mark.parametrize('num_samples', [80_000, 61_679, 30_960])
@pytest.mark.parametrize('num_frames', [5, 3])
def test_shuffle_moves_every_frame(clip, num_samples, num_frames):
    """Of what is too short only the patches that there are."""
    save_audio(clip['audio_path'], waveform_of('same', num_samples))
    clip = dict(clip, num_frames=num_frames)
    own, mixed = played(clip), played(clip, 'shuffle')
    count = min(len(vggish_log_mel(own)), num_frames)
    end = count * PATCH_SAMPLES
    blocks, others = (
        [x[i : i + PATCH_SAMPLES].tobytes() for i in range(0, end, 15_360)]
        for x in (own, mixed)
    )
    assert sorted(blocks) == sorted(others)
    assert all(a != b for a, b in zip(blocks, others))
    assert np.array_equal(own[end:], mixed[end:])
    seeds = {played(clip, 'shuffle', seed=s).tobytes() for s in range(8)}
    assert len(seeds) > 1 or count == 2


# ------------------------------------------------------------- randomness


@pytest.mark.parametrize('condition', ALL)
def test_deterministic(clip, tmp_path, condition):
    """Seed, clip and condition decide, and no other generator is touched."""
    clip = with_pairs(clip, tmp_path)
    np.random.seed(0)
    first = played(clip, condition)
    np.random.seed(1)
    state = np.random.get_state()[1].copy()
    assert np.array_equal(played(clip, condition), first)
    assert np.array_equal(np.random.get_state()[1], state)
    assert first.dtype == np.float32
    is_random = 'noise' in condition or condition == 'shuffle'
    others = [
        *(played(clip, condition, seed=seed) for seed in (1, 2, 3)),
        *(
            played(dict(clip, video_id=f'{i}'), condition, seed=0)
            for i in range(3)
        ),
    ]
    same = [np.array_equal(other, first) for other in others]
    assert not all(same) if is_random else all(same)
    assert condition == 'matched' or not np.array_equal(first, played(clip))


def test_one_noise_at_every_ratio(clip):
    own = played(clip)
    alone = played(clip, 'white_noise')
    for value in (0, 20):
        added = played(clip, f'white_noise@{value}dB') - own
        assert np.corrcoef(added, alone)[0, 1] > 0.999


def test_streams():
    """No pair of arguments shares the numbers of another one."""
    keys = [(0, 'a', 'b'), (1, 'a', 'b'), (0, 'b', 'a'), (0, 'a', 'c')]
    keys += [(0, '1', 'b'), (1, '', 'b'), (0, '\udce9', 'b')]
    numbers = {int(condition_rng(*key).integers(2**62)) for key in keys}
    assert len(numbers) == len(keys)
    # What was drawn once stays drawn.
    assert condition_rng(0, '-x', 'shuffle').integers(10**9) == 887672520


# ------------------------------------------------------------------ errors


def test_clips_without_the_pair(clip, tmp_path):
    for condition in RELATIONS:
        message = f"'same' under {condition}.*no '{condition}' pair"
        with pytest.raises(ValueError, match=message):
            played(clip, condition)
    with pytest.raises(
        ValueError, match="'same' under off_screen@0dB.*'swapped'.*pairs_file"
    ):
        played(clip, 'off_screen')
    paired = with_pairs(clip, tmp_path)
    del paired['paired_audio_paths']['same_class']
    assert len(played(paired, 'twin')) == 20_000
    with pytest.raises(ValueError, match=r"only \['swapped', 'twin'\]"):
        played(paired, 'same_class')


def test_sound_of_a_pair_that_is_too_short(clip, tmp_path):
    paired = with_pairs(clip, tmp_path)
    save_audio(tmp_path / 'twin.wav', np.zeros(100))
    results = SoundCondition('twin')(LoadAudio()(paired))
    with pytest.raises(DataError, match='twin.wav.*15600'):
        VGGishLogMel()(results)


# ---------------------------------------------------------------- pipeline


def test_with_sound_condition():
    pipeline = [
        dict(type='ClipTransform', transforms=[]),
        dict(type='LoadAudio', backend_args=dict(backend='local')),
        dict(type='VGGishLogMel'),
    ]
    before = copy.deepcopy(pipeline)
    silent = with_sound_condition(pipeline, 'silence')
    assert pipeline == before
    assert [step['type'] for step in silent] == [
        'ClipTransform',
        'LoadAudio',
        'SoundCondition',
        'VGGishLogMel',
    ]
    assert silent[2]['condition'] == 'silence' and silent[2]['seed'] == 0
    assert silent[2]['backend_args'] == dict(backend='local')
    mixed = with_sound_condition(silent, 'off_screen', seed=7)
    assert len(mixed) == 4
    assert mixed[2]['condition'] == 'off_screen@0dB' and mixed[2]['seed'] == 7
    assert silent[2]['condition'] == 'silence' and silent[2]['seed'] == 0
    for loader in (LoadAudio, 'mmseg.LoadAudio'):
        changed = with_sound_condition([dict(type=loader)], 'silence')
        assert changed[1]['type'] == 'SoundCondition'
    with pytest.raises(ValueError, match="LoadAudio.*'VGGishLogMel'"):
        with_sound_condition([dict(type='VGGishLogMel')], 'silence')
    with pytest.raises(ValueError, match="got 'loud'"):
        with_sound_condition(pipeline, 'loud')


def test_repr():
    value = repr(SoundCondition('shift@1s', seed=3))
    assert value == (
        "SoundCondition(condition='shift@+1s', seed=3, backend_args=None)"
    )
