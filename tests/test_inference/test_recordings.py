"""Recordings: videos, folders of frames, arrays; and lists of inputs."""

from __future__ import annotations

import itertools
from fractions import Fraction

import cv2
import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st
from video_files import chirp, number_of, write_video

from mmavs.datasets.errors import DataError, MissingDataError
from mmavs.datasets.transforms.load_audio import resample_waveform
from mmavs.datasets.videos import SoundTrack, is_silent, read_audio
from mmavs.inference.recordings import (
    ArrayRecording,
    FrameFolderRecording,
    Recording,
    VideoRecording,
    list_inputs,
    open_recording,
)
from mmavs.inference.recordings.opening import is_one_recording
from mmavs.inference.recordings.recording import frame_rate, sample_times

RATE_HZ = 16000


def pictures(count, size=(6, 8)):
    """Frames whose red value is their number."""
    frames = np.zeros((count, *size, 3), np.uint8)
    frames[..., 0] = np.arange(count)[:, None, None]
    return frames


def numbers(frames):
    return [int(frame.image[0, 0, 0]) for frame in frames]


def save_frames(folder, names, size=(6, 8)):
    folder.mkdir(parents=True, exist_ok=True)
    for image, name in zip(pictures(len(names), size), names):
        cv2.imwrite(str(folder / name), image[..., ::-1])


def save_sound(path, seconds=3, rate_hz=RATE_HZ):
    time_s = np.arange(seconds * rate_hz) / rate_hz
    soundfile.write(path, chirp(time_s), rate_hz)


@pytest.mark.parametrize(
    ('fps', 'rate'),
    [
        ('native', None),
        (1, 1),
        ('1', 1),
        (0.1, Fraction(1, 10)),
        (29.97, Fraction(2997, 100)),
        ('30000/1001', Fraction(30000, 1001)),
        (Fraction(25, 2), Fraction(25, 2)),
        (np.float32(0.5), Fraction(1, 2)),
    ],
)
def test_frame_rates(fps, rate):
    assert frame_rate(fps) == rate


@pytest.mark.parametrize(
    'fps', [0, -1, 1001, 'all', '', '1/0', None, float('nan'), float('inf')]
)
def test_no_frame_rates(fps):
    with pytest.raises(ValueError, match="'native' or a number above 0, 1000"):
        frame_rate(fps)


def test_times():
    """At 1 fps as published, else multiples, exact however long it takes."""

    def at(rate, index):
        return next(itertools.islice(sample_times(rate), index, None))

    assert [at(Fraction(1), i) for i in (0, 1, 3600)] == [
        Fraction(15, 16),
        Fraction(31, 16),
        3601 - Fraction(1, 16),
    ]
    assert at(Fraction(30000, 1001), 100_000) == Fraction(100_100, 30)


@pytest.fixture(scope='module')
def path(tmp_path_factory):
    """A video of three seconds."""
    return write_video(
        tmp_path_factory.mktemp('video') / '-my clip.mp4', seconds=3
    )


class TestVideo:
    """Videos of 16 frames a second and a chirp at 44.1 kHz."""

    def test_facts(self, path):
        recording = VideoRecording(path)
        assert recording.name == '-my clip'
        assert recording.source == str(path)
        assert recording.size == (48, 64)
        assert recording.sample_aspect_ratio == 1
        assert recording.duration_s == pytest.approx(3, abs=0.1)
        assert recording.has_sound
        assert not recording.is_clip
        assert not recording.is_silent()

    @pytest.mark.parametrize(
        ('fps', 'times', 'shown'),
        [
            (1, [15 / 16, 31 / 16, 47 / 16], [15, 31, 47]),
            (2, [0, 0.5, 1, 1.5, 2, 2.5], [0, 8, 16, 24, 32, 40]),
            (0.8, [0, 1.25, 2.5], [0, 20, 40]),
            ('native', [i / 16 for i in range(48)], list(range(48))),
        ],
    )
    def test_frames(self, path, fps, times, shown):
        frames = list(VideoRecording(path).frames(fps))
        assert [frame.time_s for frame in frames] == times
        assert [number_of(frame.image) for frame in frames] == shown

    def test_a_last_frame_may_be_late_at_1_fps_only(self, tmp_path):
        path = write_video(tmp_path / 'clip.mp4', seconds=1.75)
        recording = VideoRecording(path)
        assert len(list(recording.frames())) == 2
        times = [frame.time_s for frame in recording.frames(16)]
        assert times == [i / 16 for i in range(28)]

    def test_sound(self, path):
        with VideoRecording(path).sound() as sound:
            stretch = sound.read(Fraction(1, 2), 1)
        assert stretch.sample_rate_hz == RATE_HZ
        np.testing.assert_array_equal(
            stretch.waveform, read_audio(path, 0.5, 1).waveform
        )

    def test_track(self, path):
        track = VideoRecording(path).track()
        assert (track.sample_rate_hz, track.num_channels) == (44100, 2)

    def test_without_sound(self, tmp_path):
        path = write_video(tmp_path / 'mute.mp4', audio=None, seconds=1)
        recording = VideoRecording(path)
        assert not recording.has_sound
        assert recording.is_silent()
        assert recording.track() is None
        with pytest.raises(DataError, match='mute.mp4 has no audio track'):
            recording.sound().read(0, 1)


class TestFrameFolder:
    """Folders of frames, a second each, and a sound file."""

    NAMES = ('f_2.jpg', 'f_9.png', 'f_10.JPEG')

    @pytest.fixture
    def folder(self, tmp_path):
        folder = tmp_path / 'a clip'
        save_frames(folder, self.NAMES)
        save_sound(folder / 'sound.wav', rate_hz=8000)
        (folder / '.hidden.png').write_text('')
        (folder / 'notes.txt').write_text('')
        return folder

    @pytest.mark.parametrize('fps', [1, 'native', '1'])
    def test_frames(self, folder, fps):
        frames = list(FrameFolderRecording(folder).frames(fps))
        # The JPEG files are close to what they were.
        assert np.abs(np.subtract(numbers(frames), [0, 1, 2])).max() <= 2
        assert [f.time_s for f in frames] == [15 / 16, 31 / 16, 47 / 16]
        assert all(f.image.flags.c_contiguous for f in frames)

    def test_facts(self, folder, monkeypatch):
        monkeypatch.chdir(folder)
        recording = FrameFolderRecording('.')
        assert recording.name == 'a clip'
        assert recording.source == '.'
        assert recording.size == (6, 8)
        assert recording.duration_s == 3
        assert recording.is_clip
        assert not recording.is_silent()

    def test_sound(self, folder):
        with FrameFolderRecording(folder).sound() as sound:
            waveform = sound.read(0, 4).waveform
            assert sound.end_s == 3
        # But for where the filter meets the beginning, or the chirp jumps.
        inside = np.arange(200, 15000)
        np.testing.assert_allclose(
            waveform[inside], chirp(inside / RATE_HZ), atol=1e-3
        )
        assert not waveform[3 * RATE_HZ + 200 :].any()
        track = FrameFolderRecording(folder).track()
        assert (track.sample_rate_hz, track.num_channels) == (8000, 1)

    def test_other_rates(self, folder):
        with pytest.raises(ValueError, match="a clip.*1 or 'native', got 5"):
            FrameFolderRecording(folder).frames(5)

    def test_frames_of_different_sizes(self, folder):
        cv2.imwrite(str(folder / 'f_9.png'), np.zeros((6, 9, 3), np.uint8))
        recording = FrameFolderRecording(folder)
        with pytest.raises(DataError, match=r'f_9.png.*f_2.jpg, \(6, 8\)'):
            list(recording.frames())

    def test_broken_frame(self, folder):
        path = folder / 'f_9.png'
        path.write_bytes(path.read_bytes()[:-20])
        with pytest.raises(DataError, match='f_9.png is cut short'):
            list(FrameFolderRecording(folder).frames())

    def test_several_sounds(self, folder):
        save_sound(folder / 'other.flac')
        with pytest.raises(DataError, match='one audio.*2: other.flac, sound'):
            FrameFolderRecording(folder)

    def test_no_sound(self, folder):
        (folder / 'sound.wav').unlink()
        with pytest.raises(DataError, match='one audio file .* 3 .*has 0'):
            FrameFolderRecording(folder)

    def test_no_frames(self, folder):
        for name in self.NAMES:
            (folder / name).unlink()
        with pytest.raises(DataError, match='a clip has no frame'):
            FrameFolderRecording(folder)


class TestArrays:
    """Frames and a waveform in memory."""

    @given(
        st.integers(1, 9),
        st.fractions(Fraction(1, 3), 30, max_denominator=100),
        st.fractions(Fraction(1, 3), 30, max_denominator=100),
    )
    def test_what_is_on_screen(self, count, own, fps):
        recording = ArrayRecording(pictures(count), fps=own)
        frames = list(recording.frames(fps))
        late = Fraction(1, 4) if fps == 1 else 0
        times = list(
            itertools.takewhile(
                lambda t: t < count / own + late, sample_times(fps)
            )
        )
        assert [f.time_s for f in frames] == [float(t) for t in times]
        assert numbers(frames) == [min(t * own // 1, count - 1) for t in times]

    def test_every_frame(self):
        frames = list(ArrayRecording(pictures(4), fps=2).frames('native'))
        assert numbers(frames) == [0, 1, 2, 3]
        assert [f.time_s for f in frames] == [0, 0.5, 1, 1.5]

    def test_sound_is_resampled(self):
        waveform = chirp(np.arange(44100) / 44100)
        recording = ArrayRecording(pictures(1), waveform, 44100)
        with recording.sound() as sound:
            stretch = sound.read(Fraction(1, 4), 1)
            assert sound.end_s == 1
        expected = resample_waveform(waveform.astype('f4'), 44100, RATE_HZ)
        np.testing.assert_array_equal(
            stretch.waveform[:12000], expected[4000:]
        )
        assert not stretch.waveform[12000:].any()
        assert (stretch.start_s, stretch.silent_s) == (0.25, 0.25)
        assert stretch.waveform.shape == (RATE_HZ,)

    def test_track(self):
        waveform = chirp(np.arange(8000) / 8000)
        track = ArrayRecording(pictures(1), waveform, 8000).track()
        assert (track.sample_rate_hz, track.num_channels) == (8000, 1)
        (chunk,) = track.chunks
        np.testing.assert_array_equal(chunk, waveform.astype('f4')[None])

    def test_without_sound(self):
        recording = ArrayRecording(pictures(2), name='mine')
        assert not recording.has_sound
        assert recording.is_silent()
        assert recording.track() is None
        with pytest.raises(DataError, match='mine has no sound'):
            recording.sound()

    @pytest.mark.parametrize(
        ('peak', 'silent'), [(9e-5, True), (1e-4, False), (2e-4, False)]
    )
    def test_silence(self, peak, silent):
        waveform = np.zeros(100)
        waveform[70] = -peak
        assert (
            ArrayRecording(pictures(1), waveform, RATE_HZ).is_silent()
            is silent
        )

    @pytest.mark.parametrize(
        ('changes', 'match'),
        [
            (dict(frames=np.zeros((2, 4, 4, 3))), 'uint8, .*got .*float64'),
            (dict(frames=np.zeros((4, 4, 3), 'u1')), r'got \(4, 4, 3\)'),
            (dict(frames=np.zeros((0, 4, 4, 3), 'u1')), r'got \(0, 4, 4, 3\)'),
            (dict(frames=np.zeros((2, 4, 4, 4), 'u1')), r'got \(2, 4, 4, 4\)'),
            (dict(waveform=np.zeros((2, 9))), r'\(S,\).*got \(2, 9\)'),
            (dict(waveform=np.zeros(9, 'i2')), 'floating-point.*int16'),
            (dict(waveform=np.full(9, np.nan)), 'not finite'),
            (dict(sample_rate_hz=None), 'sample_rate_hz .*got None'),
            (dict(sample_rate_hz=10), 'within 1000 and 192000, got 10'),
            (dict(fps=0), 'above 0, 1000 at most, got 0'),
            (dict(fps='native'), "fps must be a number, got 'native'"),
        ],
    )
    def test_wrong_arrays(self, changes, match):
        arguments = dict(
            frames=pictures(2), waveform=np.zeros(9), sample_rate_hz=RATE_HZ
        )
        arguments |= changes
        with pytest.raises(ValueError, match=match):
            ArrayRecording(**arguments)


@pytest.mark.parametrize(
    ('left', 'right', 'silent'),
    [
        (1e-4, 1e-4, False),
        (9e-5, 9e-5, True),
        (2e-4, 0, False),
        (1.9e-4, 0, True),
        (0.5, -0.5, True),
    ],
)
def test_silence_is_that_of_the_mean_of_the_channels(
    left, right, silent, tmp_path
):
    """Which is what a model hears; whatever the recording comes from."""
    samples = np.zeros((2, RATE_HZ), np.float32)
    samples[:, 700] = left, right

    class Stereo(ArrayRecording):
        def track(self):
            return SoundTrack(RATE_HZ, 2, iter([samples]))

    save_frames(tmp_path, ['1.png'])
    soundfile.write(tmp_path / 'a.wav', samples.T, RATE_HZ, 'FLOAT')
    assert is_silent(tmp_path / 'a.wav') is silent
    assert FrameFolderRecording(tmp_path).is_silent() is silent
    assert Stereo(pictures(1), np.ones(9), RATE_HZ).is_silent() is silent


class TestOpening:
    """Which recordings a user's inputs stand for."""

    def test_each_kind(self, tmp_path):
        video = write_video(tmp_path / 'a.mp4', seconds=1)
        save_frames(tmp_path / 'frames', ['1.png'])
        save_sound(tmp_path / 'frames' / 'a.mp3')
        arrays = dict(frames=pictures(1), fps=2)
        assert isinstance(open_recording(video), VideoRecording)
        assert isinstance(open_recording(str(video)), VideoRecording)
        folder = open_recording(tmp_path / 'frames')
        assert isinstance(folder, FrameFolderRecording)
        assert open_recording(folder) is folder
        recording = open_recording(arrays)
        assert isinstance(recording, ArrayRecording)
        assert recording.fps == 2
        assert issubclass(ArrayRecording, Recording)

    def test_nothing_of_the_kind(self, tmp_path):
        with pytest.raises(TypeError, match='path, a dict.*got int'):
            open_recording(3)
        with pytest.raises(ValueError, match="'frames' and any.*'sound'"):
            open_recording(dict(frames=pictures(1), sound=np.zeros(9)))
        with pytest.raises(ValueError, match="'frames' and any"):
            open_recording({})
        with pytest.raises(MissingDataError, match='lost.mp4'):
            open_recording(tmp_path / 'lost.mp4')

    def test_folders_stand_for_their_videos(self, tmp_path):
        """In natural order; neither hidden nor deeper ones."""
        names = ('10.mp4', '9.MKV', '-a.webm', '.b.mp4', 'c.txt', 'é.mov')
        for name in names:
            (tmp_path / name).write_text('')
        save_frames(tmp_path / 'deeper', ['1.png'])
        (tmp_path / 'cover.jpg').write_text('')
        expected = ['-a.webm', '9.MKV', '10.mp4', 'é.mov']
        inputs = list_inputs(tmp_path)
        assert sorted(inputs) == sorted(str(tmp_path / n) for n in expected)
        assert inputs.index(str(tmp_path / '9.MKV')) + 1 == inputs.index(
            str(tmp_path / '10.mp4')
        )

    def test_other_inputs_are_taken_as_they_are(self, tmp_path):
        save_frames(tmp_path / 'clip', ['1.png'])
        save_sound(tmp_path / 'clip' / 'a.wav')
        arrays, folder = dict(frames=pictures(1)), str(tmp_path / 'clip')
        recording = ArrayRecording(pictures(1))
        sources = ['lost.mp4', folder, arrays, recording]
        assert list_inputs(sources) == sources
        for source in sources:
            assert list_inputs(source) == [source]

    def test_folder_of_frames_with_their_sound_and_videos(self, tmp_path):
        """Nobody knows which is meant, so nothing is guessed."""
        save_frames(tmp_path, ['1.png', '2.png'])
        save_sound(tmp_path / 'a.wav')
        assert list_inputs(tmp_path) == [tmp_path]
        assert is_one_recording(tmp_path)
        (tmp_path / 'a.mp4').write_text('')
        message = 'ambiguous: it has 2 frames.*one audio.*and 1 videos.*one by'
        for use in (list_inputs, open_recording, is_one_recording):
            with pytest.raises(DataError, match=message) as info:
                use(tmp_path)
            assert str(tmp_path) in str(info.value)
        # Frames without a sound of theirs are none.
        save_sound(tmp_path / 'b.wav')
        assert list_inputs(tmp_path) == [str(tmp_path / 'a.mp4')]
        assert not is_one_recording(tmp_path)

    @pytest.mark.parametrize('name', ['1.png', 'a.wav', 'notes.txt'])
    def test_folder_of_something_else(self, tmp_path, name):
        (tmp_path / name).write_text('')
        with pytest.raises(DataError, match='neither videos nor frames'):
            list_inputs([tmp_path])
