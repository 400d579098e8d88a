"""The demo: what is done again, what is not, and a run in small."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def demo(monkeypatch, tmp_path):
    """The script, its commands recorded in the place of being run."""
    monkeypatch.syspath_prepend(ROOT / 'tools')
    spec = importlib.util.spec_from_file_location(
        'tools_demo', ROOT / 'tools' / 'demo.py'
    )
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, 'tools_demo', module)
    spec.loader.exec_module(module)
    module.calls = []
    module.fail_at = None
    module.code = 'one'
    work = tmp_path / 'work'

    def fake(runner, step, arguments, watch):
        module.calls.append((step.name, arguments))
        step.output.parent.mkdir(parents=True, exist_ok=True)
        if step.name == module.fail_at:
            raise SystemExit('killed')
        if step.name.startswith('listen'):
            scores = dict(mIoU=dict(value=0.5), F=dict(value=0.6))
            found = dict.fromkeys(module.CONDITIONS, scores)
            step.output.write_text(json.dumps(dict(conditions=found)))
        elif step.name.startswith('test'):
            step.output.mkdir(exist_ok=True)
        elif step.name.startswith('video'):
            (step.output / 'clip').mkdir(parents=True)
            (step.output / 'clip' / 'overlay.mp4').write_text('')
        else:
            step.output.write_text('')
        if step.name.startswith('train'):
            (step.folder / 'best_mIoU_iter_90.pth').write_text('')

    def run(*arguments):
        module.calls.clear()
        monkeypatch.setattr(
            sys,
            'argv',
            [
                'demo',
                *('--work-dir', str(work)),
                *('--data', str(tmp_path / 'data')),
                *arguments,
            ],
        )
        module.main()
        return [name for name, _ in module.calls]

    monkeypatch.setattr(module.StepRunner, 'execute', fake)
    monkeypatch.setattr(module, 'fingerprint', lambda *_: module.code)
    module.main_with = run
    module.work = work
    return module


ALL = [
    'data',
    'audio',
    'train_s4',
    'test_s4',
    'listen_s4',
    'train_ms3',
    'test_ms3',
    'listen_ms3',
    'video_made',
    'video_marked',
]


def test_everything_once_then_nothing(demo):
    assert demo.main_with() == ALL
    assert demo.main_with() == []
    summary = json.loads((demo.work / 'summary.json').read_text())
    assert set(summary) == {'s4', 'ms3', 'seconds'}
    assert set(summary['ms3']) == {
        'mIoU',
        'F',
        'mIoU_twin',
        'mIoU_swapped',
        'mIoU_silence',
    }
    assert set(summary['seconds']) == {*ALL, 'total'}


def test_ms3_starts_from_the_best_s4_weights(demo):
    demo.main_with()
    commands = dict(demo.calls)
    best = f'load_from={demo.work}/s4/best_mIoU_iter_90.pth'
    assert best in commands['train_ms3']
    assert not any('load_from' in a for a in commands['train_s4'])


def test_another_seed_or_source_starts_over(demo):
    demo.main_with()
    assert demo.main_with('--seed', '1') == ALL
    demo.code = 'two'
    assert demo.main_with('--seed', '1') == ALL


def test_what_was_removed_is_made_again(demo):
    demo.main_with()
    (demo.work / 's4_listen' / 'listening.json').unlink()
    assert demo.main_with() == ['listen_s4']


@pytest.mark.parametrize('saved', [True, False])
def test_interrupted_training_goes_on_only_from_a_checkpoint(demo, saved):
    demo.fail_at = 'train_ms3'
    with pytest.raises(SystemExit, match='killed'):
        demo.main_with()
    if saved:
        folder = demo.work / 'ms3'
        (folder / 'iter_9.pth').write_text('')
        (folder / 'last_checkpoint').write_text(str(folder / 'iter_9.pth'))
    demo.fail_at = None
    assert demo.main_with() == ALL[5:]
    arguments = demo.calls[0][1]
    assert ('--resume' in arguments) == saved
    if saved:
        settings = arguments.index('--cfg-options')
        assert arguments.index('--resume') < settings


def test_interrupted_data_are_overwritten_whole_ones_are_not(demo):
    demo.fail_at = 'data'
    with pytest.raises(SystemExit):
        demo.main_with()
    assert '--overwrite' not in demo.calls[0][1]
    demo.fail_at = None
    demo.main_with()
    assert demo.calls[0][1][-1] == '--overwrite'


def test_a_folder_of_somebody_else_is_left_alone(demo):
    demo.work.mkdir()
    (demo.work / 'thesis.tex').write_text('')
    for fresh in ([], ['--fresh']):
        with pytest.raises(SystemExit, match='not empty'):
            demo.main_with(*fresh)


def test_fresh_removes_the_own_entries_only(demo):
    demo.main_with()
    (demo.work / 'thesis.tex').write_text('')
    assert demo.main_with('--fresh') == ALL
    assert (demo.work / 'thesis.tex').exists()


def test_a_path_that_settings_cannot_hold_is_refused(demo, capsys):
    with pytest.raises(SystemExit):
        demo.main_with('--data', 'my clips')
    assert "'my clips'" in capsys.readouterr().err


def test_commands_are_files_of_the_repository(demo):
    demo.main_with()
    for _, arguments in demo.calls:
        assert (ROOT / arguments[0]).is_file()
        for argument in arguments:
            if argument.startswith('configs/'):
                assert (ROOT / argument).is_file()
