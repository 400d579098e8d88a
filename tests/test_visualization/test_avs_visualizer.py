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


def test_row_of_uncertainty(tmp_path):
    """Where every sample has it, resized to the frame's file."""
    visualizer = make_visualizer(tmp_path)
    samples = make_clip(tmp_path)
    for k, sample in enumerate(samples):
        values = torch.zeros(1, SIZE[0] // 2, SIZE[1] // 2)
        values[:, :, SIZE[1] // 4 :] = 0.1 * k
        sample.set_data(dict(uncertainty=PixelData(data=values)))
    rows = visualizer.clip_rows(samples, np.zeros((3, 1, 96, 64)))
    labels = ['frame', 'truth', 'prediction', 'uncertainty']
    assert [row.label for row in rows[:-1]] == labels
    for k, image in enumerate(rows[3].images):
        assert image.shape == SIZE
        np.testing.assert_allclose(image[:, : SIZE[1] // 2 - 2], 0)
        np.testing.assert_allclose(image[:, SIZE[1] // 2 + 2 :], 0.1 * k)
    assert rows[3].captions == ['mean 0.000', 'mean 0.050', 'mean 0.100']
    sheet = visualizer.add_clip('clip', samples)
    del samples[1].uncertainty
    labels = [row.label for row in visualizer.clip_rows(samples)]
    assert 'uncertainty' not in labels
    assert visualizer.add_clip('clip', samples).shape[0] < sheet.shape[0]


def test_uncertainty_in_half_precision(tmp_path):
    samples = make_clip(tmp_path, num_frames=1)
    values = torch.full((1, *SIZE), 0.25, dtype=torch.bfloat16)
    samples[0].set_data(dict(uncertainty=PixelData(data=values)))
    row = make_visualizer(tmp_path).clip_rows(samples)[-1]
    assert (row.images[0] == 0.25).all()


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


# --- classes ---------------------------------------------------------------

CLASSES = ('background', 'organ', 'emergency-car', 'wolf', 'man', 'bell')
PALETTE = [
    [0, 0, 0],
    [250, 0, 0],
    [0, 250, 0],
    [0, 0, 250],
    [9, 9, 9],
    [8] * 3,
]


def make_semantic(tmp_path, truths, guesses=None, size=SIZE, frame=SIZE):
    """A visualizer with names and samples with one row of classes each.

    A class takes a column; frames on disk are black and of size ``frame``.
    """
    samples = []
    for t, truth in enumerate(truths):
        path = tmp_path / f'{t}.jpg'
        cv2.imwrite(str(path), np.zeros((*frame, 3), np.uint8))
        sample = SegDataSample(metainfo=dict(img_path=str(path)))
        for key, row in (
            ('gt_sem_seg', truth),
            ('pred_sem_seg', (guesses or truths)[t]),
        ):
            row = torch.tensor(row).repeat_interleave(size[1] // len(row))
            mask = row.expand(1, *size).clone()
            sample.set_field(PixelData(data=mask), key)
        samples.append(sample)
    visualizer = make_visualizer(tmp_path)
    visualizer.dataset_meta = dict(classes=CLASSES, palette=PALETTE)
    return visualizer, samples


def test_captions_of_classes(tmp_path):
    truths = [[0, 2, 2, 3], [3, 3, 0, 0], [0, 0, 0, 0], [255] * 4]
    guesses = [[0, 2, 3, 3], [3, 3, 0, 0], [0, 0, 5, 0], [1, 1, 1, 0]]
    visualizer, samples = make_semantic(tmp_path, truths, guesses)
    _, truth, prediction = visualizer.clip_rows(samples)
    # The largest first; without class 1 a frame need not be silent.
    assert list(truth.captions) == [
        'emergency-car\nwolf',
        'wolf',
        'silent',
        'unlabelled',
    ]
    # Mean over the classes of the frame, with the background: 1, 1/2, 1/2;
    # all; 3/4 of the background and nothing of the bell.
    assert list(prediction.captions) == [
        'wolf\nemergency-car\nmIoU 0.67',
        'wolf\nmIoU 1.00',
        'bell\nmIoU 0.38',
        'organ',
    ]


def test_many_classes_are_counted(tmp_path):
    visualizer, samples = make_semantic(
        tmp_path, [[1, 1, 1, 2, 2, 3, 4, 5], [1, 1, 1, 2, 2, 3, 0, 0]]
    )
    truth = visualizer.clip_rows(samples)[1]
    assert list(truth.captions) == [
        'organ\nemergency-car\n+ 3 more',
        'organ\nemergency-car\nwolf',
    ]


@pytest.mark.parametrize('frame', [SIZE, (128, 120), (32, 200)])
def test_classes_in_the_colours_of_the_palette(tmp_path, frame):
    """Whatever size the file has: the masks of AVSS are 224 x 224."""
    visualizer, samples = make_semantic(
        tmp_path, [[2, 0, 3, 255]], [[1, 0, 2, 2]], frame=frame
    )
    rows = visualizer.clip_rows(samples)
    assert {image.shape for row in rows for image in row.images} == {
        (*frame, 3)
    }
    for row, classes in zip(rows[1:], ([2, 0, 3, 0], [1, 0, 2, 2])):
        for k, label in enumerate(classes):
            # In the middle of a column, far from every contour.
            x = (2 * k + 1) * frame[1] // 8
            pixel = row.images[0][frame[0] // 2, x]
            expected = 0.45 * np.array(PALETTE[label])
            assert np.abs(pixel - expected).max() <= 1
    # The score is that of the masks, which are not resized for it.
    assert rows[2].captions[0].endswith('mIoU 0.25')


def test_binary_masks_of_another_size_than_the_file(tmp_path):
    samples = make_clip(tmp_path, num_frames=1)
    frame = np.full((SIZE[0] * 2, SIZE[1] * 3, 3), RED[::-1], dtype=np.uint8)
    cv2.imwrite(samples[0].img_path, frame)
    rows = make_visualizer(tmp_path).clip_rows(samples)
    assert rows[1].images[0].shape == frame.shape
    tinted = (rows[1].images[0] != RED).any(-1)
    assert tinted[:, :110].all() and not tinted[:, 130:].any()


def test_legend_names_what_is_drawn(tmp_path):
    visualizer, samples = make_semantic(
        tmp_path, [[0, 2, 2, 255], [0, 0, 0, 0]], [[0, 2, 5, 0], [0, 0, 0, 3]]
    )
    assert visualizer.clip_legend(samples) == {
        'emergency-car': PALETTE[2],
        'wolf': PALETTE[3],
        'bell': PALETTE[5],
    }
    sheet = visualizer.add_clip('clip', samples)
    patch = (sheet == PALETTE[2]).all(-1)
    assert patch[-40:].sum() > 20
    for sample in samples:
        del sample.gt_sem_seg, sample.pred_sem_seg
    assert visualizer.clip_legend(samples) == {}
    assert make_visualizer(tmp_path / 'b').clip_legend(samples) == {}


def test_names_at_construction(tmp_path):
    """Upstream's constructor takes the one for the other."""

    def build(name, **kwargs):
        cfg = dict(type='AVSLocalVisualizer', name=f'{tmp_path} {name}')
        return VISUALIZERS.build(dict(cfg, **kwargs)).dataset_meta

    assert build('a')['classes'] == ('background', 'sounding')
    given = dict(classes=CLASSES, palette=PALETTE)
    assert build('b', **given) == given
    assert len(build('c', dataset_name='ade')['classes']) == 150
