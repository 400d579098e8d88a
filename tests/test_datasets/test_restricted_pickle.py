"""Pickles: every form of an array is read, and nothing else is run."""

import codecs
import contextlib
import copyreg
import io
import os
import pickle
import random
import struct
import time
import tracemalloc

import numpy as np
import pytest
import torch
from old_pickles import OLD_PICKLES, VALUES

from mmavs.datasets.errors import DataError
from mmavs.datasets.restricted_pickle import load_pickled_array

PROTOCOLS = range(6)
RNG = np.random.default_rng(5)
PATCHES = RNG.normal(size=(2, 1, 4, 3)).astype(np.float32)


def published(values):
    """A tensor as the features of AVSBench were made: not a leaf."""
    tensor = torch.tensor(values[:, 0].astype(np.float64), requires_grad=True)
    return tensor[:, None, :, :].float()


def text(value):
    """Opcodes, here and below."""
    return b'X' + struct.pack('<I', len(value)) + value.encode()


def blob(value):
    return b'B' + struct.pack('<I', len(value)) + value


def numbers(*values):
    return b'(' + b''.join(b'L%dL\n' % value for value in values) + b't'


def storage_bytes(
    count=6,
    values=None,
    device='cpu',
    listed='0',
    sizes=b'}.',
    cls=b'ctorch\nFloatStorage\n',
    view=b'N',
):
    """A storage of ``VALUES`` as torch writes it, or with other fields."""
    values = VALUES.tobytes() if values is None else values
    reference = text('storage') + cls + text('0') + text(device)
    return b''.join(
        [
            pickle.dumps(0x1950A86A20F9469CFC6C, 2),
            pickle.dumps(1001, 2),
            sizes,
            b'\x80\x02(' + reference + b'L%dL\n' % count + view + b'tQ.',
            pickle.dumps([listed], 2),
            struct.pack('<q', count),
            values,
        ]
    )


def tensor_pickle(
    storage=None,
    offset=0,
    shape=(2, 3),
    strides=(3, 1),
    hooks=b'ccollections\nOrderedDict\n)R',
):
    """A tensor of ``VALUES``, or with other fields."""
    storage = storage_bytes() if storage is None else storage
    return b''.join(
        [
            b'\x80\x03ctorch._utils\n_rebuild_tensor_v2\n(',
            b'ctorch.storage\n_load_from_bytes\n' + blob(storage) + b'\x85R',
            b'L%dL\n' % offset,
            numbers(*shape),
            numbers(*strides),
            b'\x89' + hooks + b'tR.',
        ]
    )


DTYPE = b'cnumpy\ndtype\n(' + text('f4') + b'\x89\x88tR'
DTYPE_STATE = (
    b'(K\x03' + text('<') + b'NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\0t'
)


def array_pickle(shape=(2, 3), dtype=DTYPE + DTYPE_STATE + b'b'):
    """An array of ``VALUES`` in NumPy's older form, or with other fields."""
    return b''.join(
        [
            b'\x80\x03cnumpy._core.multiarray\n_reconstruct\n',
            b'cnumpy\nndarray\n' + numbers(0) + b'C\x01b\x87R',
            b'(K\x01' + numbers(*shape) + dtype + b'\x89',
            blob(VALUES.tobytes()) + b'tb.',
        ]
    )


def buffer_pickle(shape=(2, 3), order='C', axes=b''):
    """An array of ``VALUES`` in the form of protocol 5."""
    return b''.join(
        [
            b'\x80\x05cnumpy._core.numeric\n_frombuffer\n(',
            b'\x96' + struct.pack('<Q', VALUES.nbytes) + VALUES.tobytes(),
            DTYPE + DTYPE_STATE + b'b' + numbers(*shape) + text(order) + axes,
            b'tR.',
        ]
    )


def refusal(content):
    """What a pickle is refused for, quickly and without much memory."""
    start = time.perf_counter()
    tracemalloc.start()
    try:
        with pytest.raises(DataError) as caught:
            load_pickled_array(content, 'x.pkl')
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert time.perf_counter() - start < 1.0
    assert peak < 2**20 + 16 * len(content)
    message = str(caught.value)
    assert message.startswith('the pickle x.pkl was refused: it ')
    assert 'nothing in the file was run' in message
    assert len(message) < 400
    return message


class TestForms:
    @pytest.mark.parametrize('protocol', PROTOCOLS)
    @pytest.mark.parametrize(
        'make',
        [
            published,
            torch.from_numpy,
            lambda x: torch.from_numpy(x).double().requires_grad_(),
            # A part of a longer storage, in another order.
            lambda x: torch.cat([torch.ones(1, 1, 4, 3), torch.from_numpy(x)])[
                1:
            ],
            lambda x: torch.from_numpy(x.swapaxes(2, 3).copy()).transpose(
                2, 3
            ),
            lambda x: x,
            lambda x: x.astype(np.float64),
            lambda x: x.astype('>f4'),
            np.asfortranarray,
            lambda x: x.transpose(2, 0, 1, 3).copy().transpose(1, 2, 0, 3),
            lambda x: np.repeat(x, 2, axis=0)[::2],
        ],
    )
    def test_values(self, make, protocol):
        content = pickle.dumps(make(PATCHES), protocol)
        value = load_pickled_array(content, 'x.pkl')
        np.testing.assert_array_equal(value, PATCHES)
        assert value.dtype.isnative
        assert value.flags.c_contiguous and value.flags.writeable

    @pytest.mark.parametrize('protocol', PROTOCOLS)
    def test_half_precision(self, protocol):
        half = PATCHES.astype(np.float16)
        for array in (half, torch.from_numpy(half)):
            value = load_pickled_array(pickle.dumps(array, protocol), 'x.pkl')
            assert value.dtype == np.float16
            np.testing.assert_array_equal(value, half)

    @pytest.mark.parametrize('key', OLD_PICKLES, ids=str)
    def test_other_versions(self, key):
        value = load_pickled_array(OLD_PICKLES[key], 'x.pkl')
        assert value.dtype == np.float32
        np.testing.assert_array_equal(value, VALUES)

    @pytest.mark.parametrize('core', [b'numpy.core', b'numpy._core'])
    def test_both_names_of_numpy(self, core):
        for protocol in (2, 5):
            content = pickle.dumps(PATCHES, protocol)
            # In protocols from 4 the length of the name comes before it.
            for other in (b'numpy._core', b'numpy.core'):
                for module in (b'.multiarray', b'.numeric'):
                    old, new = other + module, core + module
                    content = content.replace(
                        bytes([len(old)]) + old, bytes([len(new)]) + new
                    ).replace(b'c' + old, b'c' + new)
            assert core + b'.' in content
            value = load_pickled_array(content, 'x.pkl')
            np.testing.assert_array_equal(value, PATCHES)

    def test_a_tensor_of_another_device(self):
        """The form of torch.save, with another device in the reference."""
        content = tensor_pickle(storage_bytes(device='cuda:1'))
        value = load_pickled_array(content, 'x.pkl')
        np.testing.assert_array_equal(value, VALUES)

    def test_by_hand(self):
        """Protocol 0 as text: 2.0 is 00 00 00 40, 0.5 is 00 00 00 3f."""
        content = (
            b'cnumpy._core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I0\nt'
            b'c_codecs\nencode\n(Vb\nVlatin1\ntRtR(I1\n(I2\ntcnumpy\ndtype\n('
            b'Vf4\nI00\nI01\ntR(I3\nV<\nNNNI-1\nI-1\nI0\ntbI00\nc_codecs\n'
            b'encode\n(V\\u0000\\u0000\\u0000@\\u0000\\u0000\\u0000?\nV'
            b'latin1\ntRtb.'
        )
        assert pickle.loads(content).tolist() == [2.0, 0.5]
        assert load_pickled_array(content, 'x.pkl').tolist() == [2.0, 0.5]

    @pytest.mark.parametrize(
        'content', [tensor_pickle(), array_pickle(), buffer_pickle()]
    )
    def test_unchanged_parts_make_an_array(self, content):
        """What is changed below is what is refused there."""
        expected = pickle.loads(content)
        assert expected.tolist() == VALUES.tolist()
        np.testing.assert_array_equal(
            load_pickled_array(content, 'x.pkl'), VALUES
        )


class Call:
    """Pickled, it is a call of a function."""

    def __init__(self, function, *arguments):
        self.arguments = function, arguments

    def __reduce__(self):
        return self.arguments


def nested_torch_file(call):
    """A file in torch's first format with a call in place of the storage."""
    parts = (0x1950A86A20F9469CFC6C, 1001, {}, call, [])
    return b''.join(pickle.dumps(part, 2) for part in parts)


def zip_of_torch(call):
    file = io.BytesIO()
    torch.save(call, file)
    return file.getvalue()


def hostile_calls(path):
    """What makes a folder when it is unpickled."""
    mkdir = Call(os.mkdir, path)
    load_from_bytes = torch.storage._load_from_bytes
    tensor = torch.from_numpy(PATCHES)
    rebuild, (*parts, _) = tensor.__reduce_ex__(2)
    objects = np.empty(1, object)
    objects[0] = mkdir
    return {
        'function': mkdir,
        'eval': Call(eval, f'__import__("os").mkdir({path!r})'),
        'exec': Call(exec, f'import os; os.mkdir({path!r})'),
        'beside a tensor': [tensor, mkdir],
        'in a storage': Call(load_from_bytes, nested_torch_file(mkdir)),
        'in a zip file': Call(load_from_bytes, zip_of_torch(mkdir)),
        'hooks of a tensor': Call(rebuild, *parts, mkdir),
        'object array': objects,
        'shape of an array': Call(
            np._core.numeric._frombuffer, b'', np.dtype('f4'), mkdir, 'C'
        ),
        'kind of bytes': Call(codecs.encode, 'a', mkdir),
    }


def hostile_programs(path):
    """The same by hand: what pickle.dumps does not write."""
    name = text(path)
    get_os = b'cbuiltins\n__import__\n(' + text('os') + b'tR'
    lazy = b'cbuiltins\nmap\n(cos\nmkdir\n(' + name + b'tt'
    return {
        'getattr': b'cbuiltins\ngetattr\n('
        + get_os
        + text('mkdir')
        + b'tR('
        + name
        + b'tR.',
        'dotted name': b'\x80\x04'
        + text('os')
        + text('path.os.mkdir')
        + b'\x93('
        + name
        + b'tR.',
        'after the array': array_pickle()[:-1]
        + b'0cos\nmkdir\n('
        + name
        + b'tR.',
        'inst': b'(' + name + b'ios\nmkdir\n.',
        'obj': b'(cos\nmkdir\n' + name + b'o.',
        # bytes(map(os.mkdir, (path,))), without a call.
        'newobj': b'\x80\x02cbuiltins\nbytes\n(' + lazy + b'\x81t\x81.',
        'newobj_ex': b'\x80\x04cbuiltins\nbytes\n(' + lazy + b'}\x92t}\x92.',
        'extension': b'\x80\x02\x82\xf0(' + name + b'tR.',
    }


class TestHostile:
    """Each pickle is shown to do harm where it is read as usual."""

    @staticmethod
    def check(content, path):
        message = refusal(content)
        assert not path.exists()
        with contextlib.suppress(Exception):  # after the harm is done
            pickle.loads(content)
        assert path.exists()
        return message

    @pytest.mark.parametrize('protocol', PROTOCOLS)
    @pytest.mark.parametrize('name', hostile_calls('x'))
    def test_calls(self, name, protocol, tmp_path):
        path = tmp_path / 'made'
        call = hostile_calls(str(path))[name]
        self.check(pickle.dumps(call, protocol), path)

    @pytest.mark.parametrize('name', hostile_programs('x'))
    def test_programs(self, name, tmp_path):
        path = tmp_path / 'made'
        copyreg.add_extension('os', 'mkdir', 0xF0)
        try:
            self.check(hostile_programs(str(path))[name], path)
        finally:
            copyreg.remove_extension('os', 'mkdir', 0xF0)

    def test_says_what_is_refused(self, tmp_path):
        path = tmp_path / 'made'
        call = hostile_calls(str(path))['in a storage']
        for protocol in PROTOCOLS:
            message = self.check(pickle.dumps(call, protocol), path)
            assert "it names 'posix.mkdir'" in message
            path.rmdir()

    @pytest.mark.parametrize(
        'function',
        [
            b'ctorch._utils\n_rebuild_tensor_v2\n',
            b'ctorch.storage\n_load_from_bytes\n',
            b'cnumpy\nndarray\n',
            b'c_codecs\nencode\n',
        ],
    )
    def test_sets_no_attribute(self, function):
        state = b'N}' + text('harm') + b'\x88s\x86b.'
        message = refusal(function + state)
        assert 'it sets the state of' in message

    @pytest.mark.parametrize(
        'content',
        [
            pickle.dumps(None),
            pickle.dumps(b'bytes'),
            pickle.dumps({'log_mel': 1}),
            pickle.dumps([PATCHES]),
            pickle.dumps((PATCHES,)),
            pickle.dumps(np.dtype('f4')),
            pickle.dumps(np.float32(1)),
            pickle.dumps(torch.float32),
            pickle.dumps(torch.ones(2).untyped_storage()),
            pickle.dumps(torch.ones(2, dtype=torch.int64)),
            pickle.dumps(torch.ones(2, dtype=torch.uint16)),
            pickle.dumps(torch.ones(2).to_sparse()),
            pickle.dumps(torch.nn.Linear(1, 1)),
            pickle.dumps(np.arange(3)),
            pickle.dumps(np.zeros(2, 'c8')),
            pickle.dumps(np.zeros(2, 'V4'), 4),
            pickle.dumps(np.zeros(2, [('a', 'f4')]), 4),
            pickle.dumps(np.array(['text'])),
            pickle.dumps(np.matrix([[1.0]])),
            pickle.dumps(PATCHES) + b'x',
            pickle.dumps(PATCHES) * 2,
            zip_of_torch(torch.ones(2)),
            b'',
            b'.',
            b'RIFF....WAVE',
        ],
    )
    def test_other_things(self, content):
        refusal(content)

    def test_persistent_ids(self):
        # pickletools knows them; only the storage within may have one.
        for content in (b'Px\n.', text('x') + b'Q.'):
            assert 'PERSID' in refusal(content)


class TestSizes:
    """What a file only claims takes neither memory nor time."""

    @pytest.mark.parametrize(
        'change',
        [
            dict(shape=(2**31,) * 4, strides=(0, 0, 0, 0)),
            dict(shape=(2**40, 3)),
            dict(shape=(7,), strides=(0,)),
            dict(shape=(6, 2), strides=(1, 0)),
            dict(shape=(2, 3), strides=(4, 1)),
            dict(shape=(2, 3), strides=(2**62, 1)),
            dict(shape=(2, 3), strides=(-3, 1)),
            dict(shape=(2, 3), strides=(3,)),
            dict(shape=(2, 3), strides=(3, 1, 1)),
            dict(shape=(-2, -3)),
            dict(shape=(0, 3)),
            dict(shape=(1,) * 9, strides=(1,) * 9),
            dict(offset=1),
            dict(offset=-1),
            dict(offset=10**18),
            dict(hooks=b'}' + text('a') + b'Ns'),
            dict(hooks=b'N'),
            dict(storage=b''),
            dict(storage=storage_bytes()[:-1]),
            dict(storage=storage_bytes() + b'\0'),
            dict(storage=storage_bytes(count=7)),
            dict(storage=storage_bytes(count=2**62)),
            dict(storage=storage_bytes(count=-6)),
            dict(storage=storage_bytes(count=0, values=b'')),
            dict(storage=storage_bytes(count=-2, values=b'')[:-8]),
            dict(storage=storage_bytes(listed='1')),
            dict(storage=storage_bytes(cls=b'ctorch\nLongStorage\n')),
            dict(storage=storage_bytes(cls=b'cos\nsystem\n')),
            dict(storage=storage_bytes(cls=b'N')),
            dict(storage=storage_bytes(view=b'()t')),
            dict(storage=storage_bytes(sizes=pickle.dumps([], 2))),
            dict(storage=storage_bytes(sizes=pickle.dumps(Call(int), 2))),
        ],
    )
    def test_tensor(self, change):
        refusal(tensor_pickle(**change))

    def test_step_along_a_side_of_one(self):
        """torch may write any number there."""
        content = tensor_pickle(shape=(2, 1, 3), strides=(3, 10**15, 1))
        value = load_pickled_array(content, 'x.pkl')
        np.testing.assert_array_equal(value, VALUES[:, None])

    @pytest.mark.parametrize(
        'change',
        [
            dict(shape=(2**31,) * 4),
            dict(shape=(2, 4)),
            dict(shape=(-2, -3)),
            dict(shape=(2, 3, 0)),
            dict(shape=(6,) + (1,) * 8),
            dict(dtype=DTYPE.replace(b'f4', b'O8') + DTYPE_STATE + b'b'),
            dict(dtype=DTYPE.replace(b'f4', b'V4') + DTYPE_STATE + b'b'),
            dict(dtype=DTYPE.replace(b'f4', b'i4') + DTYPE_STATE + b'b'),
            dict(dtype=DTYPE + DTYPE_STATE.replace(b'<', b'|') + b'b'),
            dict(dtype=DTYPE + DTYPE_STATE.replace(b'K\0', b'K\x3f') + b'b'),
            dict(dtype=DTYPE + b'Nb'),
            dict(dtype=text('f4')),
        ],
    )
    def test_array(self, change):
        refusal(array_pickle(**change))

    @pytest.mark.parametrize(
        'change',
        [
            dict(shape=(2**62, 2**62)),
            dict(shape=(3,)),
            dict(order='A'),
            dict(order='K', axes=numbers(0, 0)),
            dict(order='K', axes=numbers(0, 2)),
            dict(order='K', axes=numbers(0)),
            dict(order='K', axes=text('01')),
        ],
    )
    def test_buffer(self, change):
        refusal(buffer_pickle(**change))

    @pytest.mark.parametrize(
        'content',
        [
            b'N' * 10**6,
            b'(' * 10**6,
            b'(' * 900 + b't' * 900 + b'.',
            b']' * 900 + b'a' * 899 + b'.',
            b']q\0' + b'h\0a' * 300 + b'.',
            # Its hash and its text take 2 ** 300 steps.
            b'}' + b')' + b'q\0h\0\x86' * 300 + b'Ns.',
            tensor_pickle(hooks=b')' + b'q\0h\0\x86' * 300),
            b'Nr\xff\xff\xff\xffj\xff\xff\xff\xff.',
            b'Np' + b'9' * 10**6 + b'\n.',
            b'g' + b'9' * 10**6 + b'\n.',
            b'I' + b'1' * 10**6 + b'\n.',
            b'L' + b'1' * 10**6 + b'L\n.',
            b'\x8b' + struct.pack('<i', 10**6) + b'\x01' * 10**6 + b'.',
            b'B\xff\xff\xff\xff.',
            b'X\xff\xff\xff\xff.',
            b'\x96' + b'\xff' * 8 + b'.',
            b'\x8e' + b'\xff' * 8 + b'.',
            b'\x95' + b'\xff' * 8 + b'.',
            b'V' + b'a' * 10**6,
            b'c' + b'a' * 10**6 + b'\n' + b'b' * 10**6 + b'\n.',
            b'X\x01\0\0\0\xff.',
            b'V\\Uffffffff\n.',
            b'c\xff\n\xff\n.',
            b'F1e999\n.',
            b'Nt.',
            b'(Nt\x85',
            b'N(\x85.',
            b'h\0.',
            b'\x93.',
            b'R.',
            b'b.',
            b')s.',
            b'N}Nu.',
            b'](u.',
            b'NNa.',
            b'NN.',
            b'(N.',
            b'\x80',
            b'\x80\xff\xfe.',
            b'c_codecs\nencode\nNR.',
            b'NN\x93.',
        ],
    )
    def test_programs(self, content):
        refusal(content)

    def test_calls_do_not_multiply_a_text(self):
        """One text in the file, as bytes a hundred times."""
        encode = b'h\0(h\1' + text('latin1') + b'tR'
        start = b'c_codecs\nencode\nq\0' + text('a' * 10**6) + b'q\1'
        message = refusal(start + encode * 90 + b'.')
        assert 'calls' in message


class TestDamage:
    """Cut short or changed: an array or a DataError, and nothing for long."""

    @pytest.fixture(scope='class')
    def contents(self):
        arrays = torch.from_numpy(VALUES.copy()).requires_grad_(), VALUES
        return [pickle.dumps(x, p) for x in arrays for p in PROTOCOLS]

    def test_cut_short(self, contents):
        for content in contents:
            for length in range(len(content)):
                with pytest.raises(DataError, match=r'x\.pkl'):
                    load_pickled_array(content[:length], 'x.pkl')

    def test_changed_bytes(self, contents):
        rng = random.Random(3)
        num_refused = 0
        start = time.perf_counter()
        for content in contents:
            for position in range(len(content)):
                changed = bytearray(content)
                changed[position] = rng.choice(
                    (changed[position] ^ (1 << rng.randrange(8)), *b'.0Rb(q')
                )
                try:
                    value = load_pickled_array(bytes(changed), 'x.pkl')
                except DataError:
                    num_refused += 1
                else:
                    assert value.size == VALUES.size
        assert num_refused > 1000
        assert time.perf_counter() - start < 10
