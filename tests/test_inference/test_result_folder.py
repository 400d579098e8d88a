"""Folders of results: in one step, and nothing else is touched."""

import json
import os

import pytest

from mmavs.inference.results.result_folder import (
    folder_names,
    lies_within,
    result_folder,
)

OURS = json.dumps(dict(made_by='mmavs'))


def write(folder, **files):
    """Make a result with these files; those of it have an ending."""
    with result_folder(folder) as partial:
        (partial / 'result.json').write_text(OURS)
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
        ],
    )
    def test_others_are_left_alone(self, tmp_path, files, rule):
        folder = tmp_path / 'clip'
        folder.mkdir()
        for name, content in files.items():
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


@pytest.mark.parametrize(
    ('sources', 'names'),
    [
        (['a/clip.mp4', '-x.mp4', 'ü v.w.webm'], ['clip', '-x', 'ü v.w']),
        (['a/clip.mp4', 'b/clip.mp4'], ['clip', 'clip_2']),
        (['a/c.mp4', 'b/c.mp4', 'c_2.mp4'], ['c', 'c_3', 'c_2']),
        (['c_2.mp4', 'a/c.mp4', 'b/c.mp4'], ['c_2', 'c', 'c_3']),
        (['a/Clip.mp4', 'a/clip.mp4'], ['Clip', 'clip_2']),
        (['.mp4', '..mp4', '...mp4'], ['.mp4', '..mp4', '...mp4']),
        (['x' * 255] * 2, ['x' * 255, 'x' * 253 + '_2']),
        (['é' * 127] * 2, ['é' * 127, 'é' * 126 + '_2']),
        ([], []),
    ],
)
def test_folder_names(sources, names):
    assert folder_names(sources) == names


def test_folder_names_of_folders(tmp_path, monkeypatch):
    (tmp_path / 'a.b').mkdir()
    monkeypatch.chdir(tmp_path / 'a.b')
    # A point in the name of a folder is no extension.
    assert folder_names([tmp_path / 'a.b', '.']) == ['a.b', 'a.b_2']
