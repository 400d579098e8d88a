"""Steps with real commands: output, failure, what is done again, and stop."""

from __future__ import annotations

import io
import json
import threading
import time
from pathlib import Path

import pytest
from rich.console import Console

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def tools(monkeypatch):
    """The module, from where the scripts find it."""
    monkeypatch.syspath_prepend(ROOT / 'tools')
    from steps import runner

    return runner


@pytest.fixture
def make(tools, tmp_path):
    """A runner, and a step whose command is the given code."""

    def make(code: str, resume=(), folder=None, **environment):
        script = tmp_path / 'script.py'
        script.write_text(code)
        step = tools.Step(
            'train',
            'Train it',
            (str(script), '--cfg-options', 'lr=[1,2]'),
            output=tmp_path / 'out.txt',
            folder=folder,
            resume=resume,
        )
        screen = io.StringIO()
        runner = tools.StepRunner(
            tmp_path / 'work' / 'steps.json',
            Console(file=screen, width=60),
            environment,
        )
        return runner, step, screen

    return make


WRITE = """
import os, pathlib, sys
print('arguments', *sys.argv[1:])
print('threads', os.environ.get('OMP_NUM_THREADS'))
pathlib.Path(sys.argv[0]).with_name('out.txt').write_text('')
"""


def test_a_command_is_shown_logged_watched_and_recorded(make):
    runner, step, screen = make(WRITE, OMP_NUM_THREADS='3')
    lines = []
    runner.perform(step, 'key', lines.append, jobs=2)
    expected = ['arguments --cfg-options lr=[1,2]', 'threads 3']
    assert lines == expected
    assert runner.log(step).read_text().splitlines() == expected
    # On one line, to be copied, brackets and all.
    assert screen.getvalue().strip().endswith("--cfg-options 'lr=[1,2]'")
    assert len(screen.getvalue().splitlines()) == 1
    record = json.loads(runner.path.read_text())['train']
    assert record.pop('seconds') > 0
    assert record == dict(key='key', done=True, jobs=2)
    assert runner.is_done(step, 'key')
    assert not runner.is_done(step, 'another')
    step.output.unlink()
    assert not runner.is_done(step, 'key')


def test_a_failure_has_the_end_of_the_output(make):
    code = "for i in range(40): print('line', i)\nraise SystemExit(7)"
    runner, step, _ = make(code)
    with pytest.raises(RuntimeError, match='«Train it».*status 7') as error:
        runner.perform(step, 'key')
    assert error.value.tail.splitlines() == [
        f'line {i}' for i in range(15, 40)
    ]
    assert str(runner.log(step)) in str(error.value)
    assert runner.record(step, 'key')['done'] is False


@pytest.mark.parametrize('weights', [True, False])
def test_a_training_goes_on_only_from_a_checkpoint(make, tmp_path, weights):
    """MMEngine may be killed between the old checkpoint and the new."""
    folder = tmp_path / 'train'
    code = 'import sys; print(sys.argv[1:]); sys.exit(1)'
    runner, step, _ = make(code, resume=('--resume',), folder=folder)
    with pytest.raises(RuntimeError):
        runner.perform(step, 'key')
    folder.mkdir()
    checkpoint = folder / 'iter_5.pth'
    (folder / 'last_checkpoint').write_text(str(checkpoint))
    if weights:
        checkpoint.write_text('')
    with pytest.raises(RuntimeError) as error:
        runner.perform(step, 'key')
    assert folder.exists() == weights
    expected = "['--resume', " if weights else '['
    assert error.value.tail == f"{expected}'--cfg-options', 'lr=[1,2]']"


def test_another_key_starts_over_and_counts_its_own_seconds(make, tmp_path):
    folder = tmp_path / 'train'
    folder.mkdir()
    (folder / 'iter_5.pth').write_text('')
    (folder / 'last_checkpoint').write_text(str(folder / 'iter_5.pth'))
    runner, step, _ = make(WRITE, resume=('--resume',), folder=folder)
    runner._put(step, key='old', done=False, seconds=1000.0)
    lines = []
    runner.perform(step, 'new', lines.append)
    assert '--resume' not in lines[0]
    assert not folder.exists()
    assert 0 < runner.seconds()['train'] < 1000


def test_stop_ends_what_runs_and_what_would_follow(make):
    runner, step, _ = make(
        "import time; print('up', flush=True); time.sleep(60)"
    )
    up, errors = threading.Event(), []

    def work():
        try:
            runner.perform(step, 'key', lambda line: up.set())
        except RuntimeError as error:
            errors.append(error)

    thread = threading.Thread(target=work)
    start = time.monotonic()
    thread.start()
    assert up.wait(30)
    runner.stop()
    thread.join(30)
    assert not thread.is_alive()
    assert time.monotonic() - start < 30
    assert 'status -15' in str(errors[0])
    with pytest.raises(RuntimeError, match='stopped'):
        runner.perform(step, 'key')


def test_a_fingerprint_is_of_all_python_sources_below(tools, monkeypatch):
    whole = tools.fingerprint('tools')
    assert whole == tools.fingerprint('tools')
    assert whole != tools.fingerprint('tools/train.py')
    file = tools.fingerprint('tools/train.py')
    read = Path.read_text

    def edited(path, *arguments, **options):
        text = read(path, *arguments, **options)
        return text + '#' if path.name == 'train.py' else text

    monkeypatch.setattr(Path, 'read_text', edited)
    assert tools.fingerprint('tools') != whole
    assert tools.fingerprint('tools/train.py') != file
