"""Frames: what is broken is named."""

import io
import zlib

import numpy as np
import pytest
from avsbench_layout import frame_of
from mmcv.transforms import LoadImageFromFile
from PIL import Image

from mmavs.datasets import DataError, LoadFrame, MissingDataError


def encoded(image_format):
    stream = io.BytesIO()
    Image.fromarray(frame_of('x', 1)).save(stream, image_format)
    return stream.getvalue()


@pytest.fixture(params=['PNG', 'JPEG'])
def frame_path(request, tmp_path):
    path = tmp_path / 'frame.png'
    path.write_bytes(encoded(request.param))
    return path


@pytest.mark.parametrize(
    'options', [dict(), dict(to_float32=True), dict(color_type='grayscale')]
)
def test_as_mmcv_loads_it(frame_path, options):
    expected = LoadImageFromFile(**options)(dict(img_path=str(frame_path)))
    results = LoadFrame(**options)(dict(img_path=str(frame_path)))
    assert results.keys() == expected.keys()
    assert np.array_equal(results['img'], expected['img'])
    assert results['img'].dtype == expected['img'].dtype
    assert results['ori_shape'] == results['img_shape'] == (24, 32)


def test_padding_after_the_end(frame_path):
    frame_path.write_bytes(frame_path.read_bytes() + b'\0' * 1000)
    assert LoadFrame()(dict(img_path=str(frame_path)))['img'].shape[2] == 3


@pytest.mark.parametrize('share', [0.0, 0.02, 0.5, 0.9, 0.998])
def test_cut_short(frame_path, share):
    content = frame_path.read_bytes()
    frame_path.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(DataError, match='frame.png'):
        LoadFrame()(dict(img_path=str(frame_path)))
    assert LoadFrame(ignore_empty=True)(dict(img_path=str(frame_path))) is None


def test_missing_and_foreign(tmp_path):
    path = tmp_path / 'frame.png'
    with pytest.raises(MissingDataError, match='frame.png does not exist'):
        LoadFrame()(dict(img_path=str(path)))
    path.write_bytes(b'GIF89a' + b'\0' * 100)
    with pytest.raises(DataError, match='not a readable PNG or JPEG'):
        LoadFrame()(dict(img_path=str(path)))
    path.unlink()
    path.mkdir()
    with pytest.raises(DataError, match='frame.png is not a regular file'):
        LoadFrame()(dict(img_path=str(path)))


def test_size_that_a_header_promises(tmp_path):
    content = bytearray(encoded('PNG'))
    content[16:24] = (60_000).to_bytes(4, 'big') * 2
    # The checksum of the header is made right again.
    content[29:33] = zlib.crc32(content[12:29]).to_bytes(4, 'big')
    (tmp_path / 'huge.png').write_bytes(content)
    with pytest.raises(DataError, match='huge.png'):
        LoadFrame()(dict(img_path=str(tmp_path / 'huge.png')))


def test_pictures_of_phones(tmp_path):
    """A JPEG file with a second picture, which PIL calls MPO."""
    path = tmp_path / 'phone.jpg'
    first, second = (
        Image.new('RGB', (32, 24), colour) for colour in ('red', 'blue')
    )
    first.save(path, 'MPO', save_all=True, append_images=[second])
    image = LoadFrame()(dict(img_path=str(path)))['img']
    assert image.shape == (24, 32, 3)
    assert np.abs(image.astype(int) - (0, 0, 255)).max() < 5  # BGR


def test_damaged_png(tmp_path):
    path = tmp_path / 'frame.png'
    content = bytearray(encoded('PNG'))
    content[-13] ^= 1  # the checksum of the pixels
    path.write_bytes(content)
    with pytest.raises(DataError, match='frame.png is damaged'):
        LoadFrame()(dict(img_path=str(path)))
