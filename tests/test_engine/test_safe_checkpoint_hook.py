"""Whatever moment a run dies at, there is something to go on from."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from interrupted_runs import Killed, differences, train
from mmengine.fileio import LocalBackend
from toy_runs import toy_config

from mmavs.engine.checkpoint_files import (
    CheckpointError,
    candidates,
    find_whole_checkpoint,
    what_is_wrong,
)


def names(folder: Path) -> set[str]:
    """Files with checkpoints, whole or not, and the note of the last."""
    return {
        path.name
        for path in folder.iterdir()
        if '.pth' in path.name or 'last_checkpoint' in path.name
    }


class FileSystem:
    """Dies at one of the operations that change checkpoints.

    Args:
        monkeypatch: puts it in the place of the real one.
        dies_at: number of the operation, counted from 0. From then on no
            operation does anything.
    """

    def __init__(self, monkeypatch, dies_at: int) -> None:
        self.left = dies_at
        for owner, name in (
            (os, 'fsync'),
            (os, 'replace'),
            (LocalBackend, 'remove'),
            (Path, 'unlink'),
        ):
            monkeypatch.setattr(owner, name, self._of(getattr(owner, name)))

    def _of(self, operation):
        def counted(*args, **kwargs):
            if self.left == 0:
                self.left -= 1
                if operation.__name__ == 'fsync':
                    # Half of a file has reached the disk.
                    size = os.fstat(args[0]).st_size
                    if os.path.isfile(f'/proc/self/fd/{args[0]}'):
                        os.truncate(args[0], size // 2)
            if self.left < 0:
                raise Killed
            self.left -= 1
            return operation(*args, **kwargs)

        return counted


@pytest.fixture(scope='module')
def whole_run(tmp_path_factory):
    """A run that nothing happens to."""
    folder = tmp_path_factory.mktemp('whole')
    train(toy_config(), folder)
    return folder


def test_files_of_a_run(whole_run):
    assert names(whole_run) == {
        'best_mIoU_iter_6.pth',
        'iter_4.pth',
        'iter_6.pth',
        'last_checkpoint',
    }
    assert find_whole_checkpoint(whole_run) == whole_run / 'iter_6.pth'


@pytest.mark.parametrize('step', [7, pytest.param(1, marks=pytest.mark.slow)])
def test_a_kill_at_any_operation_loses_nothing(
    whole_run, tmp_path, monkeypatch, step
):
    """The resumed run ends with the same files, the same inside."""
    saved = False
    for dies_at in range(0, 200, step):
        folder = tmp_path / str(dies_at)
        with monkeypatch.context() as patch:
            system = FileSystem(patch, dies_at)
            train(toy_config(), folder, kill_at=7)
        found = find_whole_checkpoint(folder)
        assert found is not None or not saved
        saved = found is not None
        train(toy_config(), folder, resume=True)
        assert names(folder) == names(whole_run), dies_at
        assert not differences(folder / 'iter_6.pth', whole_run / 'iter_6.pth')
        shutil.rmtree(folder)
        if system.left >= 0:
            break
    # It died at every operation of the run, and then did not die any more.
    assert 20 < dies_at < 199


@pytest.fixture
def run(whole_run, tmp_path):
    """A copy of a run that is done."""
    folder = tmp_path / 'run'
    shutil.copytree(whole_run, folder)
    return folder


def cut(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def flip_a_bit(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize(
    ('damage', 'words'),
    [
        (cut, 'was cut short'),
        (flip_a_bit, 'is damaged'),
        (lambda path: path.write_bytes(b''), 'is empty'),
        (Path.unlink, 'cannot be read: No such file'),
        (lambda path: path.write_bytes(b'weights'), 'is damaged'),
    ],
)
def test_damage_is_told(run, damage, words):
    last = run / 'iter_6.pth'
    assert what_is_wrong(last) is None
    damage(last)
    assert words in what_is_wrong(last)
    assert str(last) in what_is_wrong(last)
    assert find_whole_checkpoint(run) == run / 'iter_4.pth'


def test_a_resumed_run_takes_the_one_before(run, whole_run):
    cut(run / 'iter_6.pth')
    runner = train(toy_config(), run, resume=True)
    log = max(run.glob('*/*.log')).read_text()
    assert 'iter_6.pth was cut short' in log
    assert runner.iter == 6
    assert not differences(run / 'iter_6.pth', whole_run / 'iter_6.pth')


def test_without_a_whole_one_it_does_not_begin_anew(run):
    for path in run.glob('iter_*.pth'):
        cut(path)
    with pytest.raises(CheckpointError, match='no checkpoint of .*iter_4'):
        train(toy_config(), run, resume=True)


def test_a_damaged_file_that_was_named_is_an_error(run):
    cut(run / 'iter_6.pth')
    config = toy_config(load_from=str(run / 'iter_6.pth'))
    with pytest.raises(CheckpointError, match='last whole .*iter_4.pth'):
        train(config, run / 'other', resume=True)


def test_candidates(tmp_path):
    assert candidates(tmp_path) == []
    for name in ('iter_10', 'iter_9', 'iter_11', 'epoch_3', 'best_iter_4'):
        (tmp_path / f'{name}.pth').touch()
    note = tmp_path / 'last_checkpoint'
    # iter_11.pth is of an earlier run, which went further.
    note.write_text(str(tmp_path / 'iter_10.pth'))
    assert [path.name for path in candidates(tmp_path)] == [
        'iter_10.pth',
        'iter_9.pth',
    ]
    note.write_text('/moved/iter_10.pth')
    assert candidates(tmp_path)[0] == tmp_path / 'iter_10.pth'
    note.write_text('')
    for number, name in enumerate(('iter_9', 'epoch_3', 'iter_10')):
        os.utime(tmp_path / f'{name}.pth', (number, number))
    os.utime(tmp_path / 'iter_11.pth', (-1, -1))
    assert [path.stem for path in candidates(tmp_path)] == [
        'iter_10',
        'epoch_3',
        'iter_9',
        'iter_11',
    ]


def test_strays_are_removed(run):
    for name in ('iter_8.pth.partial', 'last_checkpoint.partial'):
        (run / name).touch()
    (run / 'mine.partial').touch()
    train(toy_config(), run, resume=True)
    assert sorted(p.name for p in run.glob('*.partial')) == ['mine.partial']


def test_best_checkpoint_of_another_run_stays(run):
    """That of the run whose checkpoint this one began with."""
    config = toy_config(load_from=str(run / 'iter_4.pth'))
    train(config, run / 'other', resume=True)
    assert (run / 'best_mIoU_iter_6.pth').exists()
    assert (run / 'other/best_mIoU_iter_6.pth').exists()


def fill_disk_at(monkeypatch, number: int) -> None:
    """Let a write fail, as on a full disk."""
    left = [number]
    real = os.fsync

    def fsync(file):
        if left[0] == 0:
            raise OSError(errno.ENOSPC, 'No space left on device')
        left[0] -= 1
        real(file)

    monkeypatch.setattr(os, 'fsync', fsync)


# Two writes of a file, two of its folder: the second checkpoint is iter_3's
# best, the third is written anew with it.
@pytest.mark.parametrize('number', [4, 6])
def test_a_full_disk(tmp_path, monkeypatch, number, whole_run):
    with monkeypatch.context() as patch:
        fill_disk_at(patch, number)
        with pytest.raises(CheckpointError) as error:
            train(toy_config(), tmp_path)
    text = str(error.value)
    assert 'No space left on device' in text
    assert f'The last whole checkpoint is {tmp_path / "iter_2.pth"}' in text
    assert '--resume' in text
    assert not list(tmp_path.glob('*.partial'))
    assert find_whole_checkpoint(tmp_path) == tmp_path / 'iter_2.pth'
    train(toy_config(), tmp_path, resume=True)
    assert not differences(tmp_path / 'iter_6.pth', whole_run / 'iter_6.pth')


@pytest.fixture
def small_disk(tmp_path):
    """A disk of 64 KiB, where one may mount one."""
    folder = tmp_path / 'disk'
    folder.mkdir()
    command = ['mount', '-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', folder]
    if subprocess.run(command, capture_output=True).returncode:
        pytest.skip('mounting a tmpfs needs rights')
    yield folder
    subprocess.run(['umount', folder], check=True)


def test_a_disk_that_is_really_full(small_disk, tmp_path, whole_run):
    config = toy_config(
        **{'default_hooks.checkpoint.out_dir': str(small_disk)}
    )
    with pytest.raises(CheckpointError, match='No space left') as error:
        train(config, tmp_path / 'run')
    folder = small_disk / 'run'
    whole = find_whole_checkpoint(tmp_path / 'run')
    assert f'The last whole checkpoint is {whole}' in str(error.value)
    assert whole.parent == folder
    assert not list(folder.glob('*.partial'))
    subprocess.run(['mount', '-o', 'remount,size=1m', small_disk], check=True)
    train(config, tmp_path / 'run', resume=True)
    assert not differences(folder / 'iter_6.pth', whole_run / 'iter_6.pth')
