"""The check as a command: what it shows, writes and exits with."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
from contextlib import contextmanager
from pathlib import Path

import pytest
from PIL import Image

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope='module')
def tool():
    path = ROOT / 'tools' / 'dataset_converters' / 'check_avsbench.py'
    spec = importlib.util.spec_from_file_location('check_avsbench', path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def run(tool, capsys):
    """Run the command in this process: exit status, output, errors."""

    def run(*arguments):
        status = tool.main([*map(str, arguments), '--workers', '0'])
        return status, *capsys.readouterr()

    return run


@pytest.fixture
def incomplete(synthetic_root, tmp_path):
    """A set with one missing frame and one grey mask."""
    root = tmp_path / 'sets'
    source = synthetic_root / 'Multi-sources'
    shutil.copytree(source, root / 'Multi-sources')
    data = root / 'Multi-sources' / 'ms3_data'
    frame = min(data.glob('visual_frames/*/*_3.png'))
    frame.unlink()
    # The mask of a silent frame is empty, and has no grey.
    mask = min(
        path
        for path in data.glob('gt_masks/train/*/*.png')
        if Image.open(path).getextrema()[1]
    )
    Image.open(mask).point(lambda value: value // 2).save(mask)
    return root, frame.name, mask.name


def test_complete(run, synthetic_root):
    status, output, errors = run(synthetic_root)
    assert status == 0
    assert 'complete for the 26 clips listed; 5,356 are published' in output
    assert '--json' not in output
    assert 'incomplete' not in output
    rows = [line.split() for line in output.splitlines() if line]
    assert rows[0][:5] == ['subset', 'split', 'clips', 'published', 'usable']
    assert rows[1][:7] == ['s4', 'train', '5', '3,452', '5', '25', '5']
    assert rows[6][:7] == ['ms3', 'test', '4', '64', '4', '20', '20']
    assert len(output.splitlines()) <= 40


def test_incomplete(run, incomplete, tmp_path):
    root, frame, mask = incomplete
    target = tmp_path / 'all.json'
    status, output, _ = run(root, '--json', target)
    assert status == 1
    lines = output.splitlines()
    assert any('error' in line and frame in line for line in lines)
    assert any('warning' in line and mask in line for line in lines)
    assert str(target) in output.replace('\n', '')
    assert '--json FILE' not in output
    values = json.loads(target.read_text())
    assert (values['errors'], values['warnings']) == (1, 1)
    assert {Path(p['path']).name for p in values['problems']} == {frame, mask}


def test_name_that_is_not_utf8(run, synthetic_root, tmp_path):
    root = tmp_path / 'sets'
    shutil.copytree(synthetic_root / 'Multi-sources', root / 'Multi-sources')
    name = os.fsdecode(b'na\xefve\x1b[2J')
    (root / 'Multi-sources/ms3_data/visual_frames' / name).mkdir()
    target = tmp_path / 'all.json'
    status, output, _ = run(root, '--quick', '--json', target)
    assert status == 0
    assert r'na\udcefve\x1b[2J' in output and '\x1b' not in output
    (problem,) = json.loads(target.read_text(encoding='ascii'))['problems']
    assert problem['path'].endswith(f'/{name}')
    _, output, _ = run(root, '--quick', '--json')
    assert output.isascii() and json.loads(output)['problems'] == [problem]
    # What is not there is told with its name, too.
    status, _, errors = run(root / 'no\x1b[2J')
    assert status == 2 and r'no\x1b[2J' in errors and '\x1b' not in errors


def test_split_without_clips(run, synthetic_root, tmp_path):
    root = tmp_path / 'Multi-sources'
    shutil.copytree(synthetic_root / 'Multi-sources', root)
    path = root / 'ms3_meta_data.csv'
    header, *rows = path.read_text().splitlines()
    rows = [row for row in rows if row.endswith(',test')]
    path.write_text('\n'.join([header, *rows, '']))
    status, output, _ = run(root, '--quick')
    assert status == 1
    assert 'incomplete: 2 errors' in output
    assert 'complete: tr' not in output and 'complete for' not in output
    assert output.splitlines()[-1] == (
        '--json FILE writes all of it, with the full messages'
    )
    assert 'ms3_meta_data.csv: it lists no val clip' in output


def test_json_to_standard_output(run, incomplete):
    status, output, _ = run(incomplete[0], '--quick', '--json')
    assert status == 1
    values = json.loads(output)
    assert values['is_quick'] and values['errors'] == 1
    assert [counts['clips'] for counts in values['counts']] == [5, 4, 4]


def test_asked_for_and_not_there(run, incomplete):
    status, output, _ = run(incomplete[0], '--quick', '--subset', 's4', 'ms3')
    assert status == 1
    assert 'list of clips missing' in output


def test_nothing_to_check(run, synthetic_root, tmp_path):
    above = tmp_path / 'above'
    above.mkdir()
    (above / 'mine').symlink_to(synthetic_root)
    for folder in (tmp_path, tmp_path / 'no', above):
        status, output, errors = run(folder)
        assert status == 2 and not output
        assert errors.startswith(f'error: {folder} ')
    assert f'did you mean {above / "mine"}?' in errors


def test_json_that_cannot_be_written_is_said_at_once(run, incomplete):
    target = incomplete[0] / 'no' / 'all.json'
    status, output, errors = run(incomplete[0], '--json', target)
    assert status == 2 and not output and str(target) in errors


def test_interrupted(tool, run, synthetic_root, monkeypatch):
    def interrupt(done, total):
        raise KeyboardInterrupt

    @contextmanager
    def progress_bar(label, transient):
        yield interrupt

    monkeypatch.setattr(tool, 'progress_bar', progress_bar)
    status, output, errors = run(synthetic_root, '--quick')
    assert status == 130 and not output and 'interrupted' in errors


@pytest.mark.parametrize(
    'wrong',
    [
        ('--workers', '-1'),
        ('--workers', 'x'),
        ('--time-limit', '0'),
        ('--time-limit', 'x'),
        ('--subset', 'v1s'),
    ],
)
def test_wrong_arguments(tool, wrong, capsys):
    with pytest.raises(SystemExit) as exit_status:
        tool.main(['folder', *wrong])
    assert exit_status.value.code == 2
    assert wrong[1] in capsys.readouterr().err
