"""Clips that are heard with a sound that nothing in them makes."""

from __future__ import annotations

import copy
import json
import random
from collections import Counter

import numpy as np
import pytest
import torch
from avsbench_layout import NUM_FRAMES, save_audio, waveform_of
from mmcv.transforms.utils import cache_random_params
from mmengine.dataset import ConcatDataset, InfiniteSampler
from mmseg.datasets import MultiImageMixDataset
from mmseg.registry import DATASETS, TRANSFORMS
from scipy.signal import welch

from mmavs.datasets import (
    AVSBenchS4Dataset,
    DataError,
    MissingDataError,
    NegativeSound,
    NegativeSounds,
    SameLengthBatchSampler,
    VGGishLogMel,
)
from mmavs.datasets.off_screen_sounds import (
    ClipClasses,
    OffScreenSounds,
    classes_of_columns,
    classes_of_entry,
)
from mmavs.datasets.synthetic import write_synthetic_avsbench
from mmavs.datasets.transforms.load_audio import load_waveform
from mmavs.datasets.transforms.negative_kinds import (
    DEFAULT_KINDS,
    FOREIGN,
    NEGATIVE_KINDS,
    check_kinds,
    draw_name,
)
from mmavs.datasets.transforms.pack_avs_inputs import digest_array
from mmavs.functional.log_mel import vggish_log_mel

RATE_HZ = 16000
PATCH = 15360
NUM_TRAIN = 24
PIPELINE = [
    dict(
        type='ClipTransform',
        transforms=[
            dict(type='LoadFrame'),
            dict(type='LoadAVSMask'),
            dict(type='Resize', scale=(32, 32), keep_ratio=False),
        ],
    ),
    dict(type='LoadAudio'),
    dict(type='VGGishLogMel'),
    dict(type='PackAVSInputs'),
]
SETTINGS = dict(
    s4=('AVSBenchS4Dataset', 'Single-source'),
    ms3=('AVSBenchMS3Dataset', 'Multi-sources'),
    avss=('AVSBenchSemanticDataset', 'AVSBench-semantic'),
)


@pytest.fixture(scope='module')
def negatives_root(tmp_path_factory):
    """A synthetic set in which every clip has a stranger."""
    root = tmp_path_factory.mktemp('negatives')
    for subset in SETTINGS:
        clips = dict(train=NUM_TRAIN, val=0, test=0)
        write_synthetic_avsbench(root, subset, clips, seed=5)
    return root


def plain(root, subset='s4'):
    name, folder = SETTINGS[subset]
    return dict(
        type=name,
        data_root=str(root / folder),
        split='train',
        pipeline=copy.deepcopy(PIPELINE),
    )


def wrapped(root, subset='s4', **kwargs):
    kwargs = dict(dict(clips_file='clips.json'), **kwargs)
    return NegativeSounds(plain(root, subset), **kwargs)


def only(kind, foreign=None):
    """Weights of one kind, which puts in nothing but ``foreign``."""
    return {kind: 1.0} if foreign is None else {kind: 1e9, foreign: 1e-9}


def results_for(num_frames=NUM_FRAMES, num_samples=80000, labels=(0, 1, 255)):
    """A clip as it reaches the transform; pixel 2 has no label."""
    mask = np.array([labels], np.uint8)
    return dict(
        video_id='clip',
        num_frames=num_frames,
        waveform=waveform_of('sound', num_samples),
        sample_rate_hz=RATE_HZ,
        frames=[dict(gt_seg_map=mask.copy()) for _ in range(num_frames)],
    )


def changed(kinds, seed=0, results=None, **kwargs):
    np.random.seed(seed)
    results = results_for() if results is None else results
    return NegativeSound(1.0, kinds, **kwargs)(results)


def emptied(results):
    """Which frames have lost their mask; the label 255 must have stayed."""
    masks = np.stack([frame['gt_seg_map'] for frame in results['frames']])
    assert masks.dtype == np.uint8
    assert (masks[..., 0] == 0).all() and (masks[..., 2] == 255).all()
    return (masks[..., 1] == 0).ravel()


def level_db(waveform):
    return 10 * np.log10(np.mean(np.square(waveform, dtype=np.float64)))


@pytest.fixture
def off_screen(tmp_path):
    """Sounds for the clip 'clip': of the two others, one fits."""
    classes = dict(
        clip=ClipClasses(frozenset('a'), frozenset('a')),
        same=ClipClasses(frozenset('b'), frozenset('ab')),
        other=ClipClasses(frozenset('c'), frozenset('bc')),
    )
    for video_id in classes:
        save_audio(tmp_path / f'{video_id}.wav', waveform_of(video_id))
    return OffScreenSounds(
        classes, {v: str(tmp_path / f'{v}.wav') for v in classes}
    )


# ------------------------------------------------------ what is off screen


def test_columns_tell_the_classes():
    assert classes_of_columns(dict(category='dog')) == ClipClasses(
        frozenset(['dog']), frozenset(['dog'])
    )
    two = frozenset(['dog', 'lawn-mower'])
    assert classes_of_columns(dict(objects='dog_lawn-mower')) == (
        ClipClasses(two, two)
    )
    # What is off the screen may be anything.
    assert classes_of_columns(dict(objects='dog_off-the-screen')) == (
        ClipClasses(frozenset(['dog']), None)
    )
    assert classes_of_columns(dict(video_id='of MS3')) is None


def test_entries_tell_what_is_seen_and_heard():
    entry = dict(
        objects=[dict(species='a'), dict(species='b')],
        sounding=[['a'], []],
        off_screen=[[], ['c']],
    )
    expected = ClipClasses(frozenset('ab'), frozenset('ac'))
    assert classes_of_entry(entry) == expected
    del entry['off_screen']
    assert classes_of_entry(entry).heard == frozenset('a')


def test_no_sound_of_what_is_seen_nor_an_unknown_or_no_sound(off_screen):
    generator = np.random.default_rng(0)
    drawn = {off_screen.draw('clip', generator) for _ in range(20)}
    assert drawn == {off_screen.paths[2]}
    drawn = {off_screen.draw('other', generator) for _ in range(50)}
    assert drawn == set(off_screen.paths[:2])

    seen = frozenset('a')
    classes = dict(
        one=ClipClasses(seen, seen),
        unknown=ClipClasses(frozenset('z'), None),
        silent=ClipClasses(frozenset('z'), frozenset()),
    )
    with pytest.raises(DataError, match="clip 'one', which shows .'a'.*3 cl"):
        OffScreenSounds(classes, dict.fromkeys(classes, ''))


# ---------------------------------------------------------------- the kinds


@pytest.mark.parametrize('kind', FOREIGN)
def test_nothing_that_is_heard_is_seen(kind, off_screen):
    results = results_for()
    own = results['waveform'].copy()
    out = changed(only(kind), results=results, off_screen=off_screen)
    assert emptied(out).all()
    assert out['negative_sound'] == kind
    assert out['waveform'].shape == own.shape
    assert out['waveform'].dtype == np.float32
    if kind == 'silence':
        assert not out['waveform'].any()
    else:
        assert out['waveform'].any()
        assert abs(np.corrcoef(own, out['waveform'])[0, 1]) < 0.02


def test_levels_and_spectra_of_noise():
    for kind, slope in (('white_noise', 0.0), ('pink_noise', -1.0)):
        levels = []
        for seed in range(20):
            out = changed(only(kind), seed, noise_dbfs=(-30, -20))
            levels.append(level_db(out['waveform']))
        assert -30.01 < min(levels) < -27 and -23 < max(levels) < -19.99
        frequency_hz, power = welch(out['waveform'], RATE_HZ, nperseg=1024)
        heard = (frequency_hz > 100) & (frequency_hz < 7000)
        fit = np.polyfit(np.log(frequency_hz[heard]), np.log(power[heard]), 1)
        assert fit[0] == pytest.approx(slope, abs=0.1)


def test_off_screen_is_the_sound_of_the_other_clip(off_screen):
    out = changed(only('off_screen'), off_screen=off_screen)
    other = load_waveform(off_screen.paths[2], RATE_HZ)
    np.testing.assert_array_equal(out['waveform'], other)
    # A clip twice as long hears it twice.
    long = results_for(10, 160000)
    out = changed(only('off_screen'), results=long, off_screen=off_screen)
    np.testing.assert_array_equal(out['waveform'], np.tile(other, 2))


@pytest.mark.parametrize('foreign', FOREIGN[1:])
def test_mixed_keeps_the_masks_at_the_ratio(foreign, off_screen):
    for seed, snr_db in enumerate((-5.0, 0.0, 12.0)):
        out = changed(
            only('mixed', foreign),
            seed,
            snr_db=(snr_db, snr_db),
            off_screen=off_screen,
        )
        own = waveform_of('sound')
        assert not emptied(out).any()
        added = out['waveform'] - own
        ratio = level_db(own) - level_db(added)
        assert ratio == pytest.approx(snr_db, abs=0.05)


def test_ratios_fill_their_range():
    own = waveform_of('sound')
    ratios = [
        level_db(own)
        - level_db(changed(only('mixed', 'white_noise'), s)['waveform'] - own)
        for s in range(40)
    ]
    assert -5.1 < min(ratios) < -2 and 12 < max(ratios) < 15.1


@pytest.mark.parametrize('foreign', FOREIGN)
def test_partial_empties_the_frames_whose_sound_went(foreign, off_screen):
    own = waveform_of('sound')
    before = vggish_log_mel(own, NUM_FRAMES)
    counts = Counter()
    for seed in range(12):
        out = changed(only('partial', foreign), seed, off_screen=off_screen)
        gone = emptied(out)
        counts[gone.sum()] += 1
        for t in range(NUM_FRAMES):
            part = slice(t * PATCH, (t + 1) * PATCH)
            same = np.array_equal(out['waveform'][part], own[part])
            assert same != gone[t]
            # So hears the front end, but for the overlap of its windows.
            after = vggish_log_mel(out['waveform'], NUM_FRAMES)
            patch = np.array_equal(after[t][:94], before[t][:94])
            assert patch != gone[t]
        rest = slice(NUM_FRAMES * PATCH, None)
        np.testing.assert_array_equal(out['waveform'][rest], own[rest])
    assert set(counts) <= {1, 2, 3, 4} and len(counts) > 1


def test_partial_of_a_clip_with_too_little_sound():
    """The frames without a patch of their own hear the last one."""
    seen = set()
    for seed in range(30):
        results = results_for(num_samples=2 * PATCH + 300)
        gone = emptied(
            changed(only('partial', 'silence'), seed, results=results)
        )
        assert gone[1] == gone[2] == gone[3] == gone[4] != gone[0]
        seen.add(bool(gone[0]))
    assert seen == {True, False}


def test_classes_become_background():
    results = results_for(labels=(0, 7, 255))
    assert emptied(changed(dict(silence=1), results=results)).all()


def test_clips_without_masks():
    results = results_for()
    for frame in results['frames']:
        del frame['gt_seg_map']
    out = changed(dict(silence=1), results=results)
    assert not out['waveform'].any()
    assert all('gt_seg_map' not in frame for frame in out['frames'])


# ------------------------------------------------------------------ chances


def test_share_and_weights(off_screen):
    np.random.seed(0)
    transform = NegativeSound(0.25, DEFAULT_KINDS, off_screen=off_screen)
    drawn = [transform._draw({}) for _ in range(8000)]
    chosen = [d for d in drawn if d is not None]
    assert len(chosen) / 8000 == pytest.approx(0.25, abs=0.025)
    counts = Counter(d.kind for d in chosen)
    for kind, weight in DEFAULT_KINDS.items():
        assert counts[kind] / len(chosen) == pytest.approx(
            weight / 8, abs=0.04
        )
    # What comes in is among the kinds, by its weight.
    for kind, choices in (('partial', FOREIGN), ('mixed', FOREIGN[1:])):
        inside = Counter(d.foreign for d in chosen if d.kind == kind)
        assert set(inside) == set(choices)
        assert max(inside, key=inside.get) == 'off_screen'
    assert all(d.foreign == d.kind for d in chosen if d.kind in FOREIGN)


def test_a_clip_that_is_not_chosen_stays_as_it_is():
    results = results_for()
    waveform = results['waveform']
    out = NegativeSound(0, dict(silence=1))(results)
    assert out['waveform'] is waveform and not emptied(out).any()
    assert not {'negative_sound', 'audio_augmented'} & set(out)


def test_draws_come_from_the_generator_of_numpy(off_screen):
    random.seed(0)
    torch.manual_seed(0)
    before = random.getstate(), torch.get_rng_state()
    kinds = only('partial', 'pink_noise')
    first, same, other = (changed(kinds, seed) for seed in (3, 3, 4))
    assert np.array_equal(first['waveform'], same['waveform'])
    assert not np.array_equal(first['waveform'], other['waveform'])
    assert random.getstate() == before[0]
    assert torch.equal(torch.get_rng_state(), before[1])


def test_draws_can_be_kept_for_several_clips():
    transform = NegativeSound(1, only('partial', 'white_noise'))
    with cache_random_params(transform):
        kept = [transform(results_for())['waveform'] for _ in range(2)]
    assert np.array_equal(*kept)
    free = [transform(results_for())['waveform'] for _ in range(2)]
    assert not np.array_equal(*free)


def test_the_input_is_not_written_to():
    results = results_for()
    given = results['waveform']
    given.flags.writeable = False
    for frame in results['frames']:
        frame['gt_seg_map'].flags.writeable = False
    for kind in ('silence', 'mixed', 'partial'):
        changed(
            only(kind, 'white_noise'), results=dict(results, waveform=given)
        )


# ------------------------------------------------------------------- errors


@pytest.mark.parametrize(
    'arguments, message',
    [
        (dict(kinds=dict(quiet=1)), r"among .*'silence'.*got \['quiet'\]"),
        (dict(kinds={}), 'not all of them 0, got {}'),
        (dict(kinds=dict(silence=0)), 'not all of them 0'),
        (dict(kinds=dict(silence=-1)), 'at least 0'),
        (dict(kinds=dict(silence=float('nan'))), 'finite'),
        (dict(kinds=dict(partial=1)), "'partial' .*'silence', 'white"),
        (dict(kinds=dict(mixed=1, silence=1)), "'mixed' .*one of .'white"),
        (dict(kinds=dict(off_screen=1)), "'off_screen' needs clips"),
        (dict(share=1.5), r'share must be in \[0, 1\], got 1.5'),
        (dict(share=float('nan')), 'share must be'),
        (dict(snr_db=(5, -5)), r'snr_db.*got \(5, -5\)'),
        (dict(noise_dbfs=-20), 'noise_dbfs must be .*got -20'),
    ],
)
def test_nonsense_is_refused(arguments, message):
    arguments = dict(dict(share=0.5, kinds=dict(silence=1)), **arguments)
    with pytest.raises(ValueError, match=message):
        NegativeSound(**arguments)


def test_weights_are_brought_to_a_sum_of_one():
    kinds = check_kinds(dict(partial=2, silence=6, white_noise=0))
    assert kinds == dict(silence=0.75, partial=0.25)
    assert [draw_name(kinds, v) for v in (0, 0.74, 0.76, 1 - 1e-9)] == [
        'silence',
        'silence',
        'partial',
        'partial',
    ]
    assert set(DEFAULT_KINDS) == set(NEGATIVE_KINDS)


@pytest.mark.parametrize(
    'missing, message',
    [
        ('frames', "clip 'clip' has no frames yet: put ClipTransform before"),
        ('waveform', "clip 'clip' has no waveform: put NegativeSound after"),
    ],
)
def test_place_in_the_pipeline(missing, message):
    results = results_for()
    del results[missing]
    with pytest.raises(ValueError, match=message):
        changed(dict(silence=1), results=results)


def test_log_mels_are_refused():
    results = VGGishLogMel()(results_for())
    with pytest.raises(ValueError, match="'clip' is a log-mel already"):
        changed(dict(silence=1), results=results)


def test_repr_tells_the_settings():
    transform = TRANSFORMS.build(
        dict(type='NegativeSound', share=0.125, kinds=dict(silence=2))
    )
    assert repr(transform) == (
        "NegativeSound(share=0.125, kinds={'silence': 1.0}, "
        'snr_db=(-5.0, 15.0), noise_dbfs=(-40.0, -10.0), backend_args=None)'
    )


# -------------------------------------------------------------- the wrapper


def masks_of(packed):
    return packed['data_samples'].gt_sem_seg.data


@pytest.mark.parametrize('subset', SETTINGS)
def test_wrapped(negatives_root, subset):
    """In all settings: as many clips, some of them quiet, the rest alike."""
    original = DATASETS.build(plain(negatives_root, subset))
    dataset = DATASETS.build(
        dict(
            type='NegativeSounds',
            dataset=plain(negatives_root, subset),
            clips_file='clips.json',
            share=0.5,
            kinds=dict(silence=1, off_screen=1),
        )
    )
    assert len(dataset) == len(original) == NUM_TRAIN
    assert dataset.metainfo == original.metainfo
    np.random.seed(0)
    num_negative = 0
    for i, before in enumerate(original):
        after = dataset[i]
        assert dataset.get_data_info(i) == original.get_data_info(i)
        old, new = masks_of(before), masks_of(after)
        assert torch.equal(
            before['inputs']['frames'], after['inputs']['frames']
        )
        log_mel = after['inputs']['log_mel']
        if torch.equal(log_mel, before['inputs']['log_mel']):
            assert torch.equal(old, new)
            continue
        num_negative += 1
        assert torch.equal(old == 255, new == 255)
        assert not new[new != 255].any()
    assert 5 <= num_negative <= 19


def test_what_is_off_the_screen_of_a_synthetic_clip(negatives_root):
    """Of no species in view, sounding there or not; S4's category misses."""
    root = negatives_root / SETTINGS['s4'][1]
    clips = json.loads((root / 'clips.json').read_text())
    dataset = wrapped(negatives_root)
    infos = [dataset.get_data_info(i) for i in range(NUM_TRAIN)]
    by_path = {info['audio_path']: info['video_id'] for info in infos}
    negative = next(
        step
        for step in dataset.dataset.pipeline.transforms
        if isinstance(step, NegativeSound)
    )
    generator = np.random.default_rng(0)
    seen_elsewhere = set()
    for info in infos:
        in_view = {o['species'] for o in clips[info['video_id']]['objects']}
        for _ in range(10):
            path = negative.off_screen.draw(info['video_id'], generator)
            other = by_path[path]
            heard = {n for s in clips[other]['sounding'] for n in s}
            assert heard and not heard & in_view
            seen_elsewhere.add(other)
    assert len(seen_elsewhere) > NUM_TRAIN // 2

    # By category alone, what is seen and silent may be heard.
    by_category = wrapped(negatives_root, clips_file=None)
    assert len(by_category[0]['inputs']['log_mel']) == NUM_FRAMES


def test_keys_of_embeddings(negatives_root):
    """A key is that of what is heard; there is none for a random sound."""
    original = DATASETS.build(plain(negatives_root))
    own = original[3]['data_samples'].audio_key
    keys = {}
    for kind in ('silence', 'pink_noise', 'off_screen', 'partial'):
        kinds = only(kind, 'silence' if kind == 'partial' else None)
        packed = NegativeSounds(original, share=1, kinds=kinds)[3]
        key = packed['data_samples'].get('audio_key')
        if key is not None:
            log_mel = packed['inputs']['log_mel'].numpy()
            assert key == digest_array(log_mel) != own
        keys[kind] = key
    assert keys['silence'] and keys['off_screen']
    assert keys['pink_noise'] is keys['partial'] is None
    untouched = NegativeSounds(original, share=0)[3]
    assert untouched['data_samples'].audio_key == own


def test_below_a_mix(negatives_root):
    inner = plain(negatives_root)
    packing = [inner['pipeline'].pop() for _ in range(2)][::-1]
    mix = MultiImageMixDataset(
        dict(
            type='NegativeSounds',
            dataset=inner,
            share=1.0,
            kinds=dict(silence=1),
        ),
        packing,
    )
    assert len(mix) == NUM_TRAIN
    packed = mix[0]
    assert not (masks_of(packed) == 1).any()
    assert len(packed['inputs']['log_mel'].unique()) == 1


def test_parts_of_several_sets(negatives_root):
    ms3 = dict(plain(negatives_root, 'ms3'))
    parts = [
        dict(type='NegativeSounds', dataset=part, share=1, kinds=kinds)
        for part, kinds in (
            (plain(negatives_root), dict(off_screen=1)),
            (ms3, dict(silence=1)),
        )
    ]
    both = ConcatDataset(parts)
    assert len(both) == 2 * NUM_TRAIN
    for i in (0, NUM_TRAIN):
        assert not (masks_of(both[i]) == 1).any()
    with pytest.raises(TypeError, match='parts of a ConcatDataset, got a Con'):
        NegativeSounds(both)


def test_batches_of_one_length(negatives_root):
    dataset = wrapped(negatives_root, 'avss', share=1)
    lengths = {dataset.get_data_info(i)['num_frames'] for i in range(24)}
    assert lengths == {5, 10}
    sampler = InfiniteSampler(dataset, shuffle=True, seed=0)
    batches = iter(SameLengthBatchSampler(sampler, 2))
    for _ in range(8):
        sizes = {
            tuple(dataset[i]['inputs']['log_mel'].shape) for i in next(batches)
        }
        assert len(sizes) == 1


def test_a_given_data_set_stays_as_it_is(negatives_root):
    original = DATASETS.build(plain(negatives_root))
    steps = list(original.pipeline.transforms)
    NegativeSounds(original, share=1, kinds=dict(silence=1))
    assert original.pipeline.transforms == steps
    assert (masks_of(original[0]) == 1).any()


def test_lazily(negatives_root):
    dataset = wrapped(negatives_root, lazy_init=True, share=1)
    assert not dataset.dataset._fully_initialized
    assert dataset.metainfo['classes'] == ('background', 'sounding')
    assert len(dataset) == NUM_TRAIN  # reads the clips
    assert dataset[0] is not None


def test_augmentation_comes_after(negatives_root):
    """The gain of a pipeline also changes the sound that came in."""
    inner = plain(negatives_root)
    gain = dict(type='RandomGain', gain_db=(20, 20), prob=1)
    inner['pipeline'].insert(2, gain)
    loud = NegativeSounds(inner, share=1, kinds=dict(off_screen=1))
    np.random.seed(0)
    loud = loud[0]['inputs']['log_mel']
    soft = wrapped(
        negatives_root, clips_file=None, share=1, kinds=dict(off_screen=1)
    )
    np.random.seed(0)
    soft = soft[0]['inputs']['log_mel']
    assert loud.mean() > soft.mean() + 0.5


def test_ms3_has_no_classes(negatives_root):
    with pytest.raises(ValueError, match="AVSBenchMS3Dataset.*'off_screen'"):
        wrapped(negatives_root, 'ms3', clips_file=None)
    kinds = {k: w for k, w in DEFAULT_KINDS.items() if k != 'off_screen'}
    wrapped(negatives_root, 'ms3', clips_file=None, kinds=kinds, share=1)[0]


def test_file_with_the_clips(negatives_root, tmp_path):
    clips = tmp_path / 'clips.json'
    with pytest.raises(MissingDataError, match=f'{clips} does not.*names it'):
        wrapped(negatives_root, clips_file=str(clips))
    for content, message in (
        ('{', 'is not a JSON file'),
        ('[]', 'must hold an object .*got a list'),
        ('{}', "does not tell the objects and what sounds in clip '"),
    ):
        clips.write_text(content)
        with pytest.raises(DataError, match=message):
            wrapped(negatives_root, clips_file=str(clips))


def test_what_cannot_be_wrapped(negatives_root):
    inner = plain(negatives_root)
    del inner['pipeline'][1]
    with pytest.raises(ValueError, match="LoadAudio.*'ClipTransform'"):
        NegativeSounds(inner)
    with pytest.raises(TypeError, match='got a list'):
        NegativeSounds([])
    lazy = AVSBenchS4Dataset('train', data_root='nowhere', lazy_init=True)
    with pytest.raises(ValueError, match='LoadAudio'):
        NegativeSounds(lazy)
