"""Whose sound the sound conditions play, and that nothing gives it away."""

import json
import types

import numpy as np
import pytest
from avsbench_layout import save_audio
from mmengine.dataset import ConcatDataset
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from mmavs.datasets import (
    AVSBenchMS3Dataset,
    AVSBenchS4Dataset,
    AVSBenchSemanticDataset,
    DataError,
    with_sound_condition,
)
from mmavs.datasets.layout import LAYOUTS, write_clips
from mmavs.datasets.sound_pairs import make_sound_pairs, write_sound_pairs
from mmavs.datasets.synthetic import find_sound_pairs, plan_clips, render_clip

CATEGORIES = ('cat', 'dog', 'owl')
DATASETS = dict(
    s4=AVSBenchS4Dataset,
    ms3=AVSBenchMS3Dataset,
    avss=AVSBenchSemanticDataset,
)


def make_dataset(root, setting, rows, **kwargs):
    """A data set of which only the list of clips is there."""
    layout = LAYOUTS[setting]
    defaults = dict(split='test', subset='v1m', source='', start='0')
    rows = [dict(defaults, s_min='0', s_sec='0', **row) for row in rows]
    (root / layout.csv_name).write_bytes(write_clips(layout, rows))
    labels = {name: i for i, name in enumerate(('background', *CATEGORIES))}
    (root / 'label2idx.json').write_text(json.dumps(labels))
    options = dict(data_root=str(root), split='test', serialize_data=False)
    return DATASETS[setting](**options, **kwargs)


def s4_rows(count=30):
    return [
        dict(video_id=f'-{i}', category=CATEGORIES[i % 3])
        for i in range(count)
    ]


# --------------------------------------------------------- any data set


def test_pairs_by_category(tmp_path):
    rows = s4_rows()
    pairs = make_sound_pairs(make_dataset(tmp_path, 's4', rows))
    category = {row['video_id']: row['category'] for row in rows}
    assert set(pairs) == set(category)
    for video_id, pair in pairs.items():
        assert set(pair) == {'swapped', 'same_class'}
        assert category[pair['swapped']] != category[video_id]
        assert category[pair['same_class']] == category[video_id]
        assert pair['same_class'] != video_id
    # Many take part, from both other categories.
    assert len({pair['swapped'] for pair in pairs.values()}) > 12
    assert len({pair['same_class'] for pair in pairs.values()}) > 12
    heard = {(category[v], category[p['swapped']]) for v, p in pairs.items()}
    assert len(heard) == 6


def test_pairs_are_deterministic(tmp_path):
    rows = s4_rows()
    pairs = make_sound_pairs(make_dataset(tmp_path, 's4', rows))
    assert make_sound_pairs(make_dataset(tmp_path, 's4', rows)) == pairs
    # The order of the list has no say.
    shuffled = make_dataset(tmp_path, 's4', rows[::-1], lazy_init=True)
    assert make_sound_pairs(shuffled) == pairs
    others = make_sound_pairs(shuffled, seed=1)
    assert set(others) == set(pairs) and others != pairs


def test_category_of_one_clip(tmp_path):
    rows = [*s4_rows(2), dict(video_id='x', category='cat')]
    pairs = make_sound_pairs(make_dataset(tmp_path, 's4', rows))
    assert pairs == {
        '-0': dict(swapped='-1', same_class='x'),
        '-1': dict(swapped=pairs['-1']['swapped']),
        'x': dict(swapped='-1', same_class='-0'),
    }
    alone = make_dataset(tmp_path, 's4', s4_rows(1))
    assert make_sound_pairs(alone) == {'-0': {}}


def test_without_classes_any_other_clip(tmp_path):
    rows = [dict(video_id=name) for name in 'abcdefgh']
    pairs = make_sound_pairs(make_dataset(tmp_path, 'ms3', rows))
    assert list(pairs) == list('abcdefgh')
    for video_id, pair in pairs.items():
        assert set(pair) == {'swapped'}
        assert pair['swapped'] != video_id
    assert len({pair['swapped'] for pair in pairs.values()}) > 3
    two = make_dataset(tmp_path, 'ms3', rows[:2])
    assert make_sound_pairs(two) == dict(
        a=dict(swapped='b'), b=dict(swapped='a')
    )


def test_pairs_by_audible_objects(tmp_path):
    objects = dict(
        a='cat_dog',
        b='dog_cat',
        c='owl',
        d='owl_off-the-screen',  # of whatever class: played to no other
        e='cat',
        f='off-the-screen',
        g='',
    )
    rows = [dict(video_id=v, objects=text) for v, text in objects.items()]
    pairs = make_sound_pairs(make_dataset(tmp_path, 'avss', rows))
    assert pairs['a'] == dict(swapped='c', same_class='b')
    assert pairs['b'] == dict(swapped='c', same_class='a')
    assert pairs['c']['swapped'] in 'abe' and 'same_class' not in pairs['c']
    assert pairs['d'].pop('swapped') in 'abe'
    assert pairs['d'] == dict(same_class='c')
    assert pairs['e'] == dict(swapped='c')
    # Nothing is known to be in view: any sound of a known class is foreign.
    for video_id in 'fg':
        assert pairs[video_id].pop('swapped') in 'abce'
        assert pairs[video_id] == {}


def test_pairs_are_of_one_length(tmp_path):
    rows = [
        dict(video_id=f'{subset}{i}', objects=name, subset=subset)
        for subset in ('v1s', 'v1m', 'v2')
        for i, name in enumerate(CATEGORIES * 2)
    ]
    pairs = make_sound_pairs(make_dataset(tmp_path, 'avss', rows))
    assert len(pairs) == 18
    for video_id, pair in pairs.items():
        assert set(pair) == {'swapped', 'same_class'}
        for other in pair.values():
            assert other.startswith('v2') == video_id.startswith('v2')


def test_several_data_sets_in_a_row(tmp_path):
    for name in ('one', 'two'):
        (tmp_path / name).mkdir()
    one = make_dataset(tmp_path / 'one', 's4', s4_rows(1))
    two = make_dataset(tmp_path / 'two', 's4', s4_rows(5)[1:])
    assert 'swapped' not in make_sound_pairs(one)['-0']
    pairs = make_sound_pairs(ConcatDataset([one, two]))
    assert pairs['-0']['same_class'] == '-3'


def test_written_pairs_are_read(tmp_path):
    """One line a clip, wherever the file is."""
    (tmp_path / 'root').mkdir()
    rows = [*s4_rows(6), dict(video_id='ä"', category='emu')]
    dataset = make_dataset(tmp_path / 'root', 's4', rows)
    pairs = make_sound_pairs(dataset)
    path = tmp_path / 'pairs.json'
    write_sound_pairs(path, pairs)
    assert json.loads(path.read_text()) == pairs
    assert len(path.read_text().splitlines()) == len(rows) + 2
    write_sound_pairs(path, pairs)  # once more, over the first
    paired = make_dataset(tmp_path / 'root', 's4', rows, pairs_file=str(path))
    for info in map(paired.get_data_info, range(len(paired))):
        paths = info['paired_audio_paths']
        assert set(paths) == set(pairs[info['video_id']])
        for relation, other in pairs[info['video_id']].items():
            assert paths[relation].endswith(f'/{other}.wav')
    write_sound_pairs(path, {})
    assert json.loads(path.read_text()) == {}


def test_pairs_that_are_none(tmp_path):
    for content in ('[]', '{"-0": ["-1"]}', '{"-0": {"twin": 1}}', '{'):
        (tmp_path / 'pairs.json').write_text(content)
        with pytest.raises(DataError, match='pairs.json'):
            make_dataset(tmp_path, 's4', s4_rows(2), pairs_file='pairs.json')


# ------------------------------------------------------- synthetic sets


def heard(plan):
    return {
        name
        for second in (*plan.sounding_species(), *plan.sounding_off_screen())
        for name in second
    }


@pytest.mark.parametrize('setting', DATASETS)
@pytest.mark.parametrize('seed', [0, 1])
def test_the_same_species_are_heard(setting, seed):
    plans = plan_clips(setting, dict(train=2, val=60, test=60), seed)
    by_id = {plan.video_id: plan for plan in plans}
    pairs = find_sound_pairs(plans)
    assert find_sound_pairs(plans) == pairs
    for video_id, pair in pairs.items():
        plan = by_id[video_id]
        alike = [
            other.video_id
            for other in plans
            if heard(other) == heard(plan)
            and (other.subset, other.split) == (plan.subset, plan.split)
            and other.scene_index != plan.scene_index
        ]
        assert set(pair) - {'same_class'} == {'twin', 'swapped'}
        if alike:
            assert pair['same_class'] in alike
            assert pair['same_class'] not in (video_id, pair['twin'])
        else:
            assert 'same_class' not in pair
    found = ['same_class' in pair for pair in pairs.values()]
    assert all(found) if setting == 's4' else 0 < sum(found) < len(found)


def test_the_other_pairs_stay():
    """Those of the first version, which had no same_class."""
    plans = plan_clips('s4', dict(test=30))
    ids = [plan.video_id for plan in plans]
    pairs = find_sound_pairs(plans)
    assert [ids.index(pairs[v]['twin']) for v in ids[:4]] == [1, 0, 3, 2]
    swapped = [ids.index(pairs[v]['swapped']) for v in ids]
    assert swapped[:10] == [7, 6, 1, 29, 28, 3, 9, 4, 7, 14]


# -------------------------------------------------------------- honesty

NUM_CLIPS, NUM_HALVINGS = 800, 8
LOAD = [
    dict(type='LoadAudio', source='wav'),
    dict(type='VGGishLogMel'),
]


def write_sounds(root, setting):
    """The sounds of a synthetic test split, without its pictures."""
    layout = LAYOUTS[setting]
    plans = plan_clips(setting, dict(test=NUM_CLIPS))
    for plan in plans:
        blank = np.zeros((plan.num_frames, 1, 1), np.uint8)
        scene = types.SimpleNamespace(
            owner=blank, frames=None, centres=None, radii=None
        )
        save_audio(
            root / layout.path('audio_path', plan.row()),
            render_clip(plan, scene).waveform,
        )
    rows = [plan.row() for plan in plans]
    (root / layout.csv_name).write_bytes(write_clips(layout, rows))
    write_sound_pairs(root / 'sound_pairs.json', find_sound_pairs(plans))
    return {plan.video_id: plan.scene_index for plan in plans}


def statistics(log_mel):
    """Mean and standard deviation over the clip of every mel bin."""
    bins = log_mel.reshape(-1, log_mel.shape[-1])
    return np.concatenate([bins.mean(0), bins.std(0)])


def gained(results):
    results['waveform'] = results['waveform'] * np.float32(10**0.15)  # 3 dB
    return results


def normalised(results):
    """Another front end: every patch of mean 0 and deviation 1."""
    patches = results['log_mel']
    mean = patches.mean((1, 2, 3), keepdims=True)
    results['log_mel'] = (patches - mean) / patches.std(
        (1, 2, 3), keepdims=True
    )
    return results


def held_out_auc(own, played, partner, scene):
    """How well a classifier tells the played sounds from the own ones.

    Trained on half of the scenes, tried on the others; a clip whose partner
    is in the other half is left out, for a sound that is once called matched
    and once swapped would be known again. Mean over several halvings.
    """
    names = list(own)
    scores = []
    for seed in range(NUM_HALVINGS):
        rng = np.random.default_rng(seed)
        side = rng.permutation(max(scene.values()) + 1) % 2
        halves = []
        for half in (0, 1):
            kept = [
                name
                for name in names
                if side[scene[name]] == side[scene[partner[name]]] == half
            ]
            halves += [
                np.array([x[name] for x in (own, played) for name in kept]),
                np.repeat([0, 1], len(kept)),
            ]
        classifier = make_pipeline(
            StandardScaler(), LogisticRegression(max_iter=2000)
        )
        classifier.fit(*halves[:2])
        found = classifier.decision_function(halves[2])
        scores.append(roc_auc_score(halves[3], found))
    return np.mean(scores)


@pytest.mark.slow
@pytest.mark.parametrize('setting', ['s4', 'ms3'])
def test_swapped_sound_is_as_good_as_genuine(tmp_path, setting):
    """By the front end's statistics nothing tells it from matched sound."""
    scene = write_sounds(tmp_path, setting)
    load, swap, front_end = with_sound_condition(LOAD, 'swapped')

    def features(pairs_file, *steps):
        dataset = DATASETS[setting](
            data_root=str(tmp_path),
            split='test',
            pairs_file=str(pairs_file),
            pipeline=steps,
        )
        infos = map(dataset.get_data_info, range(len(dataset)))
        return {
            info['video_id']: statistics(dataset.pipeline(info)['log_mel'])
            for info in infos
        }

    def auc(pairs_file, *steps):
        pairs = json.loads(pairs_file.read_text())
        partner = {v: pair['swapped'] for v, pair in pairs.items()}
        return held_out_auc(own, features(pairs_file, *steps), partner, scene)

    # The pairs of the synthetic sets, and those made for any set.
    written, made = tmp_path / 'sound_pairs.json', tmp_path / 'made.json'
    dataset = DATASETS[setting](data_root=str(tmp_path), split='test')
    write_sound_pairs(made, make_sound_pairs(dataset))
    own = features(written, *with_sound_condition(LOAD, 'matched'))
    for pairs_file in (written, made):
        assert 0.45 <= auc(pairs_file, load, swap, front_end) <= 0.55
    # The same classifier finds what is wrong where something is.
    assert auc(written, load, swap, gained, front_end) > 0.7
    assert auc(written, load, swap, front_end, normalised) > 0.99
