"""A small model for recordings, and how the test set goes through it."""

from __future__ import annotations

import copy
import shutil

import av
import numpy as np
import torch
from mmengine.dataset import pseudo_collate
from mmseg.registry import DATASETS

from mmavs.datasets.transforms.load_audio import load_waveform
from mmavs.datasets.transforms.load_frame import load_frame
from mmavs.inference.loading import build_model


def save_weights(config, path, **meta):
    """Random weights, such that the sound makes a difference."""
    torch.manual_seed(5)
    model = build_model(config)
    for fusion in model.decode_head.fusion:
        torch.nn.init.normal_(fusion.out_norm.weight, 1.0, 0.5)
    torch.save(dict(state_dict=model.state_dict(), meta=meta), path)
    return path


def data_set_of(inferencer):
    """The test set of an inferencer's config."""
    config = inferencer.config.test_dataloader.dataset
    return DATASETS.build(copy.deepcopy(config))


def by_the_test_set(inferencer, clips, batch_size=1):
    """Predict clips of the test set as a test does.

    Returns:
        The data samples of all frames.
    """
    dataset, samples = data_set_of(inferencer), []
    with torch.no_grad():
        for start in range(0, len(clips), batch_size):
            batch = [dataset[i] for i in clips[start : start + batch_size]]
            samples += inferencer.model.test_step(pseudo_collate(batch))
    return samples


def clip_of(info):
    """Frames (T, H, W, 3) RGB and waveform of a clip's files."""
    frames = np.stack([load_frame(p)[..., ::-1] for p in info['img_paths']])
    return frames, load_waveform(info['audio_path'])


def joined(clips):
    """Clips one after the other."""
    arrays = {
        key: np.concatenate([clip[key] for clip in clips])
        for key in ('frames', 'waveform')
    }
    return dict(clips[0], **arrays)


def assert_same(predictions, samples):
    """Predictions and data samples are the same, to the bit."""
    predictions = list(predictions)
    assert len(predictions) == len(samples)
    for prediction, sample in zip(predictions, samples):
        scores = sample.seg_logits.data.numpy()
        np.testing.assert_array_equal(prediction.probability, scores[0])
        mask = sample.pred_sem_seg.data[0].numpy()
        np.testing.assert_array_equal(prediction.mask, mask)
    # Else there was nothing to compare.
    assert len({p.probability.tobytes() for p in predictions}) == len(samples)


def frame_folder(folder, info, first=1):
    """Copy a clip's files; text order is wrong where first is below 10."""
    folder.mkdir(exist_ok=True)
    for number, path in enumerate(info['img_paths'], first):
        shutil.copy(path, folder / f'frame {number}.png')
    shutil.copy(info['audio_path'], folder / 'sound.wav')
    return folder


def lossless_video(path, frames, waveform, sample_rate_hz=16000, fps=1):
    """Write a video that keeps every bit of frames and sound."""
    with av.open(str(path), 'w') as container:
        pictures = container.add_stream('ffv1', rate=fps)
        pictures.height, pictures.width = frames.shape[1:3]
        pictures.pix_fmt = 'bgr0'
        sound = container.add_stream(
            'pcm_s16le', rate=sample_rate_hz, layout='mono'
        )
        for image in frames:
            container.mux(
                pictures.encode(av.VideoFrame.from_ndarray(image, 'rgb24'))
            )
        container.mux(pictures.encode(None))
        samples = np.round(waveform * 2**15).astype(np.int16)[None]
        chunk = av.AudioFrame.from_ndarray(samples, 's16', 'mono')
        chunk.sample_rate = sample_rate_hz
        container.mux(sound.encode(chunk))
        container.mux(sound.encode(None))
    return path
