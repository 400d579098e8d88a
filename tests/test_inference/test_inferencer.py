"""Recordings through the whole model, against the way that tests go."""

from __future__ import annotations

import itertools
import warnings
import weakref
from contextlib import closing
from fractions import Fraction

import numpy as np
import pytest
import soundfile
import torch
from small_inferencer import (
    assert_same,
    by_the_test_set,
    clip_of,
    data_set_of,
    frame_folder,
    joined,
    lossless_video,
    save_weights,
)
from small_network import small_config
from video_files import number_of, write_video

from mmavs.apis import (
    ArrayRecording,
    AVSInferencer,
    Recording,
    VideoPrediction,
    open_recording,
)
from mmavs.datasets.synthetic import write_synthetic_avsbench
from mmavs.datasets.transforms.load_audio import load_waveform
from mmavs.datasets.videos import VideoFrame
from mmavs.functional.predictive import average_logits
from mmavs.functional.sounds import white_noise
from mmavs.inference.endless_sounds import MadeSound
from mmavs.inference.patch_reader import PatchReader

LATENTS = {'visual_specific', 'audio_specific', 'shared'}


def only_patch(prediction):
    """When the one patch of a frame begins, and the patch."""
    (heard,) = prediction.heard.items()
    return heard


def assert_heard(prediction, patch):
    sound_s, log_mel = only_patch(prediction)
    np.testing.assert_array_equal(log_mel, patch.log_mel)
    assert sound_s == patch.start_s


def test_a_clip_is_predicted_as_in_the_test_set(inferencer, clips, tmp_path):
    """Arrays, a folder of frames and a video, to the bit."""
    info = data_set_of(inferencer).get_data_info(1)
    folder = frame_folder(tmp_path / 'clip', info, first=8)
    video = lossless_video(tmp_path / 'clip.mkv', **clips[1])
    expected = by_the_test_set(inferencer, [1])
    for source in (clips[1], folder, str(video)):
        predictions = list(inferencer.stream(source))
        assert_same(predictions, expected)
        times = [p.time_s for p in predictions]
        assert times == [k - 1 / 16 for k in range(1, 6)]
        assert [p.index for p in predictions] == list(range(5))
        for prediction, image in zip(predictions, clips[1]['frames']):
            np.testing.assert_array_equal(prediction.image, image)


@pytest.mark.parametrize('batch_size', [1, 2])
def test_windows_are_predicted_as_clips_are(inferencer, clips, batch_size):
    """Three clips, one after the other, in batches of equal composition."""
    # A clip of the set lasts as many seconds as it has frames.
    assert {len(clip['waveform']) for clip in clips} == {80000}
    assert_same(
        inferencer.stream(joined(clips), batch_size=batch_size),
        by_the_test_set(inferencer, [0, 1, 2], batch_size),
    )


def test_sound_matters(inferencer, clips):
    """Else the tests above would not see a wrong sound."""
    reverse = dict(clips[0], waveform=clips[0]['waveform'][::-1])
    first, second = (inferencer(clip) for clip in (clips[0], reverse))
    assert np.abs(first.probabilities - second.probabilities).max() > 1e-4


def test_short_sound_is_completed_as_in_the_test_set(small_s4, tmp_path):
    """A clip's: the last patch again."""
    write_synthetic_avsbench(tmp_path, 's4', dict(test=4), seed=1)
    root = tmp_path / 'Single-source'
    inferencer = AVSInferencer(
        *small_s4,
        device='cpu',
        cfg_options={'test_dataloader.dataset.data_root': str(root)},
    )
    info = data_set_of(inferencer).get_data_info(0)
    waveform = load_waveform(info['audio_path'])[:45000]
    soundfile.write(info['audio_path'], waveform, 16000, 'FLOAT')
    folder = frame_folder(tmp_path / 'clip', info)
    predictions = list(inferencer.stream(folder))
    assert_same(predictions, by_the_test_set(inferencer, [0]))
    times, patches = zip(*(only_patch(p) for p in predictions))
    np.testing.assert_array_equal(patches[1], patches[4])
    assert (patches[0] != patches[1]).any()
    # 45,000 samples are two patches.
    assert times == (0, 0.96, 0.96, 0.96, 0.96)


def test_overlapping_windows_are_averaged(inferencer, clips, monkeypatch):
    model, windows = inferencer.model, []
    predict = model.predict_clips

    def keep(inputs):
        windows.append(predict(inputs))
        return windows[-1]

    monkeypatch.setattr(model, 'predict_clips', keep)
    clip = joined(clips[:2])
    value = inferencer(
        dict(
            clip,
            frames=clip['frames'][:8],
            waveform=clip['waveform'][:128000],
        ),
        overlap=3,
        return_codes=True,
    )
    # The last one is moved back so as to be full.
    starts = (0, 2, 3)
    assert len(windows) == len(starts)
    for frame in range(8):
        parts = [
            (window, frame - start)
            for window, start in zip(windows, starts)
            if 0 <= frame - start < 5
        ]
        logits = average_logits([w.logits[t : t + 1] for w, t in parts])
        expected = torch.nn.functional.interpolate(
            logits, (224, 224), mode='bilinear'
        )
        np.testing.assert_array_equal(
            value.probabilities[frame], expected[0, 0].sigmoid()
        )
        for name in LATENTS:
            codes = torch.stack([w.codes[name][t] for w, t in parts]).mean(0)
            np.testing.assert_array_equal(value.codes[name][frame], codes)


def test_own_times(inferencer, clips):
    """Every frame with the sound around it, windows of T in a row."""
    recording = ArrayRecording(**clips[0])
    predictions = list(inferencer.stream(recording, fps=5))
    assert [p.time_s for p in predictions] == [i / 5 for i in range(25)]
    reader = PatchReader(recording.sound())
    for i, prediction in enumerate(predictions):
        # Each frame of the arrays is on screen for a second.
        image = clips[0]['frames'][i // 5]
        np.testing.assert_array_equal(prediction.image, image)
        assert_heard(prediction, reader.read(i / 5))
    # The five frames when they appear.
    native = inferencer(recording, fps='native')
    assert native.times_s.tolist() == [0, 1, 2, 3, 4]


def test_variable_frame_rate(inferencer, tmp_path):
    """Native: every frame at its own time; at 1 fps what is on screen."""
    steps = [40, 10, 500, 20, 120, 1300, 30, 200, 900, 60]
    times = [Fraction(t, 1000) for t in np.cumsum([0, *steps]).tolist()]
    path = write_video(
        tmp_path / 'variable.mp4', frame_times=times, seconds=3.5
    )
    native = list(inferencer.stream(path, fps='native'))
    np.testing.assert_allclose(
        [p.time_s for p in native], [float(t) for t in times], atol=1e-4
    )
    assert [number_of(p.image) for p in native] == list(range(11))
    reader = PatchReader(open_recording(path).sound())
    for prediction in native:
        assert_heard(prediction, reader.read(prediction.time_s))
    published = inferencer.stream(path)
    assert [number_of(p.image) for p in published] == [5, 5, 8]


def test_fewer_frames_than_a_window(inferencer, clips):
    frames, waveform = (clips[0][key] for key in ('frames', 'waveform'))

    def cut(seconds, samples):
        return dict(
            clips[0], frames=frames[:seconds], waveform=waveform[:samples]
        )

    value = inferencer(cut(2, 32000))
    assert value.masks.shape == value.probabilities.shape == (2, 224, 224)
    assert value.times_s.tolist() == [15 / 16, 31 / 16]
    one = inferencer(cut(1, 15600))
    assert one.masks.shape == (1, 224, 224)


def test_masks_have_the_size_of_the_frames(inferencer, clips):
    frames = clips[0]['frames'][:, :47, :201]
    value = inferencer(dict(clips[0], frames=frames))
    assert value.masks.shape == (5, 47, 201)
    assert value.masks.dtype == np.uint8
    np.testing.assert_array_equal(value.masks, value.probabilities > 0.5)


def test_codes_come_on_request(inferencer, clips):
    assert inferencer(clips[0]).codes == {}
    codes = inferencer(clips[0], return_codes=True).codes
    assert set(codes) == LATENTS
    assert {code.shape for code in codes.values()} == {(5, 16)}


def test_bfloat16(inferencer, clips, small_s4):
    half = AVSInferencer(*small_s4, device='cpu', precision='bfloat16')
    value, expected = half(clips[0]), inferencer(clips[0])
    assert value.probabilities.dtype == np.float32
    difference = np.abs(value.probabilities - expected.probabilities)
    assert 0 < difference.max() < 0.05


@pytest.mark.gpu
@pytest.mark.parametrize('precision', ['float32', 'bfloat16'])
def test_on_a_gpu(inferencer, clips, small_s4, precision):
    fast = AVSInferencer(
        *small_s4, device='cuda', precision=precision, num_samples=2
    )
    value = fast(joined(clips), batch_size=2, overlap=2, return_codes=True)
    assert value.uncertainty.shape == value.masks.shape == (15, 224, 224)
    fast.num_samples = 0
    value, expected = fast(joined(clips)), inferencer(joined(clips))
    np.testing.assert_allclose(
        value.probabilities,
        expected.probabilities,
        atol=dict(float32=2e-3, bfloat16=0.05)[precision],
    )


def test_semantic_model(tmp_path):
    """Classes of the weights, windows of ten frames, the frames' own size."""
    write_synthetic_avsbench(tmp_path, 'avss', dict(test=12), seed=2)
    config = small_config('mmvae_tiny_avss', tmp_path / 'AVSBench-semantic')
    with pytest.warns(UserWarning, match='no weights'):
        dataset = data_set_of(AVSInferencer(config, device='cpu'))
    weights = save_weights(
        config, tmp_path / 'avss.pth', dataset_meta=dataset.metainfo
    )
    inferencer = AVSInferencer(config, weights, device='cpu')
    assert inferencer.num_frames == 10
    assert inferencer.classes == tuple(dataset.metainfo['classes'])
    assert inferencer.palette == tuple(map(tuple, dataset.metainfo['palette']))
    index = len(dataset) - 1
    clip = dict(
        zip(('frames', 'waveform'), clip_of(dataset.get_data_info(index))),
        sample_rate_hz=16000,
    )
    predictions = list(inferencer.stream(clip))
    # The same pipeline, but scored at the size of the files.
    pipeline = inferencer.config.test_dataloader.dataset.pipeline
    assert pipeline[0].transforms.pop().type == 'ScoreAtInputSize'
    samples = by_the_test_set(inferencer, [index])
    assert len(predictions) == len(samples) == 10
    for prediction, sample in zip(predictions, samples):
        assert prediction.mask.shape == clip['frames'].shape[1:3]
        np.testing.assert_array_equal(
            prediction.mask, sample.pred_sem_seg.data[0]
        )
        background = sample.seg_logits.data.softmax(0)[0]
        np.testing.assert_allclose(
            prediction.probability, 1 - background, atol=1e-6
        )
    assert len(np.unique([p.mask for p in predictions])) > 2


def test_several_inputs(inferencer, clips, tmp_path):
    """A list is predicted as a list, as is a folder of videos."""
    for name in ('clip 10.mp4', 'clip 9.mp4', '-clip.mp4'):
        write_video(tmp_path / name, seconds=1)
    (tmp_path / 'notes.txt').write_text('no video')
    value = inferencer([dict(clips[0], name='a'), tmp_path / '-clip.mp4'])
    assert [v.name for v in value] == ['a', '-clip']
    value = inferencer(str(tmp_path))
    assert [v.name for v in value] == ['-clip', 'clip 9', 'clip 10']
    assert all(isinstance(v, VideoPrediction) for v in value)
    assert isinstance(inferencer(clips[0]), VideoPrediction)
    assert inferencer([]) == []


def test_replaced_sound(inferencer, clips, tmp_path):
    """That of another file: as if it had been the clip's."""
    path = tmp_path / 'other.wav'
    soundfile.write(path, clips[1]['waveform'], 16000, 'FLOAT')
    other = dict(clips[0], waveform=clips[1]['waveform'])
    np.testing.assert_array_equal(
        inferencer(clips[0], sound=path).probabilities,
        inferencer(other).probabilities,
    )


def test_progress(inferencer, tmp_path):
    path = write_video(tmp_path / 'clip.mp4', seconds=3)
    told = []
    inferencer(path, progress=lambda *args: told.append(args))
    assert [done for done, _ in told] == [15 / 16, 31 / 16, 47 / 16]
    assert all(total == pytest.approx(3, abs=0.1) for _, total in told)


def test_results_are_written(inferencer, tmp_path):
    """And returned: the same numbers."""
    paths = [
        write_video(tmp_path / folder / 'clip.mp4', seconds=1)
        for folder in 'ab'
    ]
    out = tmp_path / 'out'
    value = inferencer(paths, out_dir=out, return_codes=True)
    assert sorted(path.name for path in out.iterdir()) == ['clip', 'clip_2']
    for name in ('clip', 'clip_2'):
        assert (out / name / 'result.json').is_file()
    expected = inferencer(paths[0], return_codes=True)
    np.testing.assert_array_equal(
        value[0].probabilities, expected.probabilities
    )
    for name in LATENTS:
        np.testing.assert_array_equal(
            value[0].codes[name], expected.codes[name]
        )


def test_a_stream_can_be_left(inferencer, clips):
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        with closing(inferencer.stream(joined(clips))) as predictions:
            assert next(predictions).index == 0


class Held(np.ndarray):
    """An array that can be told apart by its identity, and referenced."""

    __hash__ = object.__hash__


class EndlessRecording(Recording):
    """Frames and noise without an end."""

    name = source = 'endless'
    size = (32, 40)

    def __init__(self):
        self.alive = weakref.WeakSet()

    def frames(self, fps=1):
        for i in itertools.count():
            image = np.full((32, 40, 3), i % 256, np.uint8).view(Held)
            self.alive.add(image)
            yield VideoFrame(image, float(i))

    def sound(self):
        return MadeSound(white_noise)

    def track(self):
        return self.sound().track()


@pytest.mark.parametrize('fps', [1, 5])
def test_memory_does_not_depend_on_the_length(inferencer, fps):
    """Of a stream without an end, no more than three windows are held."""
    recording = EndlessRecording()
    with closing(inferencer.stream(recording, fps=fps)) as predictions:
        held = [
            (prediction.index, len(recording.alive))
            for prediction in itertools.islice(predictions, 42)
        ]
    assert held[-1][0] == 41
    assert 10 <= max(count for _, count in held) <= 16
