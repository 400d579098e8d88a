"""Flattening of clips into frames."""

import pytest
import torch
from mmengine.dataset import pseudo_collate
from mmengine.structures import PixelData
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample

from mmavs.models.data_preprocessor import AVSegDataPreProcessor
from mmavs.structures import ClipBatch

MEAN, STD = [123.675, 116.28, 103.53], [58.395, 57.12, 57.375]


def make_clip(b, num_frames=3, height=8, width=12, dtype=torch.uint8):
    """Make a packed clip whose values tell clip, frame and channel."""
    frames = torch.stack(
        [
            torch.stack(
                [
                    torch.full((height, width), 100 * b + 10 * t + c)
                    for c in range(3)
                ]
            )
            for t in range(num_frames)
        ]
    ).to(dtype)
    log_mel = torch.stack(
        [torch.full((1, 96, 64), 100.0 * b + t) for t in range(num_frames)]
    )
    masks = torch.zeros(num_frames, height, width, dtype=torch.uint8)
    for t in range(num_frames):
        masks[t, t, b] = 1
    sample = SegDataSample(
        metainfo=dict(
            video_id=f'clip{b}',
            num_frames=num_frames,
            img_paths=[f'{b}_{t}.png' for t in range(num_frames)],
            seg_map_paths=[f'{b}_{t}_m.png' for t in range(num_frames)],
            ori_shape=(height, width),
            img_shape=(height, width),
        )
    )
    sample.gt_sem_seg = PixelData(data=masks)
    return dict(
        inputs=dict(frames=frames, log_mel=log_mel), data_samples=sample
    )


def make_batch(*clips):
    return pseudo_collate(list(clips) or [make_clip(0), make_clip(1)])


@pytest.mark.parametrize('training', [True, False])
def test_order_is_clip_major(training):
    preprocessor = MODELS.build(dict(type='AVSegDataPreProcessor'))
    out = preprocessor(make_batch(), training)
    batch, samples = out['inputs'], out['data_samples']
    assert isinstance(batch, ClipBatch)
    assert batch.num_frames == 3
    assert batch.frames.shape == batch.shape == (6, 3, 8, 12)
    assert batch.log_mel.shape == (6, 1, 96, 64)
    assert len(samples) == 6
    for b in range(2):
        for t in range(3):
            n = 3 * b + t
            for c in range(3):
                assert (batch.frames[n, c] == 100 * b + 10 * t + c).all()
            assert (batch.log_mel[n] == 100 * b + t).all()
            sample = samples[n]
            assert sample.video_id == f'clip{b}'
            assert sample.frame_idx == t
            assert sample.num_frames == 3
            assert sample.img_path == f'{b}_{t}.png'
            assert sample.seg_map_path == f'{b}_{t}_m.png'
            assert 'img_paths' not in sample
            assert sample.ori_shape == (8, 12)
            mask = sample.gt_sem_seg.data
            assert mask.shape == (1, 8, 12)
            assert mask.dtype == torch.int64
            assert mask.nonzero().tolist() == [[0, t, b]]


@pytest.mark.parametrize('dtype', [torch.uint8, torch.float32])
def test_normalisation_is_upstream(dtype):
    preprocessor = AVSegDataPreProcessor(mean=MEAN, std=STD, bgr_to_rgb=True)
    frames = preprocessor(make_batch(make_clip(1, dtype=dtype)))[
        'inputs'
    ].frames
    assert frames.dtype == torch.float32
    for c in range(3):
        # channel c of the output is channel 2 - c of the BGR frame
        expected = (100 + 10 + (2 - c) - MEAN[c]) / STD[c]
        assert torch.allclose(frames[1, c], torch.tensor(expected))


def test_without_samples():
    out = AVSegDataPreProcessor(mean=MEAN, std=STD)(
        dict(inputs=make_batch()['inputs'])
    )
    assert out['data_samples'] is None
    assert out['inputs'].frames.shape == (6, 3, 8, 12)
    assert out['inputs'].audio_keys is None


@pytest.mark.parametrize('training', [True, False])
def test_audio_keys_of_the_clips(training):
    clips = [make_clip(b) for b in range(3)]
    for b in (0, 2):
        clips[b]['data_samples'].set_metainfo(dict(audio_key=f'{b:040x}'))
    preprocessor = AVSegDataPreProcessor()
    batch = preprocessor(make_batch(*clips), training)['inputs']
    assert batch.audio_keys == (f'{0:040x}', None, f'{2:040x}')
    batch = preprocessor(make_batch(), training)['inputs']
    assert batch.audio_keys == (None, None)


def test_output_fits_forward():

    class Model(torch.nn.Module):
        def forward(self, inputs, data_samples=None, mode='tensor'):
            return inputs.shape, data_samples

    batch = make_batch()
    del batch['data_samples']
    shape, samples = Model()(**AVSegDataPreProcessor()(batch), mode='tensor')
    assert shape == (6, 3, 8, 12) and samples is None


def test_samples_without_masks():
    clip = make_clip(0)
    del clip['data_samples'].gt_sem_seg
    samples = AVSegDataPreProcessor()(make_batch(clip))['data_samples']
    assert len(samples) == 3
    assert all('gt_sem_seg' not in sample for sample in samples)


def test_bare_sample_gets_its_frames_counted():
    clip = dict(make_clip(0), data_samples=SegDataSample())
    samples = AVSegDataPreProcessor()(make_batch(clip))['data_samples']
    assert [s.frame_idx for s in samples] == [0, 1, 2]
    assert [s.num_frames for s in samples] == [3, 3, 3]


def test_training_padding():
    small, large = make_clip(0), make_clip(1, height=9, width=10)
    for kwargs, size in (
        (dict(), (9, 12)),
        (dict(size_divisor=8), (16, 16)),
        (dict(size=(20, 24)), (20, 24)),
    ):
        preprocessor = AVSegDataPreProcessor(
            pad_val=7, seg_pad_val=255, **kwargs
        )
        out = preprocessor(make_batch(small, large), True)
        frames, samples = out['inputs'].frames, out['data_samples']
        assert frames.shape == (6, 3, *size)
        assert (frames[0, :, 8:] == 7).all()
        assert (frames[0, :, :8, :12] != 7).all()
        mask = samples[0].gt_sem_seg.data
        assert mask.shape == (1, *size)
        assert (mask[:, 8:] == 255).all()
        assert mask[0, 0, 0] == 1
        assert samples[0].img_shape == (8, 12)
        assert samples[5].img_shape == (9, 10)


@pytest.mark.parametrize('with_samples', [True, False])
def test_test_padding(with_samples):
    preprocessor = AVSegDataPreProcessor(test_cfg=dict(size_divisor=16))
    batch = make_batch()
    if not with_samples:
        del batch['data_samples']
    out = preprocessor(batch)
    assert out['inputs'].frames.shape == (6, 3, 16, 16)
    if with_samples:
        # postprocess_result cuts this off the logits again
        assert out['data_samples'][4].img_padding_size == (0, 4, 0, 8)
        # masks stay in their original size
        assert out['data_samples'][4].gt_sem_seg.data.shape == (1, 8, 12)
    else:
        assert out['data_samples'] is None


@pytest.mark.parametrize('training', [True, False])
def test_batch_is_not_changed(training):
    # The same packed clip may be used again (a cached or pinned batch).
    preprocessor = AVSegDataPreProcessor(mean=MEAN, std=STD, size=(16, 16))
    batch = make_batch()
    first = preprocessor(batch, training)
    sample = batch['data_samples'][0]
    assert sample.gt_sem_seg.data.shape == (3, 8, 12)
    assert len(sample.img_paths) == 3
    assert batch['inputs']['frames'][0].dtype == torch.uint8
    second = preprocessor(batch, training)
    assert torch.equal(first['inputs'].frames, second['inputs'].frames)


def test_channels_last():
    frames = AVSegDataPreProcessor(channels_last=True)(make_batch())[
        'inputs'
    ].frames
    assert frames.is_contiguous(memory_format=torch.channels_last)
    plain = AVSegDataPreProcessor()(make_batch())['inputs'].frames
    assert plain.is_contiguous()
    assert torch.equal(plain, frames)


def test_wrong_shapes():
    preprocessor = AVSegDataPreProcessor()

    def run(frames, log_mel, **kwargs):
        return preprocessor(
            dict(inputs=dict(frames=frames, log_mel=log_mel), **kwargs)
        )

    frames, log_mel = torch.zeros(5, 3, 8, 8), torch.zeros(5, 1, 96, 64)
    run([frames], [log_mel])
    with pytest.raises(
        ValueError,
        match=r'log_mel must be \(5, 1, 96, 64\).*got \(5, 96, 64\)',
    ):
        run([frames], [log_mel[:, 0]])
    with pytest.raises(ValueError, match=r'\(4, 1, 96, 64\)'):
        run([frames], [log_mel[:4]])
    with pytest.raises(
        ValueError, match=r'frames must be \(T, 3, H, W\), got \(3, 8'
    ):
        run(frames, log_mel)
    with pytest.raises(ValueError, match=r'\(5, 1, 8, 8\)'):
        run([frames[:, :1]], [log_mel])
    with pytest.raises(ValueError, match='2 and 1'):
        run([frames, frames], [log_mel])
    with pytest.raises(ValueError, match=r'same number of frames.*\[5, 2\]'):
        run([frames, frames[:2]], [log_mel, log_mel[:2]])
    with pytest.raises(ValueError, match='1 clips.*got 2'):
        run([frames], [log_mel], data_samples=[SegDataSample()] * 2)
    with pytest.raises(TypeError, match="'frames' and 'log_mel'.*Tensor"):
        preprocessor(dict(inputs=frames))
    with pytest.raises(TypeError, match=r"\['frames'\]"):
        preprocessor(dict(inputs=dict(frames=[frames])))
    with pytest.raises(ValueError, match='training needs data_samples'):
        preprocessor(
            dict(inputs=dict(frames=[frames], log_mel=[log_mel])), True
        )


def test_sample_that_describes_another_clip():
    clip = make_clip(0)
    clip['data_samples'].gt_sem_seg = PixelData(data=torch.zeros(2, 8, 12))
    with pytest.raises(ValueError, match="'clip0'.*3 frames.*'gt_sem_seg': 2"):
        AVSegDataPreProcessor()(make_batch(clip))
    clip = make_clip(0)
    clip['data_samples'].set_metainfo(dict(img_paths=['a.png']))
    with pytest.raises(ValueError, match="'img_path': 1"):
        AVSegDataPreProcessor()(make_batch(clip))
