"""Damaged files of every kind: one kind of error, no hang, nothing runs."""

import io
import os
import pickle
import random
import signal
import sys
import tempfile
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from avsbench_layout import frame_of
from PIL import Image
from video_files import write_video

from mmavs.datasets import DataError
from mmavs.datasets.layout import LAYOUTS, class_palette, read_clips
from mmavs.datasets.log_mel_files import load_log_mel
from mmavs.datasets.transforms.load_audio import load_waveform
from mmavs.datasets.transforms.load_avs_mask import (
    decode_binary_mask,
    decode_semantic_mask,
)
from mmavs.datasets.transforms.load_frame import load_frame
from mmavs.datasets.videos import VideoLimits, read_clip

SECONDS_PER_FILE = 30
# What no loader has any business with.
FORBIDDEN = ('os.system', 'os.exec', 'os.posix_spawn', 'subprocess.Popen')
forbidden_events = []


def watch(event, args):
    if event in FORBIDDEN:
        forbidden_events.append((event, args))


class Hostile:
    """Would run a command where it is unpickled."""

    def __reduce__(self):
        return os.system, ('exit 1',)


def image_bytes(array, image_format='PNG'):
    stream = io.BytesIO()
    Image.fromarray(array).save(stream, image_format)
    return stream.getvalue()


def audio_bytes(rate_hz, subtype, num_channels=1, audio_format='WAV'):
    rng = np.random.default_rng(0)
    samples = rng.uniform(-0.5, 0.5, (rate_hz, num_channels))
    stream = io.BytesIO()
    soundfile.write(stream, samples, rate_hz, subtype, format=audio_format)
    return stream.getvalue()


def pickles():
    patches = torch.rand(2, 1, 96, 64, requires_grad=True)
    array = patches.detach().numpy()
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        for value in (patches, array, [array, Hostile()]):
            yield pickle.dumps(value, protocol)


@cache
def video_bytes():
    with tempfile.TemporaryDirectory() as folder:
        paths = (
            write_video(Path(folder) / 'a.mp4', seconds=2),
            write_video(
                Path(folder) / 'b.webm',
                seconds=2,
                codec='libvpx',
                audio='libopus',
                rate_hz=48000,
            ),
        )
        return [path.read_bytes() for path in paths]


@cache
def originals():
    """Kind of file -> whole files of it."""
    frame = frame_of('x', 1)
    mask = frame[..., 0] // 64
    grey = Image.fromarray(mask).convert('P')
    stream = io.BytesIO()
    grey.save(stream, 'PNG')
    return dict(
        image=[
            image_bytes(frame),
            image_bytes(frame, 'JPEG'),
            image_bytes(mask),
            image_bytes(mask > 1),
            stream.getvalue(),
        ],
        audio=[
            audio_bytes(16000, 'PCM_16'),
            audio_bytes(44100, 'PCM_24', 2),
            audio_bytes(8000, 'FLOAT'),
            audio_bytes(22050, 'PCM_16', 2, 'FLAC'),
        ],
        log_mel=list(pickles()),
        table=[
            b'name,start,category,split\r\n-x,0,cat,train\r\n"y",5,d,val\r\n',
            'vid,uid,s_min,s_sec,a_obj,split,label\na,a_0,0,0,ü-b_c,val,v2\n'.encode(),
            b'\xef\xbb\xbfx,train\n_y,val\n',
        ],
        video=video_bytes(),
    )


def damage(rng, content, others):
    """Cut, flip, overwrite, repeat or swap bytes of a file."""
    content = bytearray(content)
    for _ in range(rng.choice((1, 1, 2, 4))):
        if not content:
            break
        start = rng.randrange(len(content))
        # Headers are where it hurts.
        if rng.random() < 0.5:
            start = min(start, rng.randrange(64))
        length = rng.choice((1, 2, 4, 8, 64))
        kind = rng.randrange(7)
        if kind == 0:
            del content[start:]
        elif kind == 1:
            for _ in range(length):
                i = rng.randrange(start, min(start + 64, len(content)))
                content[i] ^= 1 << rng.randrange(8)
        elif kind == 2:
            content[start : start + length] = rng.randbytes(length)
        elif kind == 3:
            del content[start : start + length]
        elif kind == 4:
            content[start:start] = content[start : start + length] * 3
        elif kind == 5:
            value = rng.choice((0, 127, 255))
            content[start : start + length] = bytes([value]) * length
        else:
            other = rng.choice(others)
            content[start:] = other[min(start, len(other)) :]
    return bytes(content)


@contextmanager
def time_limit():
    """Raise where a loader takes longer than any file could need."""

    def stop(*args):
        raise TimeoutError(f'longer than {SECONDS_PER_FILE} s')

    previous = signal.signal(signal.SIGALRM, stop)
    signal.alarm(SECONDS_PER_FILE)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, previous)


def load_image(content, path):
    assert decode_binary_mask(content, path).max() <= 1
    assert decode_semantic_mask(content, path, class_palette(71)).ndim == 2


def load_frame_file(content, path):
    frame = load_frame(path)
    assert frame.dtype == np.uint8 and frame.shape[2] == 3


def load_audio_file(content, path):
    waveform = load_waveform(path)
    assert waveform.ndim == 1 and np.isfinite(waveform).all()


def load_log_mel_file(content, path):
    patches = load_log_mel(path)
    assert patches.shape[1:] == (1, 96, 64)
    assert patches.dtype == np.float32 and np.isfinite(patches).all()


def load_table(content, path):
    for layout in LAYOUTS.values():
        try:
            read_clips(content, layout.columns, path)
        except DataError as error:
            assert path in str(error)


def load_video(content, path):
    clip = read_clip(path, 1, limits=VideoLimits(max_wall_s=20))
    assert len(clip.frames) == 1 and len(clip.audio.waveform) == 16000


# kind -> (loader, name of the file)
LOADERS = dict(
    image=((load_image, 'mask.png'), (load_frame_file, 'frame.png')),
    audio=((load_audio_file, 'audio.wav'),),
    log_mel=((load_log_mel_file, 'log_mel.pkl'),),
    table=((load_table, 'list.csv'),),
    video=((load_video, 'video.mp4'),),
)


def run(kind, seed, count, folder):
    """Load ``count`` damaged files; how many were refused."""
    if not run.watching:
        sys.addaudithook(watch)
        run.watching = True
    forbidden_events.clear()
    rng = random.Random(f'{kind} {seed}')
    whole = originals()
    others = [content for files in whole.values() for content in files]
    refused = 0
    for number in range(count):
        content = damage(rng, rng.choice(whole[kind]), others)
        load, name = rng.choice(LOADERS[kind])
        path = folder / name
        path.write_bytes(content)
        try:
            with time_limit():
                load(content, str(path))
        except DataError as error:
            assert name in str(error), (number, str(error))
            refused += 1
    assert not forbidden_events
    return refused


run.watching = False


@pytest.mark.parametrize('kind', list(LOADERS))
def test_damaged_files(kind, tmp_path):
    refused = run(kind, 0, 100 if kind == 'video' else 200, tmp_path)
    # Not every flipped bit can be seen, but most damage is.
    assert refused > 0 or kind == 'table'


@pytest.mark.parametrize('kind', list(LOADERS))
def test_whole_files_load(kind, tmp_path):
    for number, content in enumerate(originals()[kind]):
        for load, name in LOADERS[kind]:
            path = tmp_path / name
            path.write_bytes(content)
            hostile = kind == 'log_mel' and number % 3 == 2
            foreign = load is load_image and number in (0, 1)
            if hostile or foreign:
                with pytest.raises(DataError, match=name):
                    load(content, str(path))
            else:
                load(content, str(path))


@pytest.mark.slow
@pytest.mark.parametrize('seed', range(4))
@pytest.mark.parametrize('kind', list(LOADERS))
def test_ten_thousand_damaged_files(kind, seed, tmp_path):
    run(kind, seed + 1, 700, tmp_path)
