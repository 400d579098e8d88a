"""Folders of results: in one step, and nothing else is touched."""

import json
import os
import signal
import subprocess
import sys

import pytest

from mmavs.inference.results import partial_folder as partial_folder_module
from mmavs.inference.results.result_folder import (
    choose_folder,
    lies_within,
    result_folder,
)

OURS = json.dumps(dict(made_by='mmavs'))


def write(folder, path=None, **files):
    """Make a result with these files; those of it have an ending."""
    facts = {} if path is None else dict(input=dict(path=path))
    with result_folder(folder, path) as partial:
        (partial / 'result.json').write_text(
            json.dumps(dict(made_by='mmavs') | facts)
        )
        for name, content in files.items():
            (partial / f'{name}.mp4').write_text(content)


def content_of(root):
    return {
        str(path.relative_to(root)): path.read_text()
        for path in root.rglob('*')
        if path.is_file()
    }


@pytest.fixture
def older(tmp_path):
    folder = tmp_path / 'out' / 'clip'
    write(folder, overlay='older')
    return folder


class TestMaking:
    def test_not_there_until_it_is_complete(self, tmp_path):
        folder = tmp_path / 'a' / 'b' / 'clip'
        with result_folder(folder) as partial:
            assert not folder.exists()
            assert partial.parent == folder.parent
            assert partial.name.endswith('.partial')
            (partial / 'result.json').write_text(OURS)
        assert content_of(tmp_path) == {'a/b/clip/result.json': OURS}
        # Made as any other folder is.
        assert folder.stat().st_mode == folder.parent.stat().st_mode

    def test_older_result_is_replaced_as_a_whole(self, older):
        (older / 'timeline.png').write_text('older')
        write(older, overlay='newer')
        assert content_of(older.parent) == {
            'clip/result.json': OURS,
            'clip/overlay.mp4': 'newer',
        }
        assert [path.name for path in older.parent.iterdir()] == ['clip']

    def test_empty_folder(self, tmp_path):
        write(tmp_path)
        assert content_of(tmp_path) == {'result.json': OURS}

    def test_link_stays_a_link(self, older, tmp_path):
        link = tmp_path / 'link'
        link.symlink_to(older)
        write(link, overlay='newer')
        assert link.is_symlink()
        assert (older / 'overlay.mp4').read_text() == 'newer'

    @pytest.mark.parametrize('name', ['x' * 255, 'é' * 127, '-x', 'a\nb'])
    def test_names(self, tmp_path, name):
        for content in ('older', 'newer'):
            write(tmp_path / name, overlay=content)
        assert content_of(tmp_path)[f'{name}/overlay.mp4'] == 'newer'
        assert len(list(tmp_path.iterdir())) == 1

    def test_two_at_a_time(self, tmp_path):
        folder = tmp_path / 'clip'
        with result_folder(folder) as partial:
            write(folder, overlay='meanwhile')
            (partial / 'result.json').write_text(OURS)
        assert content_of(tmp_path) == {'clip/result.json': OURS}


class TestErrors:
    @pytest.mark.parametrize('kind', [ValueError, KeyboardInterrupt])
    def test_older_result_stays(self, older, kind):
        before = content_of(older.parent)
        with pytest.raises(kind), result_folder(older) as partial:
            (partial / 'masks').mkdir()
            (partial / 'masks' / '1.png').write_text('half')
            raise kind
        assert content_of(older.parent) == before
        assert [path.name for path in older.parent.iterdir()] == ['clip']

    def test_older_result_comes_back(self, older, monkeypatch):
        before = content_of(older.parent)
        rename = os.rename

        def full(source, target):
            if str(source).endswith('.partial'):
                raise OSError(28, 'No space left on device')
            rename(source, target)

        monkeypatch.setattr(os, 'rename', full)
        with pytest.raises(OSError, match='No space left'):
            write(older, overlay='newer')
        assert content_of(older.parent) == before
        assert [path.name for path in older.parent.iterdir()] == ['clip']

    @pytest.mark.parametrize(
        ('files', 'rule'),
        [
            (dict(notes='mine'), 'holds something else'),
            ({'result.json': 'no json'}, 'holds something else'),
            ({'result.json': '[]'}, 'holds something else'),
            ({'result.json': '[' * 100_000}, 'holds something else'),
            ({'result.json': '{"made_by": "me"}'}, 'holds something else'),
            ({'result.json': OURS, 'my\nnotes': ''}, r"holds 'my\\nnotes'"),
            (
                {
                    'result.json': OURS,
                    'masks/000001.png': '',
                    'masks/1.png': '',
                },
                "holds 'masks/1.png'",
            ),
            (
                {'result.json': OURS, 'uncertainty/notes.txt': 'mine'},
                "holds 'uncertainty/notes.txt'",
            ),
            (
                {'result.json': OURS, 'probabilities/000001.png/mine': ''},
                "holds 'probabilities/000001.png'",
            ),
            ({'result.json': OURS, 'masks': 'a file'}, "holds 'masks'"),
            ({'result.json': OURS, 'overlay.mp4/mine': ''}, "'overlay.mp4'"),
        ],
    )
    def test_others_are_left_alone(self, tmp_path, files, rule):
        folder = tmp_path / 'clip'
        folder.mkdir()
        for name, content in files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(content)
        with pytest.raises(FileExistsError, match=rule) as caught:
            write(folder)
        assert str(folder) in str(caught.value)
        assert content_of(folder) == files
        assert [path.name for path in tmp_path.iterdir()] == ['clip']

    def test_something_else_that_came_meanwhile(self, tmp_path):
        folder = tmp_path / 'clip'
        with pytest.raises(FileExistsError), result_folder(folder):
            folder.mkdir()
            (folder / 'notes').write_text('mine')
        assert content_of(tmp_path) == {'clip/notes': 'mine'}

    def test_links_of_others(self, older, tmp_path):
        (tmp_path / 'mine').mkdir()
        (older / 'masks').symlink_to(tmp_path / 'mine')
        with pytest.raises(FileExistsError, match="holds 'masks'"):
            write(older)

    def test_result_of_another_recording(self, tmp_path):
        folder = tmp_path / 'clip'
        write(folder, '/a/clip.mp4', overlay='older')
        before = content_of(folder)
        for path in ('/b/clip.mp4', None):
            with pytest.raises(
                FileExistsError, match='of another recording, /a/clip.mp4'
            ):
                write(folder, path)
        # One that was made meanwhile.
        with (
            pytest.raises(FileExistsError),
            result_folder(tmp_path / 'new', '/b/clip.mp4') as partial,
        ):
            write(tmp_path / 'new', '/a/clip.mp4', overlay='first')
            (partial / 'result.json').write_text(OURS)
        assert content_of(folder) == before
        assert content_of(tmp_path / 'new')['overlay.mp4'] == 'first'
        write(folder, '/a/clip.mp4', overlay='newer')
        assert content_of(folder)['overlay.mp4'] == 'newer'

    def test_file_in_the_way(self, tmp_path):
        (tmp_path / 'clip').write_text('mine')
        with pytest.raises(FileExistsError, match='clip is not a folder'):
            write(tmp_path / 'clip')
        with pytest.raises(OSError, match='clip'):
            write(tmp_path / 'clip' / 'more')
        assert content_of(tmp_path) == {'clip': 'mine'}


def test_lies_within(tmp_path):
    (tmp_path / 'link').symlink_to(tmp_path / 'a')
    (tmp_path / 'a').mkdir()
    assert lies_within(tmp_path / 'a', tmp_path / 'a')
    assert lies_within(tmp_path / 'link' / 'clip.mp4', tmp_path / 'a')
    assert lies_within(tmp_path / 'a' / 'b' / 'c', tmp_path / 'a')
    assert not lies_within(tmp_path / 'ab', tmp_path / 'a')
    assert not lies_within(tmp_path, tmp_path / 'a')


class TestKilled:
    @pytest.fixture
    def killed(self, tmp_path):
        """Kill a process that fills a folder; returns what is left."""
        # The module alone: torch takes its time.
        path = partial_folder_module.__file__

        def kill(name):
            script = (
                'import pathlib, runpy, sys, time\n'
                'module, target = sys.argv[1:]\n'
                "make = runpy.run_path(module)['partial_folder']\n"
                'with make(pathlib.Path(target)) as partial:\n'
                "    (partial / 'masks').mkdir()\n"
                "    (partial / 'masks' / '000001.png').write_text('half')\n"
                "    print('there', flush=True)\n"
                '    time.sleep(100)\n'
            )
            with subprocess.Popen(
                [sys.executable, '-c', script, path, str(tmp_path / name)],
                stdout=subprocess.PIPE,
            ) as process:
                process.stdout.readline()
                process.send_signal(signal.SIGKILL)
            (partial,) = tmp_path.glob('*.partial')
            return partial

        return kill

    def test_what_is_left_goes(self, tmp_path, killed):
        pytest.importorskip('fcntl', reason='no locks on this system')
        partial = killed('clip')
        # Of other names, or nothing of ours.
        others = ['clip.mp4', 'clip.partial', 'clips.0123abcd.partial']
        for name in others:
            (tmp_path / name).mkdir()
        with result_folder(tmp_path / 'clip') as mine:
            assert not partial.exists()
            # One that is being filled stays.
            write(tmp_path / 'clip', overlay='meanwhile')
            assert mine.exists()
            (mine / 'result.json').write_text(OURS)
        names = {path.name for path in tmp_path.iterdir()}
        assert names == {'clip', *others}

    def test_older_result_that_was_not_removed(self, older):
        left = older.with_name('clip.0123abcd.old')
        (left / 'masks').mkdir(parents=True)
        write(older, overlay='newer')
        assert [path.name for path in older.parent.iterdir()] == ['clip']


class TestNames:
    """The folder of a recording among others."""

    def choose(self, root, *sources):
        """Write a result of each; returns the names of the folders."""
        names = []
        for source in sources:
            path = root / 'in' / source
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
            folder = choose_folder(root / 'out', path)
            assert folder.parent == root / 'out'
            write(folder, str(path))
            names.append(folder.name)
        return names

    @pytest.mark.parametrize(
        ('sources', 'names'),
        [
            (['a/clip.mp4', '-x.mp4', 'ü v.w.webm'], ['clip', '-x', 'ü v.w']),
            (['a/clip.mp4', 'b/clip.mp4'], ['clip', 'clip_2']),
            (['a/c.mp4', 'b/c.mp4', 'c_2.mp4'], ['c', 'c_2', 'c_2_2']),
            (['c_2.mp4', 'a/c.mp4', 'b/c.mp4'], ['c_2', 'c', 'c_3']),
            (['a/Clip.mp4', 'a/clip.mp4'], ['Clip', 'clip_2']),
            (['.mp4', '..mp4', '...mp4'], ['.mp4', '..mp4', '...mp4']),
            (['a/' + 'x' * 255, 'x' * 255], ['x' * 255, 'x' * 253 + '_2']),
            (['a/' + 'é' * 127, 'é' * 127], ['é' * 127, 'é' * 126 + '_2']),
        ],
    )
    def test_numbers(self, tmp_path, sources, names):
        assert self.choose(tmp_path, *sources) == names
        # Each is found again, whatever the order.
        again = self.choose(tmp_path, *sources[::-1])
        assert again == names[::-1]
        assert len(list((tmp_path / 'out').iterdir())) == len(names)

    def test_behind_a_gap(self, tmp_path):
        names = self.choose(tmp_path, 'a/c.mp4', 'b/c.mp4', 'c/c.mp4')
        (tmp_path / 'out' / 'c' / 'result.json').unlink()
        (tmp_path / 'out' / 'c').rmdir()
        assert self.choose(tmp_path, 'c/c.mp4', 'b/c.mp4') == names[:0:-1]
        assert self.choose(tmp_path, 'd/c.mp4') == ['c']

    def test_what_is_no_result(self, tmp_path):
        out = tmp_path / 'out'
        (out / 'c').mkdir(parents=True)
        (out / 'c' / 'notes').write_text('mine')
        (out / 'c_2').write_text('mine')
        assert self.choose(tmp_path, 'c.mp4', 'c.mp4') == ['c_3', 'c_3']

    def test_links_and_relative_paths(self, tmp_path, monkeypatch):
        self.choose(tmp_path, 'a/c.mp4', 'b/c.mp4')
        (tmp_path / 'link').symlink_to(tmp_path / 'in' / 'b')
        monkeypatch.chdir(tmp_path / 'in')
        for source in ('b/c.mp4', '../link/c.mp4'):
            assert choose_folder('../out', source).name == 'c_2'

    def test_of_arrays(self, tmp_path):
        # Nobody knows whether they are the same.
        write(tmp_path / 'array')
        assert choose_folder(tmp_path, 'array').name == 'array_2'

    def test_of_folders(self, tmp_path, monkeypatch):
        (tmp_path / 'a.b').mkdir()
        monkeypatch.chdir(tmp_path / 'a.b')
        # A point in the name of a folder is no extension.
        for source in (tmp_path / 'a.b', '.'):
            assert choose_folder('out', source).name == 'a.b'
