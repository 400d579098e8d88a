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


@pytest.mark.parametrize('failing', ['save', 'load', 'replace'])
def test_a_failure_leaves_no_trace(tmp_path, monkeypatch, failing):
    path = tmp_path / 'weights.pth'
    path.write_text('precious')

    def fail(*args, **kwargs):
        raise OSError('no space left')

    owner = os if failing == 'replace' else torch
    monkeypatch.setattr(owner, failing, fail)
    with pytest.raises(OSError, match='no space left'):
        write_checkpoint(path, STATE, {}, overwrite=True)
    assert os.listdir(tmp_path) == ['weights.pth']
    assert path.read_text() == 'precious'


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
    torch.save([1, 2], path)
    with pytest.raises(ConversionError, match='cut.pth: there is no state'):
        read_weights(path)
