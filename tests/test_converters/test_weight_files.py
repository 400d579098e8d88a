"""Files are read without running code, and written whole or not at all."""

import os
import re

import pytest
import torch

from mmavs.converters import ConversionError, read_weights, write_checkpoint
from mmavs.version import __version__

STATE = dict(a=torch.arange(3.0), b=torch.tensor(2))


class _Hostile:
    """Makes a directory when it is unpickled."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return os.mkdir, (self.path,)


def test_written_and_read_back(tmp_path):
    path = tmp_path / 'new' / 'folder' / 'weights.pth'
    write_checkpoint(path, STATE, dict(layout=dict(fusion='TPAVI')))
    content = torch.load(path, weights_only=True)
    assert content['meta'] == dict(
        layout=dict(fusion='TPAVI'), mmavs_version=__version__
    )
    state = read_weights(path)
    assert state.keys() == STATE.keys()
    assert all(torch.equal(state[key], STATE[key]) for key in STATE)
    assert os.listdir(path.parent) == ['weights.pth']


def test_an_existing_file_is_kept_unless_told(tmp_path):
    path = tmp_path / 'weights.pth'
    path.write_text('precious')
    with pytest.raises(FileExistsError, match='weights.pth.*--force'):
        write_checkpoint(path, STATE, {})
    assert path.read_text() == 'precious'
    write_checkpoint(path, STATE, {}, overwrite=True)
    assert read_weights(path).keys() == STATE.keys()


def test_a_directory_is_never_replaced(tmp_path):
    with pytest.raises(FileExistsError, match='is a directory'):
        write_checkpoint(tmp_path, STATE, {}, overwrite=True)


@pytest.mark.parametrize('kind', [OSError, RuntimeError])
@pytest.mark.parametrize('failing', ['save', 'load', 'replace'])
def test_a_failure_leaves_no_trace(tmp_path, monkeypatch, failing, kind):
    path = tmp_path / 'weights.pth'
    path.write_text('precious')

    def fail(*args, **kwargs):
        raise kind('no space left\nframe 0: and where it happened')

    owner = os if failing == 'replace' else torch
    monkeypatch.setattr(owner, failing, fail)
    with pytest.raises(OSError, match='no space left') as error:
        write_checkpoint(path, STATE, {}, overwrite=True)
    if kind is RuntimeError:
        assert str(error.value) == f'{path} cannot be written: no space left'
    assert os.listdir(tmp_path) == ['weights.pth']
    assert path.read_text() == 'precious'
    # Nor does a folder that was made for the file.
    with pytest.raises(OSError, match='no space left'):
        write_checkpoint(tmp_path / 'a' / 'b' / 'weights.pth', STATE, {})
    assert os.listdir(tmp_path) == ['weights.pth']


def test_a_folder_that_was_there_or_is_used_stays(tmp_path, monkeypatch):
    (tmp_path / 'there').mkdir()

    def fail(*args, **kwargs):
        # Meanwhile somebody else uses the new folder.
        if (tmp_path / 'new' / 'folder').exists():
            (tmp_path / 'new' / 'other').write_text('')
        raise RuntimeError('no space left')

    monkeypatch.setattr(torch, 'save', fail)
    for folder in ('there', 'new/folder'):
        with pytest.raises(OSError, match='no space left'):
            write_checkpoint(tmp_path / folder / 'weights.pth', STATE, {})
    assert sorted(os.listdir(tmp_path)) == ['new', 'there']
    assert os.listdir(tmp_path / 'there') == []
    assert os.listdir(tmp_path / 'new') == ['other']


def test_what_torch_would_not_read_back_is_not_written(tmp_path):
    """Only plain values in ``meta``: the file must load with weights_only."""
    with pytest.raises(Exception, match='PosixPath|WindowsPath|posix'):
        write_checkpoint(tmp_path / 'w.pth', STATE, dict(source=tmp_path))
    assert os.listdir(tmp_path) == []


def test_hostile_file(tmp_path):
    path, witness = tmp_path / 'hostile.pth', tmp_path / 'witness'
    torch.save(dict(state_dict=STATE, extra=_Hostile(witness)), path)
    with pytest.raises(ConversionError, match='hostile.pth.*mkdir'):
        read_weights(path)
    assert not witness.exists()


def test_unreadable_files(tmp_path):
    with pytest.raises(ConversionError, match='none.pth does not exist$'):
        read_weights(tmp_path / 'none.pth')
    with pytest.raises(ConversionError, match='is a directory$'):
        read_weights(tmp_path)
    path = tmp_path / 'cut.pth'
    torch.save(STATE, path)
    whole = path.read_bytes()
    for length in (0, 10, 300, len(whole) // 2, len(whole) - 10):
        path.write_bytes(whole[:length])
        with pytest.raises(ConversionError, match=re.escape(str(path))):
            read_weights(path)
    path.write_bytes(b'')
    with pytest.raises(ConversionError, match='cut.pth is empty'):
        read_weights(path)
    torch.save([1, 2], path)
    with pytest.raises(ConversionError, match='cut.pth: there is no state'):
        read_weights(path)
