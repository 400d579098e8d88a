"""The converter of log-mel pickles: what it writes, refuses and leaves."""

import importlib.util
import os
import pickle
import sys
from pathlib import Path

import numpy as np
import pytest

from mmavs.datasets.log_mel_files import (
    load_log_mel,
    load_log_mel_file,
    save_log_mel,
    save_published_pickle,
)

TOOL = (
    Path(__file__).resolve().parents[2]
    / 'tools/dataset_converters/convert_log_mel.py'
)


def load_tool():
    spec = importlib.util.spec_from_file_location('convert_log_mel', TOOL)
    module = importlib.util.module_from_spec(spec)
    # Its dataclass looks itself up there.
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


tool = load_tool()
# S4, MS3 and AVSS; an id that a shell would run, and one with a dot.
CLIPS = (
    'Single-source/s4_data/audio_log_mel/train/dog/-0a_b.pkl',
    'Single-source/s4_data/audio_log_mel/test/a dog/$(touch made).pkl',
    'Multi-sources/ms3_data/audio_log_mel/val/_x.mp4.pkl',
    'AVSBench-semantic/v2/1234_0_10/audio.pkl',
)


class _Hostile:
    """Makes a directory when it is unpickled."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return os.mkdir, (self.path,)


def patches(seed):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(2, 1, 96, 64)).astype(np.float32)


@pytest.fixture
def tree(tmp_path):
    root = tmp_path / 'data'
    for seed, name in enumerate(CLIPS):
        (root / name).parent.mkdir(parents=True)
        save_published_pickle(str(root / name), patches(seed))
    return root


def listing(root):
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in root.rglob('*')
        if path.is_file()
    }


class TestConvert:
    @pytest.mark.parametrize('suffix', ['.safetensors', '.npy'])
    def test_tree(self, tree, suffix, capsys):
        before = listing(tree)
        assert tool.main([str(tree), '--format', suffix[1:]]) == 0
        assert 'converted 4, complete already 0, refused 0' in (
            capsys.readouterr().out
        )
        after = listing(tree)
        written = {name.removesuffix('.pkl') + suffix for name in CLIPS}
        assert after.keys() == before.keys() | written
        assert all(after[name] == before[name] for name in before)
        for seed, name in enumerate(CLIPS):
            path = str((tree / name).with_suffix(suffix))
            np.testing.assert_array_equal(
                load_log_mel_file(path), patches(seed)
            )

    def test_names_are_only_names(self, tree, monkeypatch, capsys):
        monkeypatch.chdir(tree.parent)
        assert tool.main(['data', '--workers', '1']) == 0
        assert 'pickles' in capsys.readouterr().err  # the bar
        assert os.listdir(tree.parent) == ['data']
        assert not list(tree.rglob('made'))

    def test_goes_on_where_it_stopped(self, tree, capsys):
        first, second, third, fourth = (
            (tree / name).with_suffix('.safetensors') for name in CLIPS
        )
        assert tool.main([str(tree)]) == 0
        kept_ns = third.stat().st_mtime_ns
        first.unlink()
        second.write_bytes(second.read_bytes()[:-1])
        save_published_pickle(str(tree / CLIPS[3]), patches(9))
        newer_ns = fourth.stat().st_mtime_ns + 1
        os.utime(tree / CLIPS[3], ns=(newer_ns, newer_ns))
        capsys.readouterr()
        assert tool.main([str(tree)]) == 0
        assert 'converted 3, complete already 1, refused 0' in (
            capsys.readouterr().out
        )
        assert third.stat().st_mtime_ns == kept_ns
        for path, seed in zip((first, second, third, fourth), (0, 1, 2, 9)):
            np.testing.assert_array_equal(
                load_log_mel_file(str(path)), patches(seed)
            )

    def test_pickles_of_tomorrow(self, tree, capsys):
        """As clocks that are wrong make them; they are converted once."""
        path = tree / CLIPS[0]
        os.utime(path, (4e9, 4e9))
        tool.main([str(tree)])
        tool.main([str(tree)])
        assert 'converted 0, complete already 4' in capsys.readouterr().out
        changed = path.with_suffix('.safetensors')
        save_log_mel(str(changed), patches(7))
        os.utime(changed, (4e9, 4e9))
        np.testing.assert_array_equal(load_log_mel(str(path)), patches(7))


class TestRefused:
    def test_the_rest_is_done(self, tree, tmp_path, capsys):
        made = tmp_path / 'made'
        folder = tree / 'AVSBench-semantic'
        bad = {
            'hostile.pkl': pickle.dumps(_Hostile(made)),
            'shape.pkl': pickle.dumps(patches(0)[0]),
            'short.pkl': (tree / CLIPS[0]).read_bytes()[:-9],
            'empty.pkl': b'',
            'line\nbreak.pkl': b'x',
        }
        for name, content in bad.items():
            (folder / name).write_bytes(content)
        before = listing(folder)
        assert tool.main([str(tree)]) == 1
        assert not made.exists()
        lines = capsys.readouterr().out.splitlines()
        assert lines[0] == 'converted 4, complete already 0, refused 5'
        refused = [line for line in lines if line.startswith('refused: ')]
        assert len(refused) == len(lines) - 1 == 5
        for name in bad:
            shown = str(folder / name).replace('\n', '\\n')
            assert sum(f'refused: {shown}: ' in line for line in refused) == 1
        assert sum("it names 'posix.mkdir'" in line for line in refused) == 1
        assert listing(folder).keys() - before.keys() == {
            'v2/1234_0_10/audio.safetensors'
        }

    def test_links(self, tree, tmp_path, capsys):
        outside = tmp_path / 'outside'
        outside.mkdir()
        save_published_pickle(str(outside / 'x.pkl'), patches(0))
        save_log_mel(str(outside / 'y.npy'), patches(1))
        before = listing(outside)
        os.symlink(outside, tree / 'folder')
        os.symlink(tree, tree / 'Single-source' / 'loop')
        os.symlink(outside / 'x.pkl', tree / 'file.pkl')
        os.symlink('round.pkl', tree / 'round.pkl')
        # Written through, the link would change a file outside.
        target = (tree / CLIPS[0]).with_suffix('.npy')
        os.symlink(outside / 'y.npy', target)
        os.symlink(tree / CLIPS[3], tree / 'inside.pkl')
        assert tool.main([str(tree), '--format', 'npy']) == 1
        assert listing(outside) == before and target.is_symlink()
        output = capsys.readouterr().out
        # Three of the tree, and the link within it.
        assert 'converted 4, complete already 0, refused 3' in output
        assert f'refused: {tree / "file.pkl"}: ' in output
        assert f'refused: {tree / "round.pkl"}: ' in output
        assert f'refused: {tree / CLIPS[0]}: {target} is a link' in output
        assert f'not followed: {tree / "folder"} -> {outside}' in output
        assert f'not followed: {tree / "Single-source/loop"}' in output
        value = load_log_mel_file(str(tree / 'inside.npy'))
        np.testing.assert_array_equal(value, patches(3))

    def test_root_may_be_a_link(self, tree, tmp_path):
        os.symlink(tree, tmp_path / 'link')
        assert tool.main([str(tmp_path / 'link')]) == 0
        assert (tree / CLIPS[0]).with_suffix('.safetensors').is_file()

    def test_target_cannot_be_written(self, tree, capsys):
        (tree / CLIPS[0]).with_suffix('.safetensors').mkdir()
        assert tool.main([str(tree), '--workers', '1']) == 1
        output = capsys.readouterr().out
        assert 'converted 3, complete already 0, refused 1' in output
        assert f'refused: {tree / CLIPS[0]}: ' in output
        assert not list(tree.rglob('*.partial'))

    def test_nothing_to_do(self, tmp_path, capsys):
        assert tool.main([str(tmp_path)]) == 1
        assert f'no .pkl file below {tmp_path}' in capsys.readouterr().err

    @pytest.mark.parametrize(
        'arguments',
        [['none'], ['.', '--workers', '0'], ['.', '--format', 'x']],
    )
    def test_arguments(self, tmp_path, monkeypatch, arguments):
        monkeypatch.chdir(tmp_path)
        with pytest.raises(SystemExit) as caught:
            tool.main(arguments)
        assert caught.value.code == 2
