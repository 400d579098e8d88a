"""The report about codes of which everything is known."""

import json

import numpy as np
import pytest

from mmavs.evaluation.probes import FrameTable
from mmavs.evaluation.probes.coded_frames import (
    ALL,
    AUDIO,
    VISUAL,
    CodedFrames,
)
from mmavs.evaluation.probes.probing import CONTROL, frame_labels, probe_codes
from mmavs.evaluation.probes.report import MOVES, READ, SAYS

SPECIES = [f'species{i}' for i in range(6)]
T = 5


def make_split(name, num_scenes, seed):
    """Twins that show three species, of which one sounds at a time.

    The visual code knows what is in view, the audio code what sounds, the
    shared code both.
    """
    rng = np.random.default_rng(seed)
    clips, ids, seen, heard = {}, [], [], []
    for scene in range(num_scenes):
        objects = rng.permutation(6)[:3]
        first = rng.integers(0, 3, T)
        for twin in range(2):
            video_id = f'{name}{scene}_{twin}'
            sounding = objects[(first + twin) % 3]
            clips[video_id] = dict(
                objects=[dict(species=SPECIES[i]) for i in objects],
                sounding=[[SPECIES[i]] for i in sounding],
            )
            ids += [video_id] * T
            seen += [np.isin(np.arange(6), objects)] * T
            heard += list(np.eye(6)[sounding])
    seen, heard = np.array(seen, float), np.array(heard, float)
    count = len(ids)
    table = FrameTable(
        video_ids=np.array(ids),
        frame_idx=np.tile(np.arange(T), count // T),
        categories=None,
        labelled=np.ones(count, bool),
        centres=rng.uniform(size=(count, 2)),
        mask_classes=np.zeros((count, 0), bool),
    )

    def noisy(values):
        return values + 0.2 * rng.normal(size=values.shape)

    means = dict(
        visual_specific=np.repeat(noisy(seen[::T]), T, axis=0),
        audio_specific=noisy(heard),
        shared=np.hstack([noisy(seen), noisy(heard)]),
    )
    silent = {
        **means,
        'audio_specific': np.zeros(heard.shape),
        AUDIO: np.zeros(heard.shape),
    }
    # Some clips have no such sound.
    silent = {key: values.copy() for key, values in silent.items()}
    for values in silent.values():
        values[: 2 * T] = np.nan
    frames = CodedFrames(
        table=table,
        means=means,
        variances={key: np.full(v.shape, 0.1) for key, v in means.items()},
        references={AUDIO: noisy(heard), VISUAL: noisy(seen)},
        moved=dict(silence=silent),
    )
    return frames, clips


@pytest.fixture(scope='module')
def material():
    fit, fit_clips = make_split('train', 80, 0)
    scored, clips = make_split('test', 30, 1)
    twins = {i: f'{i[:-1]}{1 - int(i[-1])}' for i in clips}
    return fit, scored, {**fit_clips, **clips}, twins


@pytest.fixture(scope='module')
def report(material):
    fit, scored, clips, twins = material
    return probe_codes(
        fit,
        scored,
        clips,
        ('background', 'sounding'),
        twins,
        num_bootstrap=200,
        facts=dict(fit_split='train', split='test'),
        notes=['same_class is left out.'],
    )


def auc(report, code, target):
    return report.probes[code][target].auc


def test_what_each_code_knows_is_found(report):
    for code in ('visual_specific', VISUAL):
        assert auc(report, code, 'silent_in_view').value > 0.99
        chance = auc(report, code, 'sounds_in_view').value
        assert chance == pytest.approx(0.5, abs=0.03)
        # Seeing gives some of what sounds, and as much of the twin's.
        some = auc(report, code, 'sounds')
        assert 0.65 < some.value < 0.95
        twin = auc(report, code, 'sounds_in_twin')
        assert twin.value == pytest.approx(some.value, abs=0.05)
    for code in ('audio_specific', AUDIO):
        assert auc(report, code, 'sounds').value > 0.99
        assert auc(report, code, 'sounds_in_view').value > 0.99
        # The interval is for the probe as it is, which 80 scenes made.
        chance = auc(report, code, 'silent_in_view').value
        assert chance == pytest.approx(0.5, abs=0.07)
        assert auc(report, code, 'sounds_in_twin').value < 0.55
    for code in ('shared', ALL):
        for target in ('sounds', 'sounds_in_view', 'silent_in_view'):
            assert auc(report, code, target).value > 0.99
    # Where it is nobody knows.
    place = auc(report, ALL, 'where')
    assert 0.4 < place.value < 0.6


def test_one_sound_at_a_time_has_an_accuracy(report):
    scores = {code: row['sounds'] for code, row in report.probes.items()}
    assert scores['audio_specific'].accuracy.value > 0.95
    assert scores['visual_specific'].accuracy.high < 0.5
    assert scores['shared'].chance == pytest.approx(1 / 6, abs=0.06)
    assert report.probes['shared']['visible'].accuracy is None
    # It always sounds: nothing to count.
    assert 'number' not in report.probes['shared']


def test_labels_of_other_clips_are_at_chance(report):
    for target in ('sounds', 'visible', 'sounds_in_view', 'silent_in_view'):
        control = auc(report, CONTROL, target)
        assert control.low < 0.5 < control.high
        assert control.low < control.value < control.high
        assert control.value == pytest.approx(0.5, abs=0.08)


def test_what_the_sound_moves(report):
    silence = {code: row['silence'] for code, row in report.movement.items()}
    assert silence['visual_specific'].value == 0 == silence['shared'].high
    # From a point at 1 in one of six to the origin: more than one unit's
    # variance, less than the distance of two such points.
    assert 0.5 < silence['audio_specific'].low
    assert silence['audio_specific'].high < 1
    assert set(silence) == {
        *('visual_specific', 'audio_specific', 'shared', AUDIO)
    }


def test_intervals_are_over_scenes(report):
    assert report.facts['scenes'] == 30 and report.facts['clips'] == 60
    assert report.facts['fit_clips'] == 160


def test_json_is_strict_and_whole(report):
    content = json.loads(report.to_json())
    assert content['fit_split'] == 'train'
    assert content['notes'] == ['same_class is left out.']
    shared = content['probes']['shared']['sounds']
    assert shared['auc']['value'] > 0.99
    assert set(shared['classes']) == set(SPECIES)
    assert content['movement']['shared']['silence']['value'] == 0
    assert content['spread']['shared']['size'] == 12
    assert 'NaN' not in report.to_json()


def test_tables(report):
    assert list(report.tables()) == [READ, MOVES, SAYS]
    for title, table in report.tables(intervals=False).items():
        assert len({len(row) for row in table}) == 1
        assert all(isinstance(cell, str) for row in table for cell in row)
        assert not any('[' in cell for row in table for cell in row)
        assert f'## {title}' in report.to_markdown()
    assert '[' in report.tables()[MOVES][1][1]
    assert report.to_markdown().endswith('- same_class is left out.\n')


def test_a_scene_on_both_sides_is_refused(material):
    fit, scored, clips, twins = material
    with pytest.raises(ValueError, match='160 clips.*other scenes'):
        probe_codes(fit, fit, clips, (), {})
    # Twins show one scene: it is not enough that the clips are others.
    half = scored.table.video_ids.astype(str)
    first = np.char.endswith(half, '_0')

    def rows(chosen):
        def cut(values):
            return {key: v[chosen] for key, v in values.items()}

        table = scored.table
        return CodedFrames(
            FrameTable(
                table.video_ids[chosen],
                table.frame_idx[chosen],
                None,
                table.labelled[chosen],
                table.centres[chosen],
                table.mask_classes[chosen],
            ),
            cut(scored.means),
            cut(scored.variances),
            cut(scored.references),
            {},
        )

    with pytest.raises(ValueError, match='30 clips, or their twins'):
        probe_codes(rows(first), rows(~first), clips, (), twins)


def test_frames_in_one_word(material):
    _, scored, clips, _ = material
    from mmavs.evaluation.probes import probe_targets

    clips = {
        **clips,
        'test0_0': dict(
            clips['test0_0'], sounding=[[], SPECIES[:2], *[[SPECIES[2]]] * 3]
        ),
    }
    target = probe_targets(scored.table, clips, SPECIES)['sounds']
    words, other = frame_labels(scored.table, target)
    assert words[:3].tolist() == ['silence', 'several', 'species2']
    assert {'silence', 'several'} <= set(other)
    words, other = frame_labels(scored.table, None)
    assert set(words) == {'sound'} and 'sound' not in other
