"""Comparison of models: measures of draws, and intervals of two kinds."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from mmavs.evaluation.functional.scores import dataset_scores
from mmavs.evaluation.listening.comparison import (
    draw_clips,
    draw_seeds,
    measure,
    summarise,
)
from mmavs.evaluation.listening.records import ClipListening
from mmavs.evaluation.listening.scores import QUIET_CONDITIONS as QUIET


def make_clip(video_id, iou, marked=0.1, truth=0.2, rng=None, non_empty=True):
    """A clip of as many frames as there are IoUs."""
    iou = np.atleast_1d(np.asarray(iou, float))
    rng = rng or np.random.default_rng(0)
    share = np.full(len(iou), marked, float)
    return ClipListening(
        video_id=video_id,
        iou=iou,
        f_curve=rng.random((len(iou), 255), np.float32),
        non_empty=np.full(len(iou), non_empty),
        foreground_share=share,
        truth_share=np.full(len(iou), truth, float),
        active=share > 0.001,
        false_share=share,
    )


def make_records(num_clips=12, seed=0, conditions=('matched', 'twin', *QUIET)):
    """Clips of one to five frames, at random."""
    rng = np.random.default_rng(seed)
    lengths = rng.integers(1, 6, num_clips)
    return {
        condition: [
            make_clip(
                f'clip{i}',
                rng.random(length),
                rng.random() / 4,
                rng.random() / 4,
                rng,
                non_empty=bool(i % 3),
            )
            for i, length in enumerate(lengths)
        ]
        for condition in conditions
    }


def one(num_clips):
    return np.ones((1, num_clips))


def apart(num_clips, **options):
    """Draws of clips of which none has a twin."""
    return draw_clips([str(i) for i in range(num_clips)], {}, **options)


def test_the_set_as_it_is_scores_what_the_metric_says():
    records = make_records()
    found = measure(records, one(12))
    miou, f_score = dataset_scores(records['matched'])
    assert found['mIoU'][0] == pytest.approx(miou, abs=1e-12)
    assert found['F'][0] == pytest.approx(f_score, abs=1e-12)
    twin, _ = dataset_scores(records['twin'])
    assert found['mIoU_twin'][0] == pytest.approx(twin, abs=1e-12)
    assert found['twin_gap'][0] == pytest.approx(miou - twin, abs=1e-12)


def test_a_draw_scores_as_a_set_with_clips_repeated():
    records = make_records()
    weights = apart(12, num_draws=5)
    found = measure(records, weights)
    assert weights.shape == (6, 12) and (weights[0] == 1).all()
    assert (weights.sum(1) == 12).all() and weights[1:].max() > 1
    for row, weight in enumerate(weights.astype(int)):
        repeated = {
            condition: [
                dataclasses.replace(clip, video_id=f'{clip.video_id}_{n}')
                for clip, count in zip(clips, weight)
                for n in range(count)
            ]
            for condition, clips in records.items()
        }
        again = measure(repeated, one(12))
        miou, f_score = dataset_scores(repeated['matched'])
        assert found['mIoU'][row] == pytest.approx(miou, abs=1e-12)
        assert found['F'][row] == pytest.approx(f_score, abs=1e-12)
        for name, values in again.items():
            assert found[name][row] == pytest.approx(values[0], abs=1e-12)


def test_quietness_and_score_by_hand():
    shares = dict(matched=0.2, silence=0.05, white_noise=0.3, swapped=0.1)
    records = {
        condition: [make_clip('a', [0.6, 0.8], share, truth=0.2)]
        for condition, share in shares.items()
    }
    found = measure(records, one(1))
    # 1 - 0.05 / 0.2, not below 0, 1 - 0.1 / 0.2.
    quietness = (0.75 + 0 + 0.5) / 3
    assert found['quietness'][0] == pytest.approx(quietness)
    expected = 2 / (1 / 0.7 + 1 / quietness)
    assert found['score'][0] == pytest.approx(expected)
    assert found['share_silence'][0] == pytest.approx(0.05)
    assert 'swapped_gap' in found and 'twin_gap' not in found


def test_a_gap_is_of_the_clips_that_both_have():
    records = dict(
        matched=[make_clip('a', [0.2]), make_clip('b', [0.8])],
        swapped=[make_clip('b', [0.3])],
    )
    found = measure(records, np.array([[1.0, 1], [3, 1], [2, 0]]))
    np.testing.assert_allclose(found['mIoU'], [0.5, 0.35, 0.2])
    np.testing.assert_allclose(found['swapped_gap'], [0.5, 0.5, np.nan])


def test_a_set_without_sound_has_no_f_measure():
    clips = [make_clip('a', [1.0, 1.0], non_empty=False)]
    assert np.isnan(measure(dict(matched=clips), one(1))['F']).all()


def test_records_that_do_not_fit_are_refused():
    records = make_records(3)
    with pytest.raises(ValueError, match="needs 'matched', got .'twin'"):
        measure(dict(twin=records['twin']), one(3))
    del records['matched'][1]
    with pytest.raises(ValueError, match="not among the 2: .'clip1'"):
        measure(records, one(2))


def test_twins_are_drawn_together():
    ids, twins = ['a', 'x', 'b', 'y'], dict(a='b', b='a', x='y', y='x')
    weights = draw_clips(ids, twins, num_draws=50)
    assert (weights[:, 0] == weights[:, 2]).all()
    assert (weights[:, 1] == weights[:, 3]).all()
    assert set(weights[1:, 0]) == {0, 1, 2}
    assert (weights == draw_clips(ids, twins, num_draws=50)).all()
    assert (weights != draw_clips(ids, twins, 50, seed=1)).any()


def width(estimate):
    return estimate.high - estimate.low


def measured(values, weights):
    clips = [make_clip(f'c{i}', [v]) for i, v in enumerate(values)]
    return measure(dict(matched=clips), weights)


def test_an_interval_of_clips_is_that_of_their_mean():
    values = np.random.default_rng(0).random(200)
    weights = apart(200)
    found = summarise({7: measured(values, weights)})['mIoU']
    error = values.std(ddof=1) / np.sqrt(200)
    assert found.value == pytest.approx(values.mean())
    assert width(found) == pytest.approx(2 * 1.96 * error, rel=0.08)
    # Twins that score the same are one observation.
    twice = np.repeat(values[:100], 2)
    twins = {str(i): str(i ^ 1) for i in range(200)}
    pairs = draw_clips(list(twins), twins)
    together = summarise({7: measured(twice, pairs)})['mIoU']
    alone = summarise({7: measured(twice, weights)})['mIoU']
    assert width(together) == pytest.approx(
        np.sqrt(2) * width(alone), rel=0.08
    )


def test_an_interval_has_the_seeds_in_it():
    weights = apart(50)
    base = np.full(50, 0.5)
    offsets = np.random.default_rng(1).normal(0, 0.05, 30)
    seeds = {
        seed: measured(base + offset, weights)
        for seed, offset in enumerate(offsets)
    }
    found = summarise(seeds)['mIoU']
    error = offsets.std(ddof=1) / np.sqrt(30)
    assert found.value == pytest.approx(0.5 + offsets.mean())
    assert width(found) == pytest.approx(2 * 1.96 * error, rel=0.1)
    # Equal clips and one seed leave nothing to be uncertain about.
    assert width(summarise({0: seeds[0]})['mIoU']) == pytest.approx(0)


def test_a_difference_is_of_the_same_clips_and_seeds():
    rng = np.random.default_rng(2)
    weights = apart(80)
    hard, luck = rng.random(80), rng.normal(0, 0.1, 5)
    ours, theirs = {}, {}
    for seed in range(5):
        noise = rng.normal(0, 0.01, (2, 80))
        ours[seed] = measured(hard + luck[seed] + 0.05 + noise[0], weights)
        theirs[seed] = measured(hard + luck[seed] + noise[1], weights)
    found = summarise(ours, theirs)['mIoU']
    assert found.value == pytest.approx(
        summarise(ours)['mIoU'].value - summarise(theirs)['mIoU'].value
    )
    assert 0.04 < found.low < found.value < found.high < 0.06
    assert width(summarise(ours)['mIoU']) > 10 * width(found)
    same = summarise(ours, ours)['mIoU']
    assert (same.value, same.low, same.high) == (0, 0, 0)


def test_a_difference_is_over_common_seeds():
    weights = apart(2)
    ours = {s: measured([s / 10, s / 10], weights) for s in (0, 1, 2)}
    theirs = {s: measured([0.0, 0.0], weights) for s in (2, 5)}
    assert summarise(ours, theirs)['mIoU'].value == pytest.approx(0.2)
    with pytest.raises(ValueError, match=r'common seed: .0, 1. and .5.'):
        summarise({s: ours[s] for s in (0, 1)}, {5: measured([0, 0], weights)})


def test_draws_of_seeds():
    weights = draw_seeds(3, 4000)
    np.testing.assert_allclose(weights.sum(1), 1)
    np.testing.assert_allclose(weights[0], 1 / 3)
    # All three of one seed: once in nine.
    assert (weights[1:].max(1) > 0.9).mean() == pytest.approx(1 / 9, abs=0.02)
    for size, draws in ((0, 5), (5, 0)):
        with pytest.raises(ValueError, match='at least one clip and one draw'):
            draw_seeds(size, draws)
