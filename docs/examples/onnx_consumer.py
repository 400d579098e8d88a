"""Masks of what sounds, with an exported model: no mmavs, no torch.

python onnx_consumer.py MODEL.onnx FRAMES SOUND.wav OUT

FRAMES is a folder of pictures, one a second, in the order of their names;
SOUND.wav begins with the first second, at 16 kHz. pip install numpy
onnxruntime opencv-python soundfile.
"""

import json
import sys
from pathlib import Path

import cv2
import numpy as np
import onnxruntime
import soundfile


def log_mel(waveform):
    """(S,) at 16 kHz, within [-1, 1], to patches (P, 96, 64) of 0.96 s."""

    def mel(hertz):
        return 1127 * np.log1p(hertz / 700)

    windows = np.lib.stride_tricks.sliding_window_view(waveform, 400)[::160]
    windows = windows[: len(windows) // 96 * 96]
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(400) / 400)
    spectrum = np.abs(np.fft.rfft(windows * hann, 512))
    bins = mel(np.linspace(0, 8000, 257))[:, None]
    edges = np.linspace(mel(125), mel(7500), 66)
    rising = (bins - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - bins) / (edges[2:] - edges[1:-1])
    triangles = np.maximum(0, np.minimum(rising, falling))
    features = np.log(spectrum @ triangles + 0.01)
    return features.astype(np.float32).reshape(-1, 96, 64)


def segment(session, images, waveform):
    """Masks of BGR images (H, W, 3): 0 and 255, or the index of the class."""
    meta = session.get_modelmeta().custom_metadata_map
    height, width = json.loads(meta['size'])
    length, masks = json.loads(meta['num_frames']), {}
    for start in range(0, len(images), length):
        # The last window is moved back so as to be full.
        start = max(0, min(start, len(images) - length))
        window = images[start : start + length]
        frames = [cv2.resize(x, (width, height))[..., ::-1] for x in window]
        frames = np.stack(frames).transpose(0, 3, 1, 2)[None]
        sound = waveform[16000 * start : 16000 * (start + length)]
        if len(sound) < 15600:  # less than a patch: silence follows
            sound = np.pad(sound, (0, 16000 * length))
        patches = log_mel(sound)
        # A patch for each frame; where the sound is short, the last again.
        nearest = np.minimum(np.arange(len(window)), len(patches) - 1)
        inputs = dict(frames=frames, log_mel=patches[nearest][None, :, None])
        (logits,) = session.run(['logits'], inputs)
        for i, image in enumerate(window):
            scores = logits[0, i].transpose(1, 2, 0)
            scores = cv2.resize(scores, image.shape[1::-1])
            if scores.ndim == 2:
                threshold = json.loads(meta['threshold'])
                mask = 255 * (1 / (1 + np.exp(-scores)) > threshold)
            else:
                mask = scores.argmax(2)
            masks[start + i] = mask.astype(np.uint8)
    return [masks[i] for i in range(len(images))]


if __name__ == '__main__':
    model, folder, sound, out = sys.argv[1:]
    paths = sorted(Path(folder).iterdir())
    waveform, rate = soundfile.read(sound, always_2d=True)
    assert rate == 16000, 'ffmpeg -i IN -ar 16000 -ac 1 OUT.wav'
    results = segment(
        onnxruntime.InferenceSession(model),
        [cv2.imread(str(path)) for path in paths],
        waveform.mean(1),
    )
    Path(out).mkdir(parents=True, exist_ok=True)
    for path, mask in zip(paths, results, strict=True):
        cv2.imwrite(str(Path(out, path.stem + '.png')), mask)
