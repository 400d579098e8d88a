"""Videos of any length for measuring: H.264 and AAC, never at rest."""

from __future__ import annotations

import os
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

RATE_HZ = 44100
# Of the picture over the texture.
_PIXELS_PER_FRAME = 3


def write_moving_video(
    path: Path, seconds: int, size: tuple[int, int], fps: int
) -> None:
    """Write an mp4, in one step: it is there as a whole or not at all.

    The view glides over a texture while the loudness of a tone and of noise
    goes up and down.

    Args:
        path: the file; its folder is made.
        seconds: how long it lasts.
        size: (width, height), even numbers.
        fps: frames per second.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f'{path.name}.partial')
    with av.open(
        str(partial), 'w', format='mp4', options=dict(movflags='faststart')
    ) as container:
        video = container.add_stream(
            'libx264', rate=fps, options=dict(preset='ultrafast', crf='28')
        )
        video.width, video.height = size
        video.pix_fmt = 'yuv420p'
        video.codec_context.gop_size = 2 * fps
        video.codec_context.thread_count = 1
        audio = container.add_stream(
            'aac',
            rate=RATE_HZ,
            layout='stereo',
            options=dict(aac_coder='fast'),
        )
        sound = _sound(seconds)
        heard = 0
        for number, picture in enumerate(_pictures(seconds * fps, size)):
            picture.pts, picture.time_base = number, Fraction(1, fps)
            container.mux(video.encode(picture))
            # Sound is never far from its picture in the file.
            while heard * fps < (number + 1) * RATE_HZ:
                block = next(sound, None)
                if block is None:
                    break
                block.pts, block.time_base = heard, Fraction(1, RATE_HZ)
                heard += block.samples
                container.mux(audio.encode(block))
        container.mux(video.encode(None))
        container.mux(audio.encode(None))
    os.replace(partial, path)


def _pictures(count: int, size: tuple[int, int]) -> Iterator[av.VideoFrame]:
    width, height = size
    # It has no edges: what leaves on one side comes in on the other.
    texture = [
        _texture(height // step, width // step, seed)
        for seed, step in enumerate((1, 2, 2))
    ]
    for number in range(count):
        shift = number * _PIXELS_PER_FRAME
        planes = [
            np.roll(plane, (shift // step, 2 * shift // step), (0, 1))
            for plane, step in zip(texture, (1, 2, 2), strict=True)
        ]
        stacked = np.concatenate([plane.ravel() for plane in planes])
        yield av.VideoFrame.from_ndarray(
            stacked.reshape(height * 3 // 2, width), format='yuv420p'
        )


def _texture(height: int, width: int, seed: int) -> np.ndarray:
    """(height, width) uint8, waves of whole periods."""
    rng = np.random.default_rng(seed)
    y = np.arange(height)[:, None] / height
    x = np.arange(width) / width
    waves = sum(
        np.sin(2 * np.pi * (rng.integers(1, 9) * y + rng.integers(1, 9) * x))
        for _ in range(6)
    )
    return (128 + 18 * waves).clip(16, 235).astype(np.uint8)


def _sound(seconds: int) -> Iterator[av.AudioFrame]:
    rng = np.random.default_rng(0)
    for _ in range(seconds):
        time_s = np.arange(RATE_HZ) / RATE_HZ
        tone = np.sin(2 * np.pi * 440 * time_s)
        noise = rng.standard_normal(RATE_HZ)
        mono = np.sin(np.pi * time_s) ** 2 * (0.3 * tone + 0.02 * noise)
        block = av.AudioFrame.from_ndarray(
            np.stack([mono, mono]).astype(np.float32),
            format='fltp',
            layout='stereo',
        )
        block.sample_rate = RATE_HZ
        yield block
