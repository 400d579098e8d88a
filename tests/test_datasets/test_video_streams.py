"""Reading videos of any length: frames, sound, and what they are.

As in the tests of the reader, frames carry their number and the sound is a
chirp on the clock of the file, so what is read is compared with what must be
there.
"""

import gc
import io
import itertools
import tracemalloc
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from video_files import (
    CORNERS,
    chirp,
    corners_of,
    cut_file,
    number_of,
    patch_matrix,
    picture_of,
    write_video,
)

from mmavs.datasets.errors import DataError, MissingDataError
from mmavs.datasets.videos import (
    SoundTrack,
    VideoInfo,
    VideoLimits,
    VideoSound,
    clip_times,
    is_silent,
    probe_video,
    read_audio,
    read_frames,
    stream_frames,
    stream_sound,
)
from mmavs.datasets.videos.container import VideoFile
from mmavs.datasets.videos.downmix import to_stereo
from mmavs.datasets.videos.file_end import promised_bytes
from mmavs.datasets.videos.tape import Tape

RATE_HZ = 16000
CHANNELS = {'mono': 1, 'stereo': 2, '5.1': 6}
SOUNDS = list(itertools.product((16000, 44100, 48000), CHANNELS))
NO_PACKET = dict(gap=(-1, 99))


@pytest.fixture(scope='module')
def plain(tmp_path_factory):
    """Eight seconds at 16 frames per second, H.264 and AAC."""
    return write_video(
        tmp_path_factory.mktemp('video') / 'plain.mp4', seconds=8
    )


@pytest.fixture(scope='module', params=['mp4', 'mkv', 'avi', 'webm'])
def whole(request, tmp_path_factory):
    """Three seconds in a container that tells how long it is."""
    options = dict(
        avi=dict(
            codec='mjpeg',
            pix_fmt='yuvj420p',
            ticks_hz=16,
            audio='pcm_s16le',
        ),
        webm=dict(codec='libvpx', audio='libopus', rate_hz=48000),
    )
    path = write_video(
        tmp_path_factory.mktemp('whole') / f'v.{request.param}',
        seconds=3,
        **options.get(request.param, {}),
    )
    return with_index_first(path) if request.param == 'mp4' else path


@pytest.fixture(scope='module', params=SOUNDS, ids=str)
def heard(request, tmp_path_factory):
    """Four seconds, with their rate and their number of channels."""
    rate_hz, layout = request.param
    path = write_video(
        tmp_path_factory.mktemp('heard') / 'v.mp4',
        seconds=4,
        fps=4,
        rate_hz=rate_hz,
        layout=layout,
    )
    return path, rate_hz, CHANNELS[layout]


def seconds_of_clips():
    """k - 1/16 for k = 1, 2 ... without end."""
    return (k - 1 / 16 for k in itertools.count(1))


def numbers_of(frames):
    return [number_of(frame.image) for frame in frames]


def times_of(frames):
    return [frame.time_s for frame in frames]


def samples_of(track):
    return np.concatenate(list(track.chunks), axis=1)


def likeness(waveform, rate_hz, start_s=0.0):
    """Correlation of a waveform with the chirp from ``start_s`` on."""
    clean = chirp(start_s + np.arange(len(waveform)) / rate_hz)
    norm = np.linalg.norm(waveform) * np.linalg.norm(clean)
    return float(waveform @ clean) / norm


def with_index_first(path):
    """Move the index of an mp4 to its beginning, as a web site does."""
    result = path.with_name('fast.mp4')
    with (
        av.open(str(path)) as source,
        av.open(
            str(result), 'w', options=dict(movflags='faststart')
        ) as target,
    ):
        streams = [
            target.add_stream_from_template(stream)
            for stream in source.streams
        ]
        for packet in source.demux():
            if packet.dts is not None:
                packet.stream = streams[packet.stream.index]
                target.mux(packet)
    return result


class TestProbe:
    """What a video is."""

    def test_what_it_says(self, plain):
        assert probe_video(plain) == VideoInfo(
            path=str(plain),
            width=64,
            height=48,
            sample_aspect_ratio=Fraction(1),
            fps=16.0,
            duration_s=8.0,
            sample_rate_hz=44100,
            num_channels=2,
        )

    def test_sound(self, heard):
        path, rate_hz, num_channels = heard
        info = probe_video(path)
        assert info.sample_rate_hz == rate_hz
        assert info.num_channels == num_channels

    def test_no_sound(self, tmp_path):
        info = probe_video(write_video(tmp_path / 'v.mkv', audio=None))
        assert info.sample_rate_hz is None
        assert info.num_channels is None
        # Matroska knows how long the file is, not its track.
        assert info.duration_s == pytest.approx(6, abs=0.01)

    @pytest.mark.parametrize('is_turned', [False, True])
    def test_upright(self, tmp_path, is_turned):
        path = tmp_path / 'v.mp4'
        with av.open(str(path), 'w') as container:
            stream = container.add_stream('libx264', rate=4)
            stream.width, stream.height, stream.pix_fmt = 64, 48, 'yuv420p'
            stream.codec_context.sample_aspect_ratio = Fraction(4, 3)
            frame = av.VideoFrame.from_ndarray(picture_of(0, 64, 48), 'rgb24')
            container.mux(stream.encode(frame) + stream.encode(None))
        if is_turned:
            patch_matrix(path, (0, 1, -1, 0))
        info = probe_video(path)
        assert (info.width, info.height) == ((64, 48), (48, 64))[is_turned]
        assert info.sample_aspect_ratio == Fraction(4, 3) ** (
            -1 if is_turned else 1
        )

    def test_odd_size_and_half_a_second(self, tmp_path):
        path = write_video(
            tmp_path / 'v.mp4', seconds=0.5, size=(63, 47), pix_fmt='yuv444p'
        )
        info = probe_video(path)
        assert (info.width, info.height) == (63, 47)
        assert info.duration_s == 0.5

    def test_no_timestamps(self, tmp_path):
        info = probe_video(write_video(tmp_path / 'v.h264', audio=None))
        assert info.fps == 25
        assert info.duration_s is None

    def test_what_is_no_video(self, tmp_path):
        with pytest.raises(MissingDataError, match='v.mp4 does not exist'):
            probe_video(tmp_path / 'v.mp4')
        song = write_video(tmp_path / 'song.mp4', codec=None)
        with pytest.raises(DataError, match='song.mp4 has no video track'):
            probe_video(song)
        empty = write_video(tmp_path / 'empty.mkv', frame_times=[])
        with pytest.raises(DataError, match='empty.mkv has no frame'):
            probe_video(empty)
        text = tmp_path / 'text.mp4'
        text.write_text('not a video ' * 99)
        with pytest.raises(DataError, match='text.mp4 cannot be read'):
            probe_video(text)


class TestFrames:
    """All frames, or those at times without end."""

    def test_every_frame(self, plain):
        frames = list(stream_frames(plain))
        assert numbers_of(frames) == list(range(128))
        assert times_of(frames) == [n / 16 for n in range(128)]
        assert [frame.end_s for frame in frames] == [
            n / 16 for n in range(1, 129)
        ]
        assert frames[0].image.dtype == np.uint8

    @pytest.mark.parametrize('suffix', ['.mp4', '.mkv'])
    def test_variable_frame_rate(self, tmp_path, suffix):
        steps = [40, 10, 500, 20, 20, 1300, 30, 200, 900, 60] * 2
        times = np.cumsum([0, *steps]) / 1000
        path = write_video(
            tmp_path / f'v{suffix}',
            frame_times=[Fraction(int(t * 1000), 1000) for t in times],
            audio=None,
        )
        frames = list(stream_frames(path))
        assert numbers_of(frames) == list(range(21))
        np.testing.assert_allclose(times_of(frames), times, atol=0.0011)
        ends = [frame.end_s for frame in frames[:-1]]
        assert ends == times_of(frames[1:])

    def test_a_frame_that_is_never_on_screen(self, tmp_path):
        # Matroska counts milliseconds: frames 1 and 2 appear at once.
        times = [Fraction(n, 10_000) for n in (0, 2000, 2003, 4000)]
        path = write_video(tmp_path / 'v.mkv', frame_times=times, audio=None)
        frames = list(stream_frames(path))
        assert numbers_of(frames) == [0, 2, 3]
        assert [frame.end_s > frame.time_s for frame in frames] == [True] * 3

    def test_same_frames_as_for_a_clip(self, plain):
        streamed = list(stream_frames(plain, seconds_of_clips()))
        read = list(read_frames(plain, clip_times(8)))
        assert times_of(streamed) == times_of(read)
        for one, other in zip(streamed, read, strict=True):
            np.testing.assert_array_equal(one.image, other.image)

    # Frame k is at k - 1/16 s, and that may be 1/4 s behind the end.
    @pytest.mark.parametrize(
        ('seconds', 'expected'),
        [
            (1.75, [15, 27]),
            (1.6875, [15, 26]),
            (1.625, [15]),
            (0.75, [11]),
            (0.5, []),
        ],
    )
    def test_last_second(self, tmp_path, seconds, expected):
        path = write_video(tmp_path / 'v.mp4', seconds=seconds)
        frames = stream_frames(path, seconds_of_clips(), tolerance_s=0.25)
        assert numbers_of(frames) == expected

    def test_without_tolerance_strictly_before_the_end(self, plain):
        times = (n / 4 for n in itertools.count())
        frames = list(stream_frames(plain, times))
        assert numbers_of(frames) == list(range(0, 128, 4))
        # A frame for each time, also where several have the same picture.
        dense = stream_frames(plain, (n / 32 for n in itertools.count()))
        assert numbers_of(dense) == [n // 2 for n in range(256)]

    def test_a_late_beginning(self, plain):
        frames = stream_frames(plain, (6 + n / 2 for n in itertools.count()))
        assert numbers_of(frames) == [96, 104, 112, 120]

    def test_no_times(self, plain):
        assert list(stream_frames(plain, [])) == []

    @pytest.mark.parametrize('times', [[1, 0.5], [-0.1], [0, float('nan')]])
    def test_times_must_ascend(self, plain, times):
        with pytest.raises(ValueError, match='ascending|NaN') as caught:
            list(stream_frames(plain, iter(times)))
        # It is not the file that is wrong.
        assert not isinstance(caught.value, DataError)

    def test_missing_timestamps(self, tmp_path):
        path = write_video(tmp_path / 'v.h264', seconds=1, audio=None)
        frames = list(stream_frames(path))
        assert numbers_of(frames) == list(range(16))
        np.testing.assert_allclose(times_of(frames), np.arange(16) / 25)
        assert frames[-1].end_s == pytest.approx(16 / 25)

    def test_a_single_frame(self, tmp_path):
        path = write_video(tmp_path / 'v.mkv', seconds=1 / 16, audio=None)
        (frame,) = stream_frames(path, itertools.repeat(0.0, 1))
        assert number_of(frame.image) == 0
        assert len(list(stream_frames(path))) == 1

    @pytest.mark.parametrize(
        ('matrix', 'order'),
        [
            ((0, 1, -1, 0), (2, 0, 3, 1)),  # a quarter clockwise
            ((-1, 0, 0, 1), (1, 0, 3, 2)),  # left and right exchanged
            ((1, 0, 0, -1), (2, 3, 0, 1)),  # top and bottom exchanged
            ((0, 1, 1, 0), (0, 2, 1, 3)),  # mirrored at the diagonal
            ((0, -1, -1, 0), (3, 1, 2, 0)),  # and at the other
        ],
    )
    def test_upright(self, tmp_path, matrix, order):
        path = write_video(tmp_path / 'v.mp4', seconds=0.5, audio=None)
        patch_matrix(path, matrix)
        shape = (64, 48, 3) if matrix[0] == 0 else (48, 64, 3)
        for frame in stream_frames(path):
            assert frame.image.shape == shape
            expected = [CORNERS[i] for i in order]
            np.testing.assert_allclose(
                corners_of(frame.image), expected, atol=8
            )

    def test_changing_size(self, tmp_path):
        for number, size in enumerate([(64, 48), (128, 80)]):
            write_video(
                tmp_path / f'{number}.h264', seconds=1, size=size, audio=None
            )
        path = tmp_path / 'v.h264'
        path.write_bytes(
            b''.join((tmp_path / f'{n}.h264').read_bytes() for n in (0, 1))
        )
        frames = list(stream_frames(path))
        assert {frame.image.shape for frame in frames} == {(48, 64, 3)}
        assert numbers_of(frames) == [*range(16), *range(16)]

    @pytest.mark.parametrize('name', ['-i.mp4', 'a:b.mp4', 'v%03d é ü.mp4'])
    def test_any_name(self, tmp_path, monkeypatch, name):
        monkeypatch.chdir(tmp_path)
        write_video(Path(name), seconds=0.5)
        assert numbers_of(stream_frames(name)) == list(range(8))
        assert probe_video(name).path == name
        assert not is_silent(name)
        with VideoSound(name) as sound:
            assert sound.read(0, 0.5).silent_s == 0
        assert samples_of(stream_sound(name)).shape[0] == 2

    def test_one_pass(self, plain, monkeypatch):
        opened, sought = [], []
        for calls, method in ((opened, '_open'), (sought, 'seek')):
            original = getattr(VideoFile, method)

            def counting(self, *args, calls=calls, original=original):
                calls.append(args)
                return original(self, *args)

            monkeypatch.setattr(VideoFile, method, counting)
        assert len(list(stream_frames(plain))) == 128
        assert len(list(stream_frames(plain, seconds_of_clips()))) == 8
        with VideoSound(plain) as sound:
            for n in range(60):
                sound.read(n / 8, 0.975)
        assert samples_of(stream_sound(plain)).size
        # Once for the time of the first frame, once for all the rest.
        assert len(opened) == 8
        assert not sought


class TestTruncated:
    """A file whose end is missing does not pass for a short one."""

    # At some of these places FFmpeg takes the end for that of the video.
    @pytest.mark.parametrize('share', [0.6, 0.61, 0.62, 0.99])
    def test_every_way_of_reading(self, whole, tmp_path, share):
        path = tmp_path / whole.name
        path.write_bytes(whole.read_bytes())
        cut_file(path, share)

        def all_stretches():
            with VideoSound(path) as sound:
                for second in range(5):
                    yield sound.read(second, 1)

        for stream in (
            stream_frames(path),
            stream_frames(path, (n / 5 for n in itertools.count())),
            all_stretches(),
        ):
            seen = []
            with pytest.raises(DataError) as caught:
                seen.extend(stream)
            assert f'{path} is truncated' in str(caught.value)
            assert f'of {whole.stat().st_size:,} bytes' in str(caught.value)
            assert len(seen) >= 1
        with pytest.raises(DataError, match='is truncated'):
            samples_of(stream_sound(path))
        with pytest.raises(DataError, match='is truncated'):
            is_silent(path, peak=9)
        # What is there can be used.
        assert not is_silent(path)
        assert numbers_of(read_frames(path, [0.5])) == [8]

    def test_more_than_the_whole(self, whole, tmp_path):
        path = tmp_path / whole.name
        path.write_bytes(whole.read_bytes() + bytes(999))
        assert numbers_of(stream_frames(path)) == list(range(48))

    def test_index_at_the_end(self, tmp_path):
        path = cut_file(write_video(tmp_path / 'v.mp4'), 0.9)
        with pytest.raises(DataError, match='v.mp4 cannot be read'):
            next(stream_frames(path))

    def test_promised_bytes(self):
        def promised(*parts):
            return promised_bytes(io.BytesIO(b''.join(parts)))

        start = (16).to_bytes(4, 'big') + b'ftypisom1234'
        large = b'\0\0\0\1mdat' + (5000).to_bytes(8, 'big') + bytes(9)
        assert promised(start, large) == 5016
        assert promised(start, b'\0\0\0\x10mdat', bytes(8)) == 32
        # Up to the end of the file, whatever that is; and junk.
        assert promised(start, b'\0\0\0\0mdat', bytes(99)) == 0
        assert promised(start, b'\0\0\0\x09mdat0', b'\xffjunkjunk') == 25
        assert promised(start, b'\0\0\0\1mdat' + b'\xff' * 8) == 0
        for content in (b'', b'G' * 188, bytes(99), b'RIFF'):
            assert promised(content) == 0

        riff = b'RIFF\x64\0\0\0AVI '
        assert promised(riff, bytes(96), b'RIFF\x05\0\0\0AVIX') == 122
        assert promised(b'RIFF\xff\xff\xff\xffAVI ', bytes(9)) == 0

        ebml = b'\x1a\x45\xdf\xa3\x84abcd'
        segment = b'\x18\x53\x80\x67'
        assert promised(ebml, segment, b'\x81') == 15
        assert promised(ebml, segment, b'\x40\x81') == 15 + 0x81
        # A live recording does not know its size.
        assert promised(ebml, segment, b'\x01' + b'\xff' * 7) == 0
        assert promised(ebml, segment, b'\xff') == 0
        for content in (ebml, ebml[:4], ebml + segment, ebml + b'junk\x81'):
            assert promised(content) == 0


class TestBrokenTimestamps:
    """A leap of days does not make a video of days."""

    LATE = 9 * 3600

    def test_frames(self, tmp_path):
        times = [Fraction(n, 4) + self.LATE * (n > 4) for n in range(9)]
        path = write_video(
            tmp_path / 'v.mkv', frame_times=times, audio=None, seconds=1
        )
        for asked in (None, itertools.count()):
            seen = []
            with pytest.raises(DataError, match='timestamps are broken'):
                seen.extend(stream_frames(path, asked))
            assert len(seen) == (4 if asked is None else 1)
        # What is before it can be read.
        assert numbers_of(read_frames(path, [0.1, 1.1])) == [0, 4]

    def test_sound(self, tmp_path):
        path = write_video(
            tmp_path / 'v.mkv', seconds=1, audio_start=self.LATE
        )
        with pytest.raises(DataError, match='timestamps are broken'):
            samples_of(stream_sound(path))
        # In memory there is what is asked for, not the leap.
        with VideoSound(path) as sound:
            assert sound.read(0, 5).silent_s == 5


class TestVideoSound:
    """Stretches of the sound, one after the other."""

    def test_the_numbers_of_read_audio(self, heard):
        path, *_ = heard
        with VideoSound(path) as sound:
            for start_s, duration_s in (
                (0, 3),
                (0.5125, 0.975),
                (1.0 / 3, 0.1),
                (2.2, 2),
                (3.4, 2.5),
            ):
                stretch = sound.read(start_s, duration_s)
                expected = read_audio(path, start_s, duration_s)
                np.testing.assert_array_equal(
                    stretch.waveform, expected.waveform
                )
                assert stretch.start_s == start_s
                assert stretch.sample_rate_hz == RATE_HZ
                assert stretch.silent_s == expected.silent_s
                assert len(stretch.waveform) == round(duration_s * RATE_HZ)
                if duration_s > 0.5:
                    half = stretch.waveform[: RATE_HZ // 2]
                    assert likeness(half, RATE_HZ, start_s) > 0.97

    def test_it_does_not_matter_where_it_is_cut(self, plain):
        rng = np.random.default_rng(3)
        with VideoSound(plain) as sound:
            whole = sound.read(0, 10).waveform
        with VideoSound(plain) as sound:
            start = 0
            while start < 7 * RATE_HZ:
                start = max(0, start + int(rng.integers(-9999, 15000)))
                length = int(rng.integers(1, RATE_HZ))
                part = sound.read(start / RATE_HZ, length / RATE_HZ).waveform
                np.testing.assert_array_equal(
                    part, whole[start : start + length]
                )

    def test_far_into_the_video(self, plain):
        # Here read_audio seeks, and the decoder makes other noise.
        with VideoSound(plain) as sound:
            far = sound.read(6.5, 1)
        np.testing.assert_allclose(
            far.waveform, read_audio(plain, 6.5, 1).waveform, atol=0.05
        )
        assert likeness(far.waveform, RATE_HZ, 6.5) > 0.99

    def test_going_back(self, plain):
        with VideoSound(plain, history_s=1.5) as sound:
            assert sound.history_s == 1.5
            late = sound.read(5, 1).waveform
            early = sound.read(3.5, 2.5).waveform
            np.testing.assert_array_equal(early[-RATE_HZ:], late)
            with pytest.raises(ValueError, match='got 3.4 after 5'):
                sound.read(3.4, 1)
            sound.read(6, 1)
            with pytest.raises(ValueError, match='back by 1.5 s, got 4 after'):
                sound.read(4, 1)
            # Nothing was lost by asking.
            np.testing.assert_array_equal(sound.read(5, 1).waveform, late)

    def test_arguments(self, plain):
        with VideoSound(plain) as sound:
            for start_s, duration_s in ((-1, 1), (0, 0), (0, 1e9)):
                with pytest.raises(ValueError, match='start_s must be'):
                    sound.read(start_s, duration_s)
        with pytest.raises(ValueError, match='sample_rate_hz must be'):
            VideoSound(plain, sample_rate_hz=0)

    def test_late_gap_and_early_end(self, tmp_path):
        path = write_video(
            tmp_path / 'v.mkv',
            seconds=6,
            audio_start=0.5,
            audio_seconds=4,
            gap=(1.5, 2.5),
            audio='flac',
            rate_hz=32000,
        )
        with VideoSound(path) as sound:
            first = sound.read(0, 1)
            assert first.silent_s == pytest.approx(0.5, abs=0.002)
            assert not first.waveform[: RATE_HZ // 2 - 100].any()
            gap = sound.read(1.75, 0.5)
            assert gap.silent_s == 0.5
            assert not gap.waveform.any()
            assert sound.end_s is None
            after = sound.read(3, 1)
            assert likeness(after.waveform, RATE_HZ, 3) > 0.9
            sound.read(4, 1)
            assert sound.end_s == pytest.approx(4.5, abs=0.15)
            # Behind the end there is silence without end.
            assert sound.read(90, 5).silent_s == 5
            assert sound.end_s < 5

    def test_pictures_that_begin_late(self, tmp_path):
        path = write_video(tmp_path / 'v.mp4', video_start=0.5)
        with VideoSound(path) as sound:
            waveform = sound.read(0, 2).waveform
        assert likeness(waveform, RATE_HZ, 0.5) > 0.99

    def test_a_track_without_a_packet(self, tmp_path):
        path = write_video(tmp_path / 'v.mkv', seconds=1, **NO_PACKET)
        with VideoSound(path) as sound:
            assert sound.end_s == 0
            assert sound.read(0, 1).silent_s == 1
        assert is_silent(path)
        assert list(stream_sound(path).chunks) == []

    def test_no_track(self, tmp_path):
        path = write_video(tmp_path / 'v.mp4', seconds=1, audio=None)
        for read in (VideoSound, is_silent, stream_sound):
            with pytest.raises(DataError, match='v.mp4 has no audio track'):
                read(path)

    def test_sound_alone(self, tmp_path):
        path = write_video(tmp_path / 'v.mp4', codec=None)
        with VideoSound(path) as sound:
            assert likeness(sound.read(0, 5).waveform, RATE_HZ) > 0.99

    def test_errors_of_others_pass(self, plain):
        with (
            pytest.raises(ZeroDivisionError),
            VideoSound(plain) as sound,
        ):
            sound.read(0, 1 // 0)

    def test_memory_does_not_grow(self, tmp_path):
        path = write_video(
            tmp_path / 'v.mp4', 30, fps=1, layout='mono', rate_hz=16000
        )

        def peak(num_seconds):
            tracemalloc.start()
            with VideoSound(path) as sound:
                for second in range(num_seconds):
                    sound.read(second, 1)
            track = stream_sound(path)
            for _ in itertools.islice(track.chunks, 15 * num_seconds):
                pass
            result = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
            return result

        peak(5)
        assert peak(30) < 1.1 * peak(8)


class TestIsSilent:
    """A cheap look whether there is anything to hear."""

    @pytest.mark.parametrize(
        ('loudness', 'expected'),
        [(0, True), (1e-4, True), (3e-4, False), (1, False)],
    )
    def test_loudness(self, tmp_path, loudness, expected):
        # The chirp has half of full scale.
        path = write_video(
            tmp_path / 'v.mkv', seconds=2, audio='flac', loudness=loudness
        )
        assert is_silent(path) is expected
        assert is_silent(path, peak=0.9)

    def test_one_late_sound(self, tmp_path):
        path = write_video(
            tmp_path / 'v.mp4', loudness=lambda time_s: float(time_s > 5)
        )
        assert not is_silent(path)

    def test_sound_before_the_first_frame(self, tmp_path):
        path = write_video(
            tmp_path / 'v.mkv',
            seconds=3,
            video_start=1.5,
            audio='flac',
            loudness=lambda time_s: float(time_s < 1),
        )
        assert is_silent(path)


class TestStreamSound:
    """The sound as it is played."""

    def test_rates_and_channels(self, heard):
        path, rate_hz, num_channels = heard
        track = stream_sound(path)
        assert isinstance(track, SoundTrack)
        assert track.sample_rate_hz == rate_hz
        assert track.num_channels == min(num_channels, 2)
        samples = samples_of(track)
        assert samples.dtype == np.float32
        assert samples.shape[0] == track.num_channels
        assert samples.shape[1] / rate_hz == pytest.approx(4, abs=0.07)
        for channel in samples:
            assert likeness(channel[: 4 * rate_hz], rate_hz) > 0.97
        if num_channels <= 2:
            np.testing.assert_allclose(
                samples.mean(axis=0)[: 3 * rate_hz],
                read_audio(path, 0, 3, rate_hz).waveform,
                atol=1e-6,
            )

    def test_late_gap_and_early_end(self, tmp_path):
        path = write_video(
            tmp_path / 'v.mkv',
            seconds=6,
            audio_start=0.5,
            audio_seconds=4,
            gap=(1.5, 2.5),
            audio='flac',
            rate_hz=32000,
        )
        (left, right) = samples_of(stream_sound(path))
        assert len(left) / 32000 == pytest.approx(4.5, abs=0.15)
        for samples in (left, right):
            assert not samples[:15900].any()
            assert not samples[int(1.7 * 32000) : int(2.4 * 32000)].any()
            after = samples[3 * 32000 : 4 * 32000]
            assert likeness(after, 32000, 3) > 0.9
        # The left is louder, as it is in the file.
        assert np.std(left) / np.std(right) == pytest.approx(3, rel=0.01)

    def test_sound_before_the_first_frame(self, tmp_path):
        path = write_video(tmp_path / 'v.mp4', video_start=0.5)
        (left, _) = samples_of(stream_sound(path))
        assert len(left) / 44100 == pytest.approx(5.5, abs=0.07)
        assert likeness(left[: 5 * 44100], 44100, 0.5) > 0.99

    def test_arguments_of_the_track(self):
        for rate_hz, num_channels in ((0, 1), (16000, 3)):
            with pytest.raises(ValueError, match='must be'):
                SoundTrack(rate_hz, num_channels, iter(()))

    def test_limit(self, plain):
        with pytest.raises(DataError, match='takes too long'):
            samples_of(stream_sound(plain, VideoLimits(max_wall_s=0)))


class TestDownmix:
    """Many channels, each to its side."""

    def test_surround(self):
        names = ('FL', 'FR', 'FC', 'LFE', 'BL', 'BR')
        left, right = to_stereo(np.eye(6), names)
        aside = 0.5**0.5
        expected = np.array([1, 0, aside, 0, aside, 0])
        np.testing.assert_allclose(left, expected / expected.sum())
        np.testing.assert_allclose(right, left[[1, 0, 2, 3, 5, 4]])

    @pytest.mark.parametrize(
        'names',
        [
            ('FL', 'FR', 'FC', 'LFE', 'BL', 'BR', 'SL', 'SR'),
            ('FL', 'FR', 'LFE'),
            ('FC', 'LFE', 'BC'),
            ('FLC', 'FRC', 'TFL', 'TFR'),
            ('LFE', 'LFE2', 'LFE'),
            ('AMBI0', 'AMBI1', 'AMBI2'),
        ],
    )
    def test_full_scale_stays(self, names):
        mixed = to_stereo(np.ones((len(names), 3)), names)
        np.testing.assert_allclose(mixed, np.ones((2, 3)))

    def test_sides(self):
        for name, left, right in (
            ('FLC', 1, 0),
            ('FRC', 0, 1),
            ('SL', 1, 0),
            ('TBR', 0, 1),
            ('BC', 1, 1),
        ):
            # Beside silent front channels, which share the scale.
            channels = np.array([[0.0], [0.0], [1.0]])
            mixed = to_stereo(channels, ('FL', 'FR', name))
            np.testing.assert_array_equal(mixed[:, 0] > 0, [left, right])

    def test_two_are_kept(self):
        channels = np.array([[1.0, 2], [3, 4]])
        assert to_stereo(channels, ('FL', 'FR')) is channels


class TestTape:
    """A signal that is forgotten at its beginning."""

    def test_what_is_kept(self):
        tape = Tape(np.float32, -2)
        tape.append(np.arange(6))
        assert (tape.begin, tape.end) == (-2, 4)
        np.testing.assert_array_equal(tape.part(-1, 2), [1, 2, 3])
        tape.forget(1)
        tape.forget(0)
        assert (tape.begin, tape.end) == (1, 4)
        np.testing.assert_array_equal(tape.part(1, 4), [3, 4, 5])
        for low, high in ((0, 2), (2, 5), (3, 2)):
            with pytest.raises(IndexError, match='within 1 to 4'):
                tape.part(low, high)

    def test_a_leap(self):
        tape = Tape(np.bool_)
        tape.append(np.ones(3, bool))
        tape.forget(10)
        assert (tape.begin, tape.end) == (10, 10)
        tape.append(np.ones(2, bool))
        assert tape.part(10, 12).all()


def test_decoded_pictures_are_let_go_at_once(tmp_path):
    """Not only when the garbage is collected: hundreds may be alive then."""
    video = write_video(tmp_path / 'a.mp4', seconds=4)
    frames = stream_frames(video)
    gc.collect()
    gc.disable()
    try:
        number = sum(1 for _ in itertools.islice(frames, 60))
        alive = [x for x in gc.get_objects() if isinstance(x, av.VideoFrame)]
    finally:
        gc.enable()
    assert number == 60
    assert len(alive) <= 8
