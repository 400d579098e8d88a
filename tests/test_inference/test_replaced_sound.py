"""Recordings that are given another sound."""

from __future__ import annotations

import itertools
from fractions import Fraction

import av
import numpy as np
import pytest
import soundfile
from video_files import chirp, number_of, write_video

from mmavs.datasets.errors import DataError
from mmavs.datasets.videos import VideoWriter, read_audio, stream_sound
from mmavs.functional.sounds import white_noise
from mmavs.inference.recordings import ArrayRecording, VideoRecording
from mmavs.inference.replaced_sound import replace_sound

RATE_HZ = 16_000


def arrays(seconds=5, with_sound=True, rate_hz=RATE_HZ):
    frames = np.zeros((seconds, 4, 6, 3), np.uint8)
    waveform = chirp(np.arange(seconds * rate_hz) / rate_hz)
    return ArrayRecording(frames, waveform if with_sound else None, rate_hz)


def write_sound(path, seconds, num_channels=1, rate_hz=RATE_HZ):
    """A sound without any repetition."""
    samples = np.random.default_rng(0).uniform(
        -0.5, 0.5, (round(seconds * rate_hz), num_channels)
    )
    soundfile.write(path, samples, rate_hz, subtype='FLOAT')
    return samples.astype(np.float32).T


def played(recording, seconds):
    """The track, and as many seconds of what it plays for ever."""
    track = recording.track()
    assert track.is_endless
    num_samples = round(seconds * track.sample_rate_hz)
    chunks, taken = [], 0
    while taken < num_samples:
        chunks.append(next(track.chunks))
        taken += chunks[-1].shape[1]
    return track, np.concatenate(chunks, axis=1)[:, :num_samples]


def test_matched_is_the_recording_itself():
    recording = arrays()
    assert replace_sound(recording) is recording
    assert replace_sound(recording, 'matched') is recording


@pytest.mark.parametrize('name', ['silence', 'noise'])
def test_made_sounds(name):
    recording = replace_sound(arrays(5), name)
    expected = white_noise(5 * RATE_HZ)
    if name == 'silence':
        expected = np.zeros_like(expected)
    with recording.sound() as sound:
        stretch = sound.read(0, 5)
        np.testing.assert_array_equal(stretch.waveform, expected)
        assert stretch.sample_rate_hz == RATE_HZ
        assert stretch.silent_s == 0
        # A patch around a time, and one beyond the end: it has none.
        middle = sound.read(1.5, 0.975)
        np.testing.assert_array_equal(
            middle.waveform, expected[24_000 : 24_000 + 15_600]
        )
        assert len(sound.read(100, 1).waveform) == RATE_HZ
        assert sound.end_s is None
    track, samples = played(recording, 5)
    assert (track.sample_rate_hz, track.num_channels) == (RATE_HZ, 1)
    np.testing.assert_array_equal(samples, expected[None])
    # Asked for, not found: no policy for silent videos applies.
    assert not recording.is_silent() and recording.has_sound


def test_the_frames_stay(tmp_path):
    path = write_video(tmp_path / 'a.mp4', seconds=3)
    original = VideoRecording(path)
    recording = replace_sound(original, 'noise')
    for fps in (1, 5, 'native'):
        for frame, expected in itertools.zip_longest(
            recording.frames(fps), original.frames(fps)
        ):
            assert frame.time_s == expected.time_s
            np.testing.assert_array_equal(frame.image, expected.image)
    assert number_of(next(iter(recording.frames('native'))).image) == 0
    for name in ('name', 'source', 'size', 'duration_s', 'is_clip'):
        assert getattr(recording, name) == getattr(original, name)


@pytest.mark.parametrize('duration_s', [0.5, 60, None])
def test_it_is_played_as_long_as_there_are_pictures(tmp_path, duration_s):
    """Whatever a header says, and without a look at the sound replaced."""

    class Original(ArrayRecording):
        def track(self):
            raise AssertionError('the sound was read')

        sound = track

    frames = np.zeros((3, 48, 64, 3), np.uint8)
    original = Original(frames, np.ones(9), RATE_HZ)
    original.duration_s = duration_s
    write_sound(tmp_path / 'a.wav', 1.1)
    for sound in ('noise', tmp_path / 'a.wav'):
        recording = replace_sound(original, sound)
        path = tmp_path / 'out.mp4'
        with VideoWriter(path, (48, 64), recording.track()) as video:
            for second, frame in enumerate(recording.frames()):
                video.add(frame.image, second + 1)
        with av.open(str(path)) as container:
            lasts = [
                float(s.duration * s.time_base) for s in container.streams
            ]
        assert lasts == pytest.approx([3, 3], abs=1e-3)


def test_a_repeated_sound_does_not_drift(tmp_path):
    """It is heard when it is played: its period is that of the file."""
    # 16,000.36 samples at 16 kHz: in 6,000 passes an eighth of a second.
    period = Fraction(44_101, 44_100)
    once = chirp(np.arange(44_101) / 44_100)
    soundfile.write(tmp_path / 'a.wav', once, 44_100, subtype='FLOAT')
    with replace_sound(arrays(), tmp_path / 'a.wav').sound() as sound:
        sound.read(0, 2)
        start_s = float(6000 * period) + 0.1
        heard = sound.read(start_s, 0.8).waveform
    expected = chirp(0.1 + np.arange(len(heard)) / RATE_HZ)
    assert np.corrcoef(heard, expected)[0, 1] > 0.99


def test_another_sound_that_is_longer(tmp_path):
    expected = write_sound(tmp_path / 'a.wav', 9)[0]
    recording = replace_sound(arrays(5), tmp_path / 'a.wav')
    with recording.sound() as sound:
        value = sound.read(0, 5).waveform
    np.testing.assert_allclose(value, expected[: 5 * RATE_HZ], atol=1e-6)
    _, samples = played(recording, 5)
    np.testing.assert_allclose(samples[0], expected[: 5 * RATE_HZ], atol=1e-6)


@pytest.mark.parametrize('seconds', [1, 2.3, 3])
def test_a_shorter_sound_is_repeated(tmp_path, seconds):
    once = write_sound(tmp_path / 'a.wav', seconds)[0]
    recording = replace_sound(arrays(12), tmp_path / 'a.wav')
    expected = np.resize(once, 12 * RATE_HZ)
    with recording.sound() as sound:
        # Windows, with a step back over the seam now and then.
        for start_s, duration_s in (
            *((0, 5), (3.5, 5), (5.25, 0.975), (4.5, 0.975)),
            *((6.5, 5), (9, 3), (8, 4)),
        ):
            stretch = sound.read(start_s, duration_s)
            begin = round(start_s * RATE_HZ)
            np.testing.assert_allclose(
                stretch.waveform,
                expected[begin:][: len(stretch.waveform)],
                atol=1e-6,
            )
            assert len(stretch.waveform) == round(duration_s * RATE_HZ)
    _, samples = played(recording, 12)
    np.testing.assert_allclose(samples[0], expected, atol=1e-6)


def test_the_first_stretch_may_lie_behind_the_end(tmp_path):
    once = write_sound(tmp_path / 'a.wav', 2)[0]
    with replace_sound(arrays(), tmp_path / 'a.wav').sound() as sound:
        value = sound.read(7.5, 1).waveform
    np.testing.assert_allclose(
        value, np.tile(once, 5)[int(7.5 * RATE_HZ) :][:RATE_HZ], atol=1e-6
    )


def test_the_sound_of_another_video(tmp_path):
    """What is played is its track, what is heard the mono of it."""
    path = write_video(tmp_path / 'b c.mp4', seconds=2, rate_hz=44100)
    recording = replace_sound(arrays(5), str(path))
    once = read_audio(path, 0, 1.9).waveform
    with recording.sound() as sound:
        np.testing.assert_array_equal(sound.read(0, 1.9).waveform, once)
    track, samples = played(recording, 5)
    original = stream_sound(path)
    first = np.concatenate(list(original.chunks), axis=1)
    assert (track.sample_rate_hz, track.num_channels) == (44100, 2)
    assert samples.shape == (2, 5 * 44100)
    np.testing.assert_array_equal(samples, np.tile(first, 3)[:, : 5 * 44100])


def test_names_and_files(tmp_path, monkeypatch):
    with pytest.raises(ValueError, match="'silence'.*'noise'.*'loud'"):
        replace_sound(arrays(), 'loud')
    with pytest.raises(ValueError, match='path of a file'):
        replace_sound(arrays(), tmp_path)
    monkeypatch.chdir(tmp_path)
    write_sound(tmp_path / 'a.wav', 2)
    (tmp_path / 'a.wav').rename('silence')
    with replace_sound(arrays(), 'silence').sound() as sound:
        assert not sound.read(0, 1).waveform.any()
    with replace_sound(arrays(), './silence').sound() as sound:
        assert sound.read(0, 1).waveform.any()


def test_sounds_that_cannot_replace_another(tmp_path):
    soundfile.write(tmp_path / 'mute.wav', np.zeros(32_000), RATE_HZ)
    with pytest.raises(DataError, match='mute.wav is silent.*silence'):
        replace_sound(arrays(), tmp_path / 'mute.wav')
    path = write_video(tmp_path / 'film.mp4', seconds=2, audio=None)
    with pytest.raises(DataError, match='film.mp4.*no audio track'):
        replace_sound(arrays(), path)
    (tmp_path / 'text.wav').write_text('no sound')
    with pytest.raises(DataError, match='text.wav'):
        replace_sound(arrays(), tmp_path / 'text.wav')
    write_sound(tmp_path / 'short.wav', 0.5)
    recording = replace_sound(arrays(), tmp_path / 'short.wav')
    with (
        recording.sound() as sound,
        pytest.raises(DataError, match='short.wav.*8000.*15600'),
    ):
        sound.read(0, 5)
