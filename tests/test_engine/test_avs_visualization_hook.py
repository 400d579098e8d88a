"""One sheet per clip."""

import sys
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import torch
from mmengine.structures import PixelData
from mmengine.visualization import Visualizer
from mmseg.registry import HOOKS, VISUALIZERS
from mmseg.structures import SegDataSample

RUNNER = SimpleNamespace(
    iter=40, val_dataloader=SimpleNamespace(dataset=range(6))
)


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


def drawn_clips(hook, tmp_path, num_clips, batch_size, mode='val'):
    """Numbers of the clips of a loop that are drawn."""
    drawn = []
    hook._visualizer.add_clip = lambda name, *args, **kwargs: drawn.append(
        int(name.rpartition('_')[2])
    )
    loader = SimpleNamespace(dataset=range(num_clips))
    runner = SimpleNamespace(iter=7, val_dataloader=loader)
    after = getattr(hook, f'after_{mode}_iter')
    for batch, first in enumerate(range(0, num_clips, batch_size)):
        count = min(batch_size, num_clips - first)
        data_batch = dict(inputs=dict(log_mel=[torch.zeros(1)] * count))
        outputs = [
            SegDataSample(metainfo=dict(video_id=f'{first + k}'))
            for k in range(count)
        ]
        after(runner, batch, data_batch, outputs)
    return drawn


@pytest.mark.parametrize('batch_size', [1, 4, 7])
def test_a_validation_draws_some_clips_evenly(make_hook, tmp_path, batch_size):
    hook = make_hook(draw=True)
    for num_clips in (3, 8, 21, 80):
        drawn = drawn_clips(hook, tmp_path, num_clips, batch_size)
        assert len(drawn) == min(8, num_clips)
        steps = np.diff([*drawn, num_clips])
        assert drawn[0] == 0 and steps.max() - steps.min() <= 1
        # The same ones the next time.
        assert drawn_clips(hook, tmp_path, num_clips, batch_size) == drawn


def test_number_of_clips_of_a_validation(make_hook, tmp_path):
    assert drawn_clips(make_hook(draw=True, max_clips=2), tmp_path, 9, 2) == [
        0,
        5,
    ]
    every = make_hook(draw=True, max_clips=None)
    assert drawn_clips(every, tmp_path, 9, 2) == list(range(9))


def test_a_test_draws_them_all(make_hook, tmp_path):
    hook = make_hook(draw=True, max_clips=2)
    assert drawn_clips(hook, tmp_path, 20, 3, 'test') == list(range(20))


@pytest.mark.parametrize('batch_size', [1, 3])
@pytest.mark.parametrize('interval', [2, 5])
def test_clips_of_every_few_batches(make_hook, tmp_path, batch_size, interval):
    """Of those batches, as many clips as may be drawn."""
    hook = make_hook(draw=True, interval=interval, max_clips=3)
    for _ in range(2):
        drawn = drawn_clips(hook, tmp_path, 60, batch_size)
        assert len(drawn) == 3
        for clip in drawn:
            assert (clip // batch_size + 1) % interval == 0


def test_only_the_first_process_draws(make_hook, tmp_path, monkeypatch):
    module = sys.modules[type(make_hook(draw=True)).__module__]
    hook = make_hook(draw=True, max_clips=4)
    loader = dict(num_clips=8, batch_size=1)
    assert drawn_clips(hook, tmp_path, **loader) == [0, 2, 4, 6]
    # Of two processes each meets every second clip: its own first four.
    monkeypatch.setattr(module, 'get_world_size', lambda: 2)
    assert drawn_clips(hook, tmp_path, **loader)[:4] == [0, 1, 2, 3]
    monkeypatch.setattr(module, 'is_main_process', lambda: False)
    assert drawn_clips(hook, tmp_path, **loader) == []


@pytest.mark.parametrize('max_clips', [0, -1])
def test_number_of_clips_is_checked(make_hook, max_clips):
    with pytest.raises(ValueError, match=f'max_clips .* got {max_clips}'):
        make_hook(draw=True, max_clips=max_clips)


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
