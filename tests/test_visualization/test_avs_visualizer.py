"""Sheets from data samples."""

import cv2
import numpy as np
import pytest
import torch
from mmengine.structures import PixelData
from mmseg.registry import VISUALIZERS
from mmseg.structures import SegDataSample
from mmseg.visualization import SegLocalVisualizer

from mmavs.visualization import AVSLocalVisualizer

RED, SIZE = (255, 0, 0), (64, 80)


def make_visualizer(tmp_path):
    return VISUALIZERS.build(
        dict(
            type='AVSLocalVisualizer',
            # mmengine keeps visualizers by name for the whole process.
            name=str(tmp_path),
            vis_backends=[dict(type='LocalVisBackend')],
            save_dir=str(tmp_path / 'vis'),
        )
    )


def make_clip(tmp_path, num_frames=3, truth=True, prediction=True):
    """Red frames on disk; the mask is the left half, the guess the top."""
    samples = []
    for t in range(num_frames):
        path = tmp_path / f'{t}.png'
        frame = np.full((*SIZE, 3), RED[::-1], dtype=np.uint8)
        cv2.imwrite(str(path), frame)
        sample = SegDataSample(
            metainfo=dict(img_path=str(path), video_id='clip', frame_idx=t)
        )
        if truth:
            mask = torch.zeros(1, *SIZE, dtype=torch.int64)
            mask[..., : SIZE[1] // 2] = 1
            sample.gt_sem_seg = PixelData(data=mask)
        if prediction:
            guess = torch.zeros(1, *SIZE)
            guess[:, : SIZE[0] // 2] = 1
            sample.pred_sem_seg = PixelData(data=guess)
        samples.append(sample)
    return samples


def test_is_a_visualizer_of_mmseg(tmp_path):
    visualizer = make_visualizer(tmp_path)
    assert isinstance(visualizer, AVSLocalVisualizer)
    assert isinstance(visualizer, SegLocalVisualizer)


def test_one_picture_is_written(tmp_path):
    visualizer = make_visualizer(tmp_path)
    samples = make_clip(tmp_path)
    log_mel = np.zeros((3, 1, 96, 64), dtype=np.float32)
    sheet = visualizer.add_clip('test_clip', samples, log_mel, step=7)
    (written,) = (tmp_path / 'vis').rglob('*.png')
    assert written.name.startswith('test_clip_7')
    # Lossless, and RGB became BGR on disk once.
    assert np.array_equal(cv2.imread(str(written))[..., ::-1], sheet)
    assert (sheet == RED).all(-1).mean() > 0.1


def test_rows_of_a_labelled_clip(tmp_path):
    visualizer = make_visualizer(tmp_path)
    rows = visualizer.clip_rows(make_clip(tmp_path), np.zeros((3, 1, 96, 64)))
    assert [row.label for row in rows] == [
        'frame',
        'truth',
        'prediction',
        'log-mel\n0.1 to 7.5 kHz',
    ]
    assert all(len(row.images) == 3 for row in rows)
    frame, truth, prediction = (row.images[0] for row in rows[:3])
    assert (frame == RED).all()
    # Far from every contour: which quarter is tinted?
    for image, tinted in (
        (truth, [True, False, True, False]),
        (prediction, [True, True, False, False]),
    ):
        corners = [image[y, x] for y in (8, 56) for x in (8, 72)]
        assert [not np.array_equal(c, RED) for c in corners] == tinted


def test_captions_are_the_iou_of_the_metric(tmp_path):
    """Left half against top half: a quarter shared of three quarters."""
    samples = make_clip(tmp_path)
    # The second frame is silent: its score is the share predicted empty.
    samples[1].gt_sem_seg.data[:] = 0
    # In the third only the left half is labelled: half of it is found.
    samples[2].gt_sem_seg.data[..., SIZE[1] // 2 :] = 255
    rows = make_visualizer(tmp_path).clip_rows(samples)
    assert list(rows[2].captions) == ['IoU 0.33', 'IoU 0.50', 'IoU 0.50']


def test_rows_without_truth_or_prediction(tmp_path):
    visualizer = make_visualizer(tmp_path)
    for truth, prediction, expected in (
        (False, True, ['frame', 'prediction']),
        (True, False, ['frame', 'truth']),
        (False, False, ['frame']),
    ):
        samples = make_clip(tmp_path, truth=truth, prediction=prediction)
        rows = visualizer.clip_rows(samples)
        assert [row.label for row in rows] == expected
        assert not any(rows[-1].captions)


def test_ignored_pixels_are_not_drawn_as_truth(tmp_path):
    samples = make_clip(tmp_path)
    for sample in samples:
        sample.gt_sem_seg.data[:] = 255
    rows = make_visualizer(tmp_path).clip_rows(samples)
    assert (rows[1].images[0] == RED).all()


def test_missing_frame_is_named(tmp_path):
    samples = make_clip(tmp_path)
    samples[1].set_metainfo(dict(img_path=str(tmp_path / 'gone.png')))
    with pytest.raises(FileNotFoundError, match='gone.png'):
        make_visualizer(tmp_path).clip_rows(samples)
