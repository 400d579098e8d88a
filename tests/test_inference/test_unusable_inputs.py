"""What is wrong with an input of the inferencer, or with an option."""

from __future__ import annotations

import warnings
from contextlib import contextmanager
from functools import partial

import numpy as np
import pytest
from small_inferencer import lossless_video
from video_files import write_video

from mmavs.apis import ArrayRecording, write_prediction
from mmavs.datasets.errors import DataError, MissingDataError


@contextmanager
def named_error(path, match, error=DataError):
    """Expect an error that names the file."""
    with pytest.raises(error, match=match) as info:
        yield
    assert str(path) in str(info.value)


def test_no_audio_track(inferencer, tmp_path):
    path = write_video(tmp_path / 'mute.mp4', audio=None, seconds=2)
    with named_error(path, 'has no audio track.*no_audio_policy'):
        inferencer.stream(path)
    value = inferencer(path, no_audio_policy='silence')
    assert len(value.masks) == 2
    expected = inferencer(path, sound='silence')
    np.testing.assert_array_equal(value.probabilities, expected.probabilities)


def test_silent_track(inferencer, clips, tmp_path):
    path = lossless_video(
        tmp_path / 'still.mkv', clips[0]['frames'], np.zeros(80000)
    )
    with named_error(path, 'is silent.*no_audio_policy'):
        inferencer.stream(path)
    value = list(inferencer.stream(path, no_audio_policy='silence'))
    patches = [list(p.heard.values()) for p in value]
    assert np.unique(patches) == np.float32(np.log(0.01))


@pytest.mark.parametrize('fps', [1, 5])
def test_sound_shorter_than_a_patch(inferencer, clips, tmp_path, fps):
    frames, waveform, rate_hz = clips[0].values()
    video = lossless_video(tmp_path / 'a.mkv', frames, waveform[:15599])
    arrays = ArrayRecording(
        frames, waveform[:15599], rate_hz, name='some arrays'
    )
    for source, name in ((video, video), (arrays, 'some arrays')):
        with named_error(name, 'too little sound.*15600 .*got 15599'):
            next(inferencer.stream(source, fps=fps))
    path = lossless_video(tmp_path / 'b.mkv', frames, waveform[:15600])
    assert len(list(inferencer.stream(path))) == 5


def test_video_shorter_than_a_second(inferencer, tmp_path):
    path = write_video(tmp_path / 'short.mp4', seconds=0.5, audio_seconds=1.5)
    with named_error(path, 'too short.*no frame at fps=1'):
        next(inferencer.stream(path))
    assert len(list(inferencer.stream(path, fps=5))) == 3


def test_no_video_track(inferencer, tmp_path):
    path = write_video(tmp_path / 'sound.mp4', codec=None, seconds=2)
    with named_error(path, 'no video track'):
        inferencer.stream(path)


def test_no_video_at_all(inferencer, tmp_path):
    path = tmp_path / 'text.mp4'
    path.write_text('not a video')
    with named_error(path, 'cannot be read as a video'):
        inferencer.stream(path)
    with named_error(tmp_path / 'lost.mp4', 'not exist', MissingDataError):
        inferencer.stream(tmp_path / 'lost.mp4')


def test_truncated_video(inferencer, tmp_path):
    path = write_video(tmp_path / 'clip.mkv', seconds=2)
    path.write_bytes(path.read_bytes()[: -path.stat().st_size // 3])
    with named_error(path, 'is truncated'):
        inferencer(path)


@pytest.mark.parametrize(
    ('options', 'match'),
    [
        (dict(fps=0), "fps must be 'native' or a number above 0.*got 0"),
        (dict(fps='fast'), "fps must be 'native'.*got 'fast'"),
        (dict(overlap=5), 'less than the 5 frames of a window, got 5'),
        (dict(overlap=1.5), 'overlap must be a whole number.*got 1.5'),
        (dict(batch_size=1.5), 'batch_size must be a whole number, 1 or mo'),
        (dict(no_audio_policy='no'), "no_audio_policy must be .*got 'no'"),
        (dict(sound='thunder'), "sound must be .*got 'thunder'"),
    ],
)
def test_wrong_options(inferencer, tmp_path, options, match):
    """Reported by the call, before anything is opened."""
    lost, out = tmp_path / 'lost.mp4', tmp_path / 'out'
    for use in (
        inferencer.stream,
        inferencer,
        partial(inferencer, out_dir=out),
        lambda *args, **how: write_prediction(inferencer, *args, out, **how),
    ):
        with pytest.raises(ValueError, match=match):
            use(lost, **options)
    assert not out.exists()


def test_frames_paced_otherwise_than_their_sound(inferencer, clips):
    """Of a video, all its frames, and not told how many a second."""
    frames = np.repeat(clips[0]['frames'][:1], 9, axis=0)
    sound = dict(clips[0], frames=frames)
    with pytest.warns(UserWarning, match=r'at 8\.9 s.*ends at 5\.0 s.*fps'):
        inferencer(sound)
    with warnings.catch_warnings():
        warnings.simplefilter('error', UserWarning)
        inferencer(dict(sound, fps=2), fps='native')
