"""The file of the records."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
import pytest
from listening_records import make_record

from mmavs.evaluation.listening import (
    ClipListening,
    load_records,
    save_records,
)


def test_what_was_written_is_read(tmp_path):
    """Bit for bit, with clips of several lengths and any names."""
    rng = np.random.default_rng(0)
    records = {
        'matched': [
            make_record('-_ö 1', rng),
            make_record('0012', rng, 10),
            make_record('unlabelled', rng, 0),
        ],
        'white_noise@-5dB': [
            make_record('0012', rng, 1, false_share=np.array([np.nan]))
        ],
        'same_class': [],
    }
    path = tmp_path / 'clips'  # no ending is added
    save_records(path, records)
    found = load_records(path)
    assert list(found) == list(records)
    for name, clips in records.items():
        assert len(found[name]) == len(clips)
        for ours, theirs in zip(found[name], clips):
            assert type(ours.video_id) is str
            assert ours.video_id == theirs.video_id
            for field in fields(ClipListening)[1:]:
                a, b = getattr(ours, field.name), getattr(theirs, field.name)
                assert a.dtype == b.dtype, field.name
                np.testing.assert_array_equal(a, b)


def test_the_same_records_give_the_same_file(tmp_path):
    for name in 'ab':
        rng = np.random.default_rng(0)
        save_records(tmp_path / name, dict(matched=[make_record('x', rng)]))
    a, b = (tmp_path / name for name in 'ab')
    assert a.read_bytes() == b.read_bytes()


def test_no_pickle_is_read(tmp_path):
    path = tmp_path / 'clips.npz'
    np.savez(path, conditions=np.array([dict(a=1)], object))
    with pytest.raises(ValueError, match='allow_pickle'):
        load_records(path)
