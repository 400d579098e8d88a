"""A training without some of its files, and one that has too many such."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from interrupted_runs import differences, train
from toy_runs import toy_config

from mmavs.datasets import DataError
from mmavs.engine.hooks import UnreadableClipsHook

TORN = {
    'train_dataloader.dataset.pipeline': [dict(type='ToyLoad', torn=[2, 3])]
}
REPLACE = {'default_hooks.unreadable_clips.max_clips': 2}


def report(folder: Path) -> list:
    return json.loads((folder / 'unreadable_clips.json').read_text())


def test_by_default_the_first_file_is_an_error(tmp_path):
    with pytest.raises(DataError, match=r'file[23]\.wav is torn'):
        train(toy_config(**TORN), tmp_path)


@pytest.mark.parametrize('workers', [0, 2])
def test_the_next_clips_take_their_places(tmp_path, workers):
    """Eighteen clips of twelve are drawn, each at least once."""
    config = toy_config(**TORN, **REPLACE)
    config.train_dataloader.num_workers = workers
    runner = train(config, tmp_path)
    assert runner.iter == 6
    found = {entry['video_id']: entry for entry in report(tmp_path)}
    # The stand-in of clip 2 is clip 3, which is torn as well.
    assert found.keys() == {'clip2', 'clip3'}
    assert found['clip2']['reason'] == 'file2.wav is torn'
    assert found['clip3']['times'] >= 1 + found['clip2']['times']
    log = next(tmp_path.glob('*/*.log')).read_text()
    assert log.count("clip 'clip3' is replaced by the next one") == 1


def test_a_resumed_run_replaces_the_same(tmp_path):
    config = toy_config(**TORN, **REPLACE)
    train(config, tmp_path / 'whole')
    train(config, tmp_path / 'broken', kill_at=5)
    train(config, tmp_path / 'broken', resume=True)
    assert not differences(
        tmp_path / 'whole/iter_6.pth', tmp_path / 'broken/iter_6.pth'
    )
    assert report(tmp_path / 'whole') == report(tmp_path / 'broken')


def test_the_limit_holds(tmp_path):
    config = toy_config(
        **TORN, **{'default_hooks.unreadable_clips.max_clips': 1}
    )
    with pytest.raises(DataError, match=r'file[23]\.wav is torn'):
        train(config, tmp_path)
    # One at a time: not in a row, so the data set can replace each.
    config.train_dataloader.dataset.pipeline[0].torn = [2, 7]
    with pytest.raises(DataError) as error:
        train(config, tmp_path)
    assert 'more than 1 files cannot be read' in str(error.value)
    assert 'file2.wav is torn' in str(error.value)
    assert 'file7.wav is torn' in str(error.value)


def test_validation_replaces_nothing(tmp_path):
    config = toy_config(**REPLACE)
    config.val_dataloader.dataset.pipeline = [dict(type='ToyLoad', torn=[2])]
    with pytest.raises(DataError, match='file2.wav is torn'):
        train(config, tmp_path)


def test_other_loops_cannot_replace(tmp_path):
    config = toy_config(**REPLACE)
    config.train_cfg.type = 'IterBasedTrainLoop'
    with pytest.raises(ValueError, match='max_clips=2 needs train_cfg.type'):
        train(config, tmp_path)


def test_a_negative_limit_is_an_error():
    with pytest.raises(ValueError, match='0 or more, got -1'):
        UnreadableClipsHook(max_clips=-1)
