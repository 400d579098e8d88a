"""The commands that kill trainings and break what they need."""

from __future__ import annotations

import json
import shutil

import pytest


@pytest.mark.slow
def test_two_kills_change_nothing(analysis_tool, tmp_path):
    with pytest.raises(SystemExit) as end:
        raise SystemExit(
            analysis_tool('kill_test')(
                *('--kills', 2, '--iters', 8),
                *('--clips', 12, 4, 0),
                *('--work-dir', tmp_path / 'work'),
            )
        )
    assert end.value.code in (0, None)
    report = json.loads((tmp_path / 'work/report.json').read_text())
    assert report['equal']
    assert report['kills'] == 2
    assert [start['killed'] for start in report['starts']][:2] == [True, True]
    assert report['left_behind'] == []


@pytest.mark.slow
def test_faults_do_not_end_a_training(analysis_tool, tmp_path):
    analysis_tool('fault_injection')(
        *('--iters', 12, '--clips', 16, 4, 0),
        *('--work-dir', tmp_path / 'work'),
    )
    report = json.loads((tmp_path / 'work/report.json').read_text())
    assert report['iterations'] == dict(clean=12, faulty=12)
    assert len(report['ended_with_error_and_resumed']) == 1
    assert 'DataLoader worker' in report['ended_with_error_and_resumed'][0]
    found = [clip['video_id'] for clip in report['unreadable_clips']]
    assert found == report['damaged_clips'] != []
    batches = report['skipped_batches']
    assert batches
    clips = {
        clip
        for batch in batches
        for part in batch['processes']
        for clip in part['not_finite_inputs']
    }
    assert len(clips) == 1
    for scores in report['scores'].values():
        assert 0 <= scores['mIoU'] <= 1


def test_damage_leaves_the_source_as_it_is(
    analysis_tool, synthetic_root, tmp_path
):
    from steps.survival import damage_clips

    source = tmp_path / 'source'
    shutil.copytree(synthetic_root / 'Multi-sources', source)
    before = {
        path: path.read_bytes() for path in source.rglob('*') if path.is_file()
    }
    damaged, whole = damage_clips(source, tmp_path / 'copy', 0.4, seed=1)
    assert len(damaged) == 2
    assert len(whole) == 3
    assert {path: path.read_bytes() for path in before} == before
    changed = [
        path
        for path, content in before.items()
        if (tmp_path / 'copy' / path.relative_to(source)).read_bytes()
        != content
    ]
    assert len(changed) == 2
    for path in changed:
        assert any(video_id in str(path) for video_id in damaged)
