"""Tiny layouts of AVSBench, written with PIL and soundfile only."""

from pathlib import Path

import numpy as np
import soundfile
from PIL import Image

NUM_FRAMES = 5
HEIGHT, WIDTH = 24, 32
# As on disk: ids with a leading - or _, and one that looks like a number.
CLIPS = dict(
    train=('-0KlNFd4a6E', '_abc', '0012'), val=('1e5',), test=('-x', 'y')
)


def frame_of(video_id, k):
    """Make a frame whose content depends on the clip and the number."""
    rng = np.random.default_rng([k, *video_id.encode()])
    return rng.integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)


def mask_of(k):
    """Make a 0/255 mask that is not symmetric and moves with k."""
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    mask[4:12, 2 + k : 10 + k] = 255
    return mask


def waveform_of(video_id, num_samples=80000):
    """Make noise that depends on the clip."""
    rng = np.random.default_rng(list(video_id.encode()))
    return rng.uniform(-0.5, 0.5, num_samples).astype(np.float32)


def save_image(path, array):
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path)


def save_audio(path, samples, rate_hz=16000):
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, samples, rate_hz)


def pairs():
    ids = [video_id for split in CLIPS.values() for video_id in split]
    return {
        a: dict(twin=ids[i - 1], swapped=ids[i - 2]) for i, a in enumerate(ids)
    }
