"""One sheet per clip."""

from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import torch
from mmengine.structures import PixelData
from mmengine.visualization import Visualizer
from mmseg.registry import HOOKS, VISUALIZERS
from mmseg.structures import SegDataSample

RUNNER = SimpleNamespace(iter=40)


def make_batch(tmp_path, lengths=(2, 3)):
    """Outputs of clips of T frames, clip-major, and their log-mels."""
    outputs, log_mel = [], []
    for b, num_frames in enumerate(lengths):
        log_mel.append(torch.full((num_frames, 1, 96, 64), float(b)))
        for t in range(num_frames):
            path = tmp_path / f'{b}_{t}.png'
            cv2.imwrite(str(path), np.full((32, 40, 3), 20 * t, np.uint8))
            sample = SegDataSample(
                metainfo=dict(
                    img_path=str(path), video_id=f'-v{b}', frame_idx=t
                )
            )
            for key in ('gt_sem_seg', 'pred_sem_seg'):
                mask = torch.zeros(1, 32, 40)
                mask[:, 8:20, 8:20] = 1
                sample.set_field(PixelData(data=mask), key)
            outputs.append(sample)
    return dict(inputs=dict(log_mel=log_mel)), outputs


@pytest.fixture
def make_hook(tmp_path):
    """Build the hook with a visualizer that writes into the folder."""
    # The hook takes the process's newest visualizer, as in a run.
    instances = dict(Visualizer._instance_dict)
    Visualizer._instance_dict.clear()
    VISUALIZERS.build(
        dict(
            type='AVSLocalVisualizer',
            name=str(tmp_path),
            vis_backends=[dict(type='LocalVisBackend')],
            save_dir=str(tmp_path / 'vis'),
        )
    )
    yield lambda **kwargs: HOOKS.build(
        dict(type='AVSVisualizationHook', **kwargs)
    )
    Visualizer._instance_dict.clear()
    Visualizer._instance_dict.update(instances)


def written(tmp_path):
    return sorted(p.name for p in (tmp_path / 'vis').rglob('*.png'))


@pytest.mark.parametrize('mode', ['val', 'test'])
def test_one_sheet_per_clip(make_hook, tmp_path, mode):
    """By default of every batch, as --show-dir has no interval."""
    hook = make_hook(draw=True)
    data_batch, outputs = make_batch(tmp_path)
    after = getattr(hook, f'after_{mode}_iter')
    after(RUNNER, 0, data_batch, outputs)
    assert written(tmp_path) == [f'{mode}_-v0_40.png', f'{mode}_-v1_40.png']


def test_each_clip_gets_its_frames_and_its_sound(make_hook, tmp_path):
    hook = make_hook(draw=True, interval=1)
    data_batch, outputs = make_batch(tmp_path)
    drawn = []
    hook._visualizer.add_clip = lambda name, samples, log_mel, **kwargs: (
        drawn.append((name, list(samples), log_mel, kwargs))
    )
    hook.after_test_iter(RUNNER, 0, data_batch, outputs)
    assert [name for name, *_ in drawn] == ['test_-v0', 'test_-v1']
    assert drawn[0][1] == outputs[:2] and drawn[1][1] == outputs[2:]
    for b, (_, samples, log_mel, kwargs) in enumerate(drawn):
        assert log_mel.shape == (len(samples), 1, 96, 64)
        assert (log_mel == b).all()
        assert kwargs['step'] == 40 and kwargs['show'] is False


def test_interval_counts_batches(make_hook, tmp_path):
    hook = make_hook(draw=True, interval=3)
    for i in range(6):
        folder = tmp_path / str(i)
        folder.mkdir()
        data_batch, outputs = make_batch(folder, lengths=(1,))
        outputs[0].set_metainfo(dict(video_id=f'batch{i}'))
        hook.after_val_iter(RUNNER, i, data_batch, outputs)
    assert written(tmp_path) == ['val_batch2_40.png', 'val_batch5_40.png']


def test_nothing_is_drawn_by_default(make_hook, tmp_path):
    with pytest.warns(UserWarning, match='draw is False'):
        hook = make_hook(interval=1)
    data_batch, outputs = make_batch(tmp_path)
    hook.after_test_iter(RUNNER, 0, data_batch, outputs)
    assert not written(tmp_path)


def test_nothing_is_drawn_in_training(make_hook, tmp_path):
    hook = make_hook(draw=True, interval=1)
    data_batch, outputs = make_batch(tmp_path)
    hook.after_train_iter(RUNNER, 0, data_batch, outputs)
    assert not written(tmp_path)
