"""What probes are asked, of sets that tell more or less."""

import numpy as np
import pytest

from mmavs.evaluation.probes import (
    FrameTable,
    class_names,
    join_tables,
    mask_facts,
    probe_targets,
    twin_target,
)


def make_table(ids, frames, sounding=None, **changes):
    count = len(ids)
    centres = np.full((count, 2), 0.25)
    if sounding is not None:
        centres[~np.array(sounding)] = np.nan
    values = dict(
        categories=None,
        labelled=np.ones(count, bool),
        centres=centres,
        mask_classes=np.zeros((count, 0), bool),
    )
    return FrameTable(np.array(ids), np.array(frames), **{**values, **changes})


def clip(objects, sounding, **more):
    return dict(
        objects=[dict(species=name) for name in objects],
        sounding=sounding,
        **more,
    )


# Twins: a dog and a cat in view, in the one the dog sounds, then nothing.
CLIPS = dict(
    one=clip(['cat', 'dog'], [['dog'], []]),
    other=clip(['cat', 'dog'], [['cat'], []]),
    birds=clip(['bird', 'cat'], [['bird', 'cat'], ['bird']]),
)
CLASSES = ('bird', 'cat', 'dog')


def synthetic(clips=CLIPS):
    table = make_table(
        np.repeat(list(clips), 2),
        [0, 1] * len(clips),
        [bool(second) for c in clips.values() for second in c['sounding']],
    )
    return table, probe_targets(table, clips, CLASSES)


def test_questions_of_a_synthetic_set():
    _, targets = synthetic()
    assert targets['sounds'].classes == CLASSES
    assert targets['sounds'].labels.astype(int).tolist() == [
        [0, 0, 1],
        [0, 0, 0],
        [0, 1, 0],
        [0, 0, 0],
        [1, 1, 0],
        [1, 0, 0],
    ]
    assert targets['sounds'].known.all()
    visible = [[0, 1, 1]] * 4 + [[1, 1, 0]] * 2
    assert targets['visible'].labels.astype(int).tolist() == visible
    # What sounds counts among what is in view only, and what is in view
    # among what does not sound.
    assert np.array_equal(
        targets['sounds_in_view'].known, targets['visible'].labels
    )
    assert np.array_equal(
        targets['silent_in_view'].known, ~targets['sounds'].labels
    )
    number = targets['number']
    assert number.labels.argmax(1).tolist() == [1, 0, 1, 0, 2, 1]
    assert number.is_one_of and not targets['sounds'].is_one_of
    # Empty masks have no middle; all others are in the upper left.
    assert 'where' not in targets and 'silence' not in targets


def test_classes_of_a_synthetic_set():
    table, _ = synthetic()
    clips = dict(CLIPS, one=dict(CLIPS['one'], off_screen=[['owl'], []]))
    assert class_names([table], CLIPS, ()) == CLASSES
    assert class_names([table], clips, ()) == (*CLASSES, 'owl')


def test_off_screen_is_heard_but_does_not_sound_in_view():
    clips = dict(CLIPS, one=dict(CLIPS['one'], off_screen=[['bird'], []]))
    _, targets = synthetic(clips)
    assert targets['heard'].labels[0].tolist() == [True, False, True]
    assert targets['sounds'].labels[0].tolist() == [False, False, True]
    # A bird that is heard is no silent one.
    assert not targets['silent_in_view'].known[0, 0]
    assert 'heard' not in synthetic()[1]


def test_what_sounds_in_the_twin():
    table, targets = synthetic()
    twin = twin_target(
        targets['sounds'], table, dict(one='other', other='one')
    )
    assert np.array_equal(
        twin.labels[:4], targets['sounds'].labels[[2, 3, 0, 1]]
    )
    assert twin.known[:4].all() and not twin.known[4:].any()


def test_clips_of_another_set_are_refused():
    table, _ = synthetic()
    with pytest.raises(ValueError, match=r'birds.*another set'):
        probe_targets(table, dict(one=CLIPS['one'], other=CLIPS['one']), ())


def test_categories_are_what_sounds():
    table = make_table(
        ['a', 'a', 'b', 'c'],
        [0, 1, 0, 0],
        categories=np.array(['dog', 'dog', 'cat', 'dog']),
    )
    classes = class_names([table], None, ('background', 'sounding'))
    assert classes == ('cat', 'dog')
    targets = probe_targets(table, None, classes)
    assert list(targets) == ['sounds']  # never silent, always upper left
    assert targets['sounds'].labels.argmax(1).tolist() == [1, 1, 0, 1]
    assert targets['sounds'].is_one_of


def test_masks_of_classes_count_where_there_are_any():
    table = make_table(
        ['a', 'a', 'b'],
        [0, 1, 0],
        [True, False, True],
        labelled=np.array([True, False, True]),
        mask_classes=np.array([[1, 0], [0, 0], [1, 1]], bool),
    )
    names = class_names([table], None, ('background', 'cat', 'dog'))
    assert names == ('cat', 'dog')
    targets = probe_targets(table, None, names)
    assert targets['sounds'].known.tolist() == [
        [True, True],
        [False, False],
        [True, True],
    ]
    assert targets['sounds'].varies.tolist() == [False, True]


def test_without_classes_there_is_still_silence_and_place():
    table = make_table(
        ['a', 'a', 'b', 'b'],
        [0, 1, 0, 1],
        centres=np.array(
            [[0.2, 0.7], [np.nan, np.nan], [0.9, 0.1], [np.nan, np.nan]]
        ),
        labelled=np.array([True, True, True, False]),
    )
    assert class_names([table], None, ('background', 'sounding')) == ()
    targets = probe_targets(table, None, ())
    assert set(targets) == {'silence', 'where'}
    assert targets['silence'].labels[:, 0].tolist() == [0, 1, 0, 1]
    assert targets['silence'].known[:, 0].tolist() == [1, 1, 1, 0]
    assert targets['where'].labels[[0, 2]].tolist() == [
        [True, False],
        [False, True],
    ]
    assert targets['where'].known[:, 0].tolist() == [1, 0, 1, 0]


def test_facts_of_masks():
    masks = np.zeros((3, 4, 10), np.uint8)
    masks[0, 0, 8:] = 2  # in the upper right corner
    masks[1] = 255
    labelled, centres, classes = mask_facts(masks, 3)
    assert labelled.tolist() == [True, False, True]
    assert centres[0] == pytest.approx([0.9, 0.125])
    assert np.isnan(centres[1:]).all()
    assert classes.tolist() == [[0, 1], [0, 0], [0, 0]]
    assert mask_facts(masks > 0, 2)[2].shape == (3, 0)


def test_tables_are_joined_and_find_rows():
    a = make_table(['a', 'a'], [0, 1])
    b = make_table(['b', 'b'], [0, 1])
    table = join_tables([a, b])
    assert table.video_ids.tolist() == ['a', 'a', 'b', 'b']
    assert table.categories is None and len(table) == 4
    assert table.rows_of(dict(a='b')).tolist() == [2, 3, -1, -1]
