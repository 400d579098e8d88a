"""Log-mel files: three formats, the choice between them, what is refused."""

import io
import os
import pickle
import struct
import time

import numpy as np
import pytest
import safetensors.numpy
import safetensors.torch
import torch

from mmavs.datasets import log_mel_files
from mmavs.datasets.errors import DataError, MissingDataError
from mmavs.datasets.log_mel_files import (
    MAX_BYTES,
    load_log_mel,
    load_log_mel_file,
    save_log_mel,
    save_published_pickle,
)

SUFFIXES = ('.pkl', '.safetensors', '.npy')


def patches(num_patches=2, seed=0):
    rng = np.random.default_rng(seed)
    shape = (num_patches, 1, 96, 64)
    return rng.normal(-2, 2, shape).astype(np.float32)


def save(path, log_mel):
    if path.suffix == '.pkl':
        save_published_pickle(str(path), log_mel)
    else:
        save_log_mel(str(path), log_mel)


def npy(array):
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def encoded(array, suffix):
    """Any array in one of the formats, without the checks of the library."""
    if suffix == '.pkl':
        return pickle.dumps(torch.from_numpy(array))
    if suffix == '.npy':
        return npy(array)
    return safetensors.numpy.save({'log_mel': array})


class MakesFolder:
    """Does so when it is unpickled."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return os.mkdir, (self.path,)


class TestRoundTrip:
    @pytest.mark.parametrize('suffix', SUFFIXES)
    @pytest.mark.parametrize('num_patches', [1, 5, 10])
    def test_values(self, tmp_path, suffix, num_patches):
        # An id of YouTube, as AVSBench has them.
        path = tmp_path / f'-_4e.mp4_0{suffix}'
        expected = patches(num_patches)
        save(path, expected)
        value = load_log_mel(str(path))
        assert value.dtype == np.float32 and value.flags.writeable
        np.testing.assert_array_equal(value, expected)
        assert os.listdir(tmp_path) == [path.name]

    @pytest.mark.parametrize('dtype', ['<f2', '>f4', '<f8'])
    def test_other_floating_point_types(self, tmp_path, dtype):
        stored = patches().astype(dtype)
        path = tmp_path / 'x.npy'
        path.write_bytes(npy(np.asfortranarray(stored)))
        value = load_log_mel(str(path))
        assert value.dtype == np.float32 and value.dtype.isnative
        np.testing.assert_array_equal(value, stored.astype(np.float32))

    def test_safetensors_is_read_by_others(self, tmp_path):
        save_log_mel(str(tmp_path / 'x.safetensors'), patches())
        content = safetensors.torch.load_file(tmp_path / 'x.safetensors')
        assert content.keys() == {'log_mel'}
        np.testing.assert_array_equal(content['log_mel'].numpy(), patches())

    @pytest.mark.parametrize('protocol', range(6))
    def test_published_form(self, tmp_path, protocol):
        """As others read it: a torch tensor that requires gradients."""
        path = tmp_path / 'x.pkl'
        save_published_pickle(str(path), patches(), protocol)
        tensor = pickle.loads(path.read_bytes())
        assert tensor.requires_grad and tensor.dtype == torch.float32
        np.testing.assert_array_equal(tensor.detach().numpy(), patches())
        np.testing.assert_array_equal(load_log_mel(str(path)), patches())

    def test_published_form_is_reproducible(self, tmp_path):
        kept = [torch.zeros(2, 1, 96, 64)]  # other places in memory
        for name in ('a.pkl', 'b.pkl'):
            save_published_pickle(str(tmp_path / name), patches())
            kept.append(torch.ones(2, 1, 96, 64))
        content = (tmp_path / 'a.pkl').read_bytes()
        assert content == (tmp_path / 'b.pkl').read_bytes()
        plain = pickle.dumps(torch.from_numpy(patches()).requires_grad_(), 3)
        # The key of the storage, twice, is all that torch writes else.
        assert 0 < len(plain) - len(content) < 64

    def test_file_backend(self, tmp_path):
        save_log_mel(str(tmp_path / 'x.npy'), patches())
        options = dict(backend='local')
        value = load_log_mel(str(tmp_path / 'x.pkl'), options)
        np.testing.assert_array_equal(value, patches())


class TestSiblings:
    def test_converted_is_preferred(self, tmp_path):
        for seed, suffix in enumerate(('.pkl', '.npy', '.safetensors')):
            save(tmp_path / f'x{suffix}', patches(seed=seed))
            value = load_log_mel(str(tmp_path / 'x.pkl'))
            np.testing.assert_array_equal(value, patches(seed=seed))
        value = load_log_mel(str(tmp_path / 'x.npy'))
        np.testing.assert_array_equal(value, patches(seed=1))
        value = load_log_mel_file(str(tmp_path / 'x.pkl'))
        np.testing.assert_array_equal(value, patches(seed=0))

    def test_older_than_the_pickle(self, tmp_path):
        """Pickles that were replaced after the conversion are not missed."""
        save(tmp_path / 'x.safetensors', patches(seed=0))
        save(tmp_path / 'x.pkl', patches(seed=1))
        changed_ns = (tmp_path / 'x.safetensors').stat().st_mtime_ns
        os.utime(tmp_path / 'x.pkl', ns=(changed_ns, changed_ns + 1))
        value = load_log_mel(str(tmp_path / 'x.pkl'))
        np.testing.assert_array_equal(value, patches(seed=1))
        os.utime(tmp_path / 'x.pkl', ns=(changed_ns, changed_ns))
        value = load_log_mel(str(tmp_path / 'x.pkl'))
        np.testing.assert_array_equal(value, patches(seed=0))

    def test_pickle_was_removed(self, tmp_path):
        save(tmp_path / 'x.safetensors', patches())
        value = load_log_mel(str(tmp_path / 'x.pkl'))
        np.testing.assert_array_equal(value, patches())

    def test_missing(self, tmp_path):
        save(tmp_path / 'x.safetensors', patches())
        with pytest.raises(MissingDataError, match='y.pkl does not exist'):
            load_log_mel(str(tmp_path / 'y.pkl'))
        with pytest.raises(FileNotFoundError, match='x.npy does not exist'):
            load_log_mel(str(tmp_path / 'x.npy'))


class TestRefused:
    @staticmethod
    def message(path, content=None, **kwargs):
        if content is not None:
            path.write_bytes(content)
        start = time.perf_counter()
        with pytest.raises(DataError) as caught:
            load_log_mel(str(path), **kwargs)
        assert time.perf_counter() - start < 1.0
        assert str(path) in str(caught.value)
        return str(caught.value)

    @pytest.mark.parametrize('suffix', SUFFIXES)
    @pytest.mark.parametrize(
        'shape', [(2, 96, 64), (1, 2, 96, 64), (2, 1, 64, 96), (96, 64), ()]
    )
    def test_shape(self, tmp_path, suffix, shape):
        array = np.zeros(shape, np.float32)
        message = self.message(tmp_path / f'x{suffix}', encoded(array, suffix))
        assert f'log_mel must be (P, 1, 96, 64), got {shape}' in message

    @pytest.mark.parametrize('suffix', SUFFIXES)
    @pytest.mark.parametrize('value', [np.nan, np.inf, -np.inf, 1e300])
    def test_not_finite(self, tmp_path, suffix, value):
        array = patches().astype(np.float64)
        array[1, 0, 95, 63] = value
        message = self.message(tmp_path / f'x{suffix}', encoded(array, suffix))
        assert 'not finite' in message

    @pytest.mark.parametrize('dtype', [np.int64, np.bool_, np.complex64])
    def test_not_floating_point(self, tmp_path, dtype):
        array = np.zeros((2, 1, 96, 64), dtype)
        self.message(tmp_path / 'x.pkl', pickle.dumps(array))
        for suffix in ('.npy', '.safetensors'):
            content = encoded(array, suffix)
            message = self.message(tmp_path / f'y{suffix}', content)
            assert f'float16, float32 or float64, got {array.dtype}' in message

    def test_hostile_objects(self, tmp_path):
        made = tmp_path / 'made'
        objects = np.empty((1, 1, 96, 64), object)
        objects[...] = MakesFolder(made)
        for name, content in (
            ('x.pkl', pickle.dumps(MakesFolder(made))),
            ('y.npy', npy(objects)),
            ('z.npy', pickle.dumps(MakesFolder(made))),
        ):
            self.message(tmp_path / name, content)
            assert not made.exists()

    @pytest.mark.parametrize(
        'header',
        [
            "{'descr': '<f4', 'fortran_order': False, 'shape': "
            f'({10**12}, 1, 96, 64)}}',
            "{'descr': '<f4', 'fortran_order': False, 'shape': "
            f'({10**300}, 1, 96, 64)}}',
            "{'descr': '<f4', 'fortran_order': False, 'shape': "
            '(-1, 1, 96, 64)}',
            "{'descr': '<f4', 'fortran_order': False, 'shape': "
            '(0, 1, 96, 64)}',
            "{'descr': '|O', 'fortran_order': False, 'shape': (1, 1, 96, 64)}",
            "{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': "
            '(1, 1, 96, 64)}',
            '(' * 500,
            '-' * 500 + '1',
            '__import__("os").getcwd()',
            "{'descr': '<f4'}",
            ' ' * 60000,
        ],
    )
    def test_npy_header(self, tmp_path, header):
        content = header.encode() + b'\n'
        start = b'\x93NUMPY\x01\x00' + struct.pack('<H', len(content))
        values = bytes(96 * 64 * 4)
        self.message(tmp_path / 'x.npy', start + content + values)

    def test_other_tensors(self, tmp_path):
        path = tmp_path / 'x.safetensors'
        for tensors in (
            {},
            {'mel': patches()},
            {'log_mel': patches(), 'other': patches()},
        ):
            content = safetensors.numpy.save(tensors)
            message = self.message(path, content)
            assert f'got {sorted(tensors)}' in message
        half = torch.zeros(1, 1, 96, 64, dtype=torch.bfloat16)
        self.message(path, safetensors.torch.save({'log_mel': half}))
        # A header that is longer than the file.
        self.message(path, b'\xff' * 8 + b'{}')

    @pytest.mark.parametrize('suffix', SUFFIXES)
    def test_damaged(self, tmp_path, suffix):
        path = tmp_path / f'x{suffix}'
        save(path, patches(1))
        content = path.read_bytes()
        for length in {*range(0, 600, 23), *range(600, len(content), 4999)}:
            self.message(path, content[:length])
        self.message(path, content + b'\0')
        num_refused = 0
        for position in range(0, 600, 7):
            changed = bytearray(content)
            changed[position] ^= 1 << position % 8
            path.write_bytes(changed)
            try:
                value = load_log_mel(str(path))
            except DataError:
                num_refused += 1
            else:
                assert value.shape == (1, 1, 96, 64)
        assert num_refused > 10

    @pytest.mark.parametrize('suffix', SUFFIXES)
    def test_another_format_under_the_name(self, tmp_path, suffix):
        for other in SUFFIXES:
            if other != suffix:
                save(tmp_path / f'a{other}', patches())
                content = (tmp_path / f'a{other}').read_bytes()
                self.message(tmp_path / f'x{suffix}', content)

    def test_size(self, tmp_path):
        path = tmp_path / 'x.npy'
        save(path, patches())
        size = path.stat().st_size
        load_log_mel(str(path), max_bytes=size)
        assert f'has {size} bytes' in self.message(path, max_bytes=size - 1)
        # Longer than the memory; not a byte of it is read.
        with open(tmp_path / 'y.pkl', 'wb') as file:
            file.truncate(2**40)
        assert f'at most {MAX_BYTES}' in self.message(tmp_path / 'y.pkl')

    def test_not_a_file(self, tmp_path):
        (tmp_path / 'x.pkl').mkdir()
        assert 'not a regular file' in self.message(tmp_path / 'x.pkl')
        # Reading it would wait for a writer for ever.
        os.mkfifo(tmp_path / 'y.pkl')
        assert 'not a regular file' in self.message(tmp_path / 'y.pkl')
        os.symlink('z.pkl', tmp_path / 'z.pkl')
        self.message(tmp_path / 'z.pkl')
        self.message(tmp_path / 'nul\0.pkl')
        self.message(tmp_path / ('a' * 300 + '.pkl'))

    def test_unknown_format(self, tmp_path):
        message = self.message(tmp_path / 'x.pth', b'')
        assert '.pkl, .safetensors, .npy' in message
        with pytest.raises(DataError, match=r'x\.pkl'):
            save_log_mel(str(tmp_path / 'x.pkl'), patches())


class TestWriting:
    @pytest.mark.parametrize('suffix', SUFFIXES)
    def test_only_log_mels(self, tmp_path, suffix):
        for array in (patches()[:, 0], patches() * np.nan):
            with pytest.raises(DataError, match='log_mel'):
                save(tmp_path / f'x{suffix}', array)
        assert os.listdir(tmp_path) == []

    @pytest.mark.parametrize('suffix', SUFFIXES)
    def test_replaces_in_one_step(self, tmp_path, suffix, monkeypatch):
        path = tmp_path / f'x{suffix}'
        save(path, patches(seed=0))
        before = path.read_bytes()

        def fail(source, target):
            # All of the new file is there, and none of it under its name.
            assert os.path.getsize(source) == len(before)
            assert path.read_bytes() == before
            raise OSError('disk gone')

        with monkeypatch.context() as context:
            context.setattr(log_mel_files.os, 'replace', fail)
            with pytest.raises(OSError, match='disk gone'):
                save(path, patches(seed=1))
        assert path.read_bytes() == before
        assert os.listdir(tmp_path) == [path.name]
        save(path, patches(seed=1))
        np.testing.assert_array_equal(load_log_mel(str(path)), patches(seed=1))

    def test_permissions_are_those_of_any_file(self, tmp_path):
        (tmp_path / 'any').touch()
        save_log_mel(str(tmp_path / 'x.npy'), patches())
        modes = {path.stat().st_mode for path in tmp_path.iterdir()}
        assert len(modes) == 1

    def test_missing_folder(self, tmp_path):
        with pytest.raises(FileNotFoundError):
            save_log_mel(str(tmp_path / 'none' / 'x.npy'), patches())
