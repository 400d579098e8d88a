"""Numbers and intervals of a set of clips."""

from __future__ import annotations

import json

import numpy as np
import pytest
from listening_records import make_record

from mmavs.evaluation.functional import dataset_scores
from mmavs.evaluation.listening import (
    ClipSums,
    Estimate,
    listening_score,
    number_scenes,
    quietness,
    resample_clips,
    summarise_listening,
)
from mmavs.evaluation.listening.tables import (
    HEADER,
    format_estimate,
    summary_lines,
    table_rows,
    to_markdown,
)

NAMES = [f'clip{i}' for i in range(8)]


def make_records(seed=0, **missing):
    """Clips of several lengths under four sounds."""
    rng = np.random.default_rng(seed)
    sounds = ('matched', 'twin', 'swapped', 'silence', 'white_noise')
    return {
        sound: [
            make_record(name, rng, 5 + (i % 2) * 5)
            for i, name in enumerate(NAMES)
            if name not in missing.get(sound, ())
        ]
        for sound in sounds
    }


def test_draws_are_those_of_a_loop():
    """Each drawn set, its clips repeated, scored by the metric's formula."""
    clips = make_records()['matched']
    weights = resample_clips(np.arange(8), 20, seed=4)
    found = ClipSums.of(clips, NAMES).means(weights)
    for r, counts in enumerate(weights.astype(int)):
        drawn = [c for c, n in zip(clips, counts) for _ in range(n)]
        assert len(drawn) == 8
        expected = dataset_scores(drawn)
        np.testing.assert_allclose(
            [found['mIoU'][r], found['F'][r]], expected, rtol=1e-6
        )
        for measure, name in (
            ('foreground_share', 'foreground_share'),
            ('active_share', 'active'),
            ('false_share', 'false_share'),
            ('truth_share', 'truth_share'),
        ):
            pooled = np.concatenate([getattr(c, name) for c in drawn])
            np.testing.assert_allclose(found[measure][r], pooled.mean())


def test_twins_are_drawn_together():
    scenes = number_scenes(['a', 'b', 'c', 'd'], dict(a='d', d='a'))
    assert scenes[0] == scenes[3] and len(set(scenes)) == 3
    weights = resample_clips(scenes, 500, seed=1)
    assert (weights[:, 0] == weights[:, 3]).all()
    assert (weights[:, 0] != weights[:, 1]).any()
    # Three scenes are drawn, whatever the number of their clips.
    assert (weights[:, :3].sum(1) == 3).all()


def test_interval_covers_the_mean_it_should():
    """Of clips drawn from a known distribution, in 95 of 100 sets."""
    rng = np.random.default_rng(0)
    hits = 0
    for trial in range(200):
        clips = [
            make_record(name, rng, 1, iou=rng.random(1))
            for name in map(str, range(60))
        ]
        report = summarise_listening(dict(matched=clips), 300, trial)
        found = report.conditions['matched'].measures['mIoU']
        hits += found.low <= 0.5 <= found.high
    assert 180 <= hits <= 198


def test_report_is_that_of_the_formulas():
    records = make_records()
    report = summarise_listening(records, 50)
    score = {k: dataset_scores(v) for k, v in records.items()}
    for name, found in report.conditions.items():
        values = found.measures
        # To the last digit.
        assert (values['mIoU'].value, values['F'].value) == score[name]
        assert values['gap'].value == score['matched'][0] - score[name][0]
    assert report.gap is report.conditions['swapped'].measures['gap']
    assert report.twin_gap is report.conditions['twin'].measures['gap']

    def pooled(name, key):
        return np.concatenate([getattr(c, key) for c in records[name]]).mean()

    truth = pooled('matched', 'truth_share')
    assert report.truth_share.value == pytest.approx(truth)
    bound = min(truth, pooled('matched', 'foreground_share'))
    quiet = np.mean(
        [
            max(0, 1 - pooled(k, 'foreground_share') / bound)
            for k in ('silence', 'white_noise', 'swapped')
        ]
    )
    assert report.quietness.value == pytest.approx(quiet)
    assert 0.01 < quiet < 0.9
    miou = score['matched'][0]
    harmonic = 2 / (1 / miou + 1 / quiet)
    assert report.score.value == pytest.approx(harmonic)
    assert (report.num_clips, report.num_frames) == (8, 60)


def test_quietness_and_score_at_their_ends():
    rng = np.random.default_rng(0)
    truth = np.full(5, 0.1)

    def sums(share):
        clips = [
            make_record(
                name,
                rng,
                foreground_share=np.full(5, share),
                truth_share=truth,
            )
            for name in NAMES
        ]
        return ClipSums.of(clips, NAMES)

    whole = np.ones((1, 8))

    def quiet(matched, *shares):
        names = ('matched', 'silence', 'white_noise', 'swapped')
        found = {
            name: sums(share) for name, share in zip(names, (matched, *shares))
        }
        return quietness(found, whole)[0]

    assert quiet(0.1, 0.0, 0.0, 0.0) == 1
    assert quiet(0.3, 0.1, 0.1, 0.3) == 0  # not below
    assert quiet(0.9, 0.05, 0.0, 0.1) == pytest.approx((0.5 + 1 + 0) / 3)
    assert quiet(0.05, 0.025, 0.0, 0.0) == pytest.approx(2.5 / 3)
    # Neither a deaf model nor one that marks nothing is quiet.
    for share in (0.0, 0.02, 0.1, 1.0):
        assert quiet(share, share, share, share) == 0
    assert np.isnan(quiet(0.1, 0.0, 0.0))  # not all were played
    score = listening_score(
        np.array([0.5, 0.0, 0.7, 0.0, 0.6]), np.array([1.0, 1, 0, 0, 0.6])
    )
    np.testing.assert_allclose(score, [2 / 3, 0, 0, 0, 0.6])


def test_gap_is_of_the_clips_that_have_both():
    records = make_records(swapped=NAMES[:3])
    report = summarise_listening(records, 50)
    swapped = report.conditions['swapped']
    assert swapped.num_clips == 5
    both = dataset_scores(records['matched'][3:])[0]
    expected = both - dataset_scores(records['swapped'])[0]
    assert report.gap.value == pytest.approx(expected)
    # A model that does not hear has no gap, in no draw.
    records['swapped'] = records['matched'][3:]
    gap = summarise_listening(records, 50).gap
    assert gap == Estimate(0, 0, 0)


def test_a_pair_has_a_narrower_interval_than_its_parts():
    """Clips that are hard are hard with both sounds."""
    records = make_records()
    records['swapped'] = [
        make_record(
            c.video_id, np.random.default_rng(0), len(c.iou), iou=c.iou - 0.1
        )
        for c in records['matched']
    ]
    gap = summarise_listening(records, 200).gap
    assert gap.low == pytest.approx(0.1) and gap.high == pytest.approx(0.1)


def test_sounds_that_were_not_played():
    matched = dict(matched=make_records()['matched'])
    report = summarise_listening(matched, 20, left_out=dict(twin='none'))
    assert report.gap is report.twin_gap is report.quietness is None
    assert report.score is None
    assert summary_lines(report)[-1] == 'twin left out: none'
    with pytest.raises(ValueError, match="'matched'.*swapped"):
        summarise_listening(dict(swapped=[]), 20)


def test_json_has_no_nan():
    records = make_records()
    for clip in records['silence']:
        clip.false_share[:] = np.nan
    report = summarise_listening(records, 20)
    content = json.loads(json.dumps(report.to_dict(), allow_nan=False))
    silence = content['conditions']['silence']
    assert silence['false_share'] == dict(value=None, low=None, high=None)
    assert silence['truth'] == 'empty' and silence['num_clips'] == 8
    assert content['quietness']['value'] == report.quietness.value
    assert not {'records', 'pairs'} & content.keys()


def test_tables():
    report = summarise_listening(make_records(), 20)
    rows = table_rows(report)
    assert {len(row) for row in rows} == {len(HEADER)}
    assert [row[0] for row in rows] == list(report.conditions)
    assert rows[0][HEADER.index('gap')] == '–'
    page = to_markdown(report, 'Title')
    lines = page.splitlines()
    assert lines[0] == '# Title' and page.endswith('\n')
    miou = format_estimate(report.conditions['twin'].measures['mIoU'])
    assert f'| twin | 8 | {miou} |' in page
    plain = [row[2] for row in table_rows(report, intervals=False)]
    assert plain == [row[2].split(' [')[0] for row in rows]
    estimate = Estimate(0.12345, 0.1, 0.2)
    assert format_estimate(estimate) == '0.123 [0.100, 0.200]'
    assert format_estimate(estimate, percent=True) == '12.3 [10.0, 20.0]'


@pytest.mark.parametrize('scenes, draws', [([], 5), ([0], 0)])
def test_nothing_to_draw(scenes, draws):
    with pytest.raises(ValueError, match='at least one clip and one draw'):
        resample_clips(np.array(scenes), draws)


def test_a_record_of_no_clip_is_named():
    clips = make_records()['matched']
    with pytest.raises(ValueError, match='clip7'):
        ClipSums.of(clips, NAMES[:7])
