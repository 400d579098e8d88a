"""Writing pictures and sound to a file that plays everywhere."""

import itertools
import os
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from video_files import chirp, number_of, picture_of

from mmavs.datasets.errors import DataError
from mmavs.datasets.transforms.load_audio import resample_waveform
from mmavs.datasets.videos import (
    SoundTrack,
    VideoWriter,
    read_audio,
    read_frames,
)

SIZE = (48, 64)
RED = (220, 20, 20)


def picture(number, size=SIZE):
    return picture_of(number, *size[::-1])


def chirp_track(rate_hz=16000, num_channels=1, seconds=3.0, chunk=1000):
    """The chirp in chunks."""
    wave = chirp(np.arange(round(seconds * rate_hz)) / rate_hz)
    wave = np.tile(wave.astype(np.float32), (num_channels, 1))
    starts = range(0, wave.shape[1], chunk)
    return SoundTrack(
        rate_hz, num_channels, (wave[:, i : i + chunk] for i in starts)
    )


def write(path, ends=(1, 2, 3), sound=None, size=SIZE, **kwargs):
    with VideoWriter(path, size, sound, **kwargs) as video:
        for number, until_s in enumerate(ends):
            video.add(picture(number, size), until_s)
    return path


def frames_of(path):
    """Begin, length, number and whether it is a key frame."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        return [
            (
                frame.pts * stream.time_base,
                frame.duration * stream.time_base,
                number_of(frame.to_ndarray(format='rgb24')),
                frame.key_frame,
            )
            for frame in container.decode(stream)
        ]


def durations_of(path):
    """Seconds of each track by its kind, as the file has them."""
    with av.open(str(path)) as container:
        assert all(s.start_time == 0 for s in container.streams)
        return {
            s.type: float(s.duration * s.time_base) for s in container.streams
        }


def test_format_is_one_that_plays_everywhere(tmp_path):
    path = write(tmp_path / 'a.mp4', sound=chirp_track(44100, 2))
    with av.open(str(path)) as container:
        assert 'mp4' in container.format.name
        (video,), (audio,) = container.streams.video, container.streams.audio
        context = video.codec_context
        assert (context.name, context.pix_fmt) == ('h264', 'yuv420p')
        assert not context.has_b_frames
        # Limited range, and BT.709 three times.
        assert (context.color_range, context.colorspace) == (1, 1)
        assert (context.color_primaries, context.color_trc) == (1, 1)
        assert context.sample_aspect_ratio == 1
        context = audio.codec_context
        assert (context.name, context.profile) == ('aac', 'LC')
        assert (context.sample_rate, context.layout.name) == (44100, 'stereo')
    content = path.read_bytes()
    assert content.index(b'moov') < content.index(b'mdat')


def test_pictures_stay_from_the_one_before_to_their_end(tmp_path):
    # Some shorter than a usual frame, one of seconds.
    ends = [0.04, 0.1, 1.0, 1.001, Fraction(4, 3), 4.2, 8.1]
    frames = frames_of(write(tmp_path / 'a.mp4', ends))
    begin = 0
    for number, end in enumerate(ends):
        shown = [frame for frame in frames if frame[2] == number]
        assert float(shown[0][0]) == pytest.approx(float(begin), abs=1e-5)
        last_time, last_length = shown[-1][:2]
        assert float(last_time + last_length) == pytest.approx(
            float(end), abs=1e-5
        )
        begin = end
    # Without a gap, and repeated.
    for one, other in zip(frames, frames[1:]):
        assert one[0] + one[1] == other[0]
    assert max(length for _, length, *_ in frames) <= Fraction(1, 5)
    assert len(frames) == 1 + 1 + 5 + 1 + 2 + 15 + 20
    assert durations_of(tmp_path / 'a.mp4') == dict(
        video=pytest.approx(8.1, abs=1e-5)
    )


@pytest.mark.parametrize('fps', [0.5, 1, 5.3, 24, 120])
def test_a_key_frame_every_two_seconds(fps, tmp_path):
    ends = [(k + 1) / fps for k in range(round(6 * fps))]
    path = tmp_path / 'a.mp4'
    with VideoWriter(path, SIZE) as video:
        for until_s in ends:
            # Nothing but the time calls for a key frame.
            video.add(picture(7), until_s)
    times = [time for time, _, _, is_key in frames_of(path) if is_key]
    assert times[0] == 0
    gaps = np.diff([float(time) for time in [*times, 6]])
    assert gaps.max() <= 2
    assert len(times) <= 5


def test_pictures_can_be_closer_than_the_clock_can_tell(tmp_path):
    ends = [1, 1 + 1e-7, 1 + 2e-7, 2]
    frames = frames_of(write(tmp_path / 'a.mp4', ends))
    assert sorted({number for _, _, number, _ in frames}) == [0, 1, 2, 3]
    assert float(sum(frames[-1][:2])) == 2


@pytest.mark.parametrize('size', [(48, 64), (47, 64), (48, 63), (241, 321)])
def test_odd_sizes_repeat_the_edge(size, tmp_path):
    path = write(tmp_path / 'a.mp4', [1], size=size)
    (frame,) = read_frames(path, [0.5])
    even = tuple(length + length % 2 for length in size)
    assert frame.image.shape == (*even, 3)
    assert number_of(frame.image[: size[0], : size[1]]) == 0
    # Right of and below the grey corner it goes on.
    assert np.abs(frame.image[-2:, -2:].astype(int) - 128).max() <= 4
    error = frame.image[: size[0], : size[1]].astype(int) - picture(0, size)
    assert np.abs(error).mean() < 3


def test_a_single_pixel(tmp_path):
    with VideoWriter(tmp_path / 'a.mp4', (1, 1)) as video:
        video.add(np.full((1, 1, 3), RED, np.uint8), 1)
    (frame,) = read_frames(tmp_path / 'a.mp4', [0.5])
    assert frame.image.shape == (2, 2, 3)
    assert np.abs(frame.image.astype(int) - RED).max() <= 4


@pytest.mark.parametrize('ratio', [1, Fraction(4, 3), 0.5])
def test_pixels_keep_their_shape(ratio, tmp_path):
    path = write(tmp_path / 'a.mp4', sample_aspect_ratio=ratio)
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        assert stream.sample_aspect_ratio == ratio
        assert stream.codec_context.sample_aspect_ratio == ratio


def test_colours_come_back(tmp_path):
    colours = [
        *((0, 0, 0), (255, 255, 255), (255, 0, 0), (0, 255, 0), (0, 0, 255)),
        *((255, 255, 0), (128, 128, 128), (230, 159, 0), (0, 158, 115)),
    ]
    image = np.repeat(np.array(colours, np.uint8), 32, 0)[None]
    image = np.repeat(image, 32, 0)
    path = tmp_path / 'a.mp4'
    with VideoWriter(path, image.shape[:2]) as video:
        video.add(image, 1)
    # Two readers, each with an FFmpeg of its own.
    (frame,) = read_frames(path, [0.5])
    is_read, other = cv2.VideoCapture(str(path)).read()
    assert is_read
    for seen in (frame.image, other[..., ::-1]):
        error = seen[8:24].astype(int) - image[8:24]
        middles = error.reshape(16, -1, 32, 3)[:, :, 8:24]
        assert np.abs(middles.mean(axis=(0, 2))).max() <= 3


@pytest.mark.parametrize(
    'rate_hz, num_channels, coded_hz',
    [
        (7350, 1, 8000),
        (11025, 1, 11025),
        (12345, 2, 16000),
        (16000, 1, 16000),
        (22050, 2, 22050),
        (44100, 2, 44100),
        (48000, 1, 48000),
        (96000, 2, 48000),
        (192000, 1, 48000),
    ],
)
def test_sound_is_in_step_with_the_pictures(
    rate_hz, num_channels, coded_hz, tmp_path
):
    path = write(tmp_path / 'a.mp4', sound=chirp_track(rate_hz, num_channels))
    with av.open(str(path)) as container:
        (stream,) = container.streams.audio
        assert stream.rate == coded_hz
        assert stream.channels == num_channels
    assert durations_of(path) == dict(
        video=3, audio=pytest.approx(3, abs=2 / rate_hz)
    )
    # Below the end, where the sound fades out in the filter.
    heard = read_audio(path, 0, 2.9, 48000).waveform
    expected = chirp(np.arange(len(heard)) / 48000)
    assert np.corrcoef(heard, expected)[0, 1] > 0.999
    middle = expected[4800:-4800]
    lag = np.correlate(heard[4700:-4700], middle, 'valid').argmax() - 100
    assert lag == 0


def test_channels_stay_apart(tmp_path):
    time_s = np.arange(2 * 44100) / 44100
    wave = np.stack([chirp(time_s), 0.3 * chirp(time_s[::-1])])
    wave = wave.astype(np.float32)
    path = write(tmp_path / 'a.mp4', [2], SoundTrack(44100, 2, iter([wave])))
    with av.open(str(path)) as container:
        heard = np.concatenate(
            [frame.to_ndarray() for frame in container.decode(audio=0)], 1
        )[:, : wave.shape[1]]
    assert np.corrcoef(heard[0], wave[0])[0, 1] > 0.999
    assert np.corrcoef(heard[1], wave[1])[0, 1] > 0.999
    assert np.std(heard, 1) == pytest.approx(np.std(wave, 1), rel=0.02)


@pytest.mark.parametrize(
    'rate_hz, num_channels, correlation', [(16000, 1, 0.99), (48000, 2, 0.97)]
)
def test_noise_stays_the_noise_it_was(
    rate_hz, num_channels, correlation, tmp_path
):
    shape = (num_channels, 3 * rate_hz)
    noise = np.random.default_rng(0).normal(0, 0.1, shape).astype(np.float32)
    sound = SoundTrack(rate_hz, num_channels, iter([noise]))
    path = write(tmp_path / 'a.mp4', sound=sound)
    heard = read_audio(path, 0, 3).waveform
    expected = resample_waveform(noise.mean(axis=0), rate_hz, 16000)
    assert np.corrcoef(heard, expected)[0, 1] > correlation


@pytest.mark.parametrize('seconds', [1.3, 3, 7.7])
def test_file_lasts_as_long_as_the_longer_track(seconds, tmp_path):
    path = write(tmp_path / 'a.mp4', sound=chirp_track(seconds=seconds))
    with av.open(str(path)) as container:
        assert container.duration / 1e6 == pytest.approx(
            max(3, seconds), abs=1e-4
        )
    assert durations_of(path) == dict(
        video=3, audio=pytest.approx(seconds, abs=1e-4)
    )


@pytest.mark.parametrize('rate_hz', [16000, 44100, 96000])
@pytest.mark.parametrize('chunk', [100, 70_000])
def test_an_endless_sound_ends_with_the_pictures(rate_hz, chunk, tmp_path):
    ends = (0.31, 1.234, 2.817)  # none at the end of a chunk or a block

    def chunks():
        for first in itertools.count(0, chunk):
            time_s = np.arange(first, first + chunk) / rate_hz
            yield chirp(time_s).astype(np.float32)[None]

    sound = SoundTrack(rate_hz, 1, chunks(), is_endless=True)
    path = write(tmp_path / 'a.mp4', ends, sound)
    # The file counts milliseconds.
    end_s = pytest.approx(2.817, abs=0.0011)
    assert durations_of(path) == dict(video=end_s, audio=end_s)
    heard = read_audio(path, 0, 2.8).waveform
    expected = chirp(np.arange(len(heard)) / 16000)
    assert np.corrcoef(heard, expected)[0, 1] > 0.99


@pytest.mark.parametrize('chunks', [[], [np.zeros((1, 0), np.float32)]])
def test_an_empty_sound_is_no_track(chunks, tmp_path):
    sound = SoundTrack(16000, 1, iter(chunks))
    assert list(durations_of(write(tmp_path / 'a.mp4', sound=sound))) == [
        'video'
    ]


@pytest.mark.parametrize('chunk_s', [0.001, 0.1])
def test_sound_is_taken_along_with_the_pictures(chunk_s, tmp_path):
    taken_s = 0.0

    def chunks():
        nonlocal taken_s
        for _ in range(round(10 / chunk_s)):
            taken_s += chunk_s
            yield np.zeros((1, round(16000 * chunk_s)), np.float32)

    sound = SoundTrack(16000, 1, chunks())
    with VideoWriter(tmp_path / 'a.mp4', SIZE, sound) as video:
        for until_s in (0.04, 0.5, 4.0, 7.0):
            video.add(picture(1), until_s)
            assert until_s <= taken_s + 1e-9
            assert taken_s <= until_s + 2 * chunk_s + 1e-9
    assert taken_s == pytest.approx(10)


def test_tracks_lie_side_by_side_in_the_file(tmp_path):
    # Even if the whole sound comes as a single chunk.
    ends = [(k + 1) / 5 for k in range(100)]
    sound = chirp_track(seconds=20, chunk=20 * 16000)
    path = write(tmp_path / 'a.mp4', ends, sound)
    with av.open(str(path)) as container:
        packets = sorted(
            (packet.pos, packet.stream.type, packet.pts * packet.time_base)
            for packet in container.demux()
            if packet.pts is not None
        )
    latest, apart = {}, []
    for _, kind, time in packets:
        latest[kind] = time
        if len(latest) == 2:
            apart.append(abs(latest['video'] - latest['audio']))
    assert len(apart) > 300
    assert max(apart) < 1.5


def test_same_input_gives_the_same_bytes(tmp_path):
    one, other = (
        write(tmp_path / name, sound=chirp_track()).read_bytes()
        for name in ('a.mp4', 'b.mp4')
    )
    assert one == other


@pytest.mark.parametrize('name', ['-é ü.mp4', 'http:%03d#?.mp4', 'plain'])
def test_any_name(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write(Path(name), [1])
    assert os.listdir() == [name]
    (frame,) = read_frames(name, [0.5])
    assert number_of(frame.image) == 0


class Sound:
    """Endless silence that tells whether it was closed."""

    def __init__(self):
        self.is_closed = False
        self.track = SoundTrack(16000, 1, self._chunks())

    def _chunks(self):
        try:
            while True:
                yield np.zeros((1, 1600), np.float32)
        finally:
            self.is_closed = True


def open_files():
    folder = '/proc/self/fd'
    if not os.path.isdir(folder):
        return None
    links = [os.path.join(folder, name) for name in os.listdir(folder)]
    return sorted(os.readlink(k) for k in links if os.path.exists(k))


@pytest.mark.parametrize('num_pictures', [0, 1, 40])
@pytest.mark.parametrize('kind', [RuntimeError, KeyboardInterrupt])
def test_an_error_inside_leaves_nothing(num_pictures, kind, tmp_path):
    path, sound, before = tmp_path / 'a.mp4', Sound(), open_files()
    with pytest.raises(kind, match='inside'):
        with VideoWriter(path, SIZE, sound.track) as video:
            for k in range(num_pictures):
                video.add(picture(k), k + 1)
            raise kind('inside')
    assert os.listdir(tmp_path) == []
    assert sound.is_closed and open_files() == before
    with pytest.raises(ValueError, match=r'a\.mp4 is closed'):
        video.add(picture(1), 100)


def test_an_older_file_stays_until_the_new_one_is_complete(tmp_path):
    path = tmp_path / 'a.mp4'
    path.write_bytes(b'older')
    with pytest.raises(RuntimeError):
        with VideoWriter(path, SIZE) as video:
            video.add(picture(1), 1)
            raise RuntimeError
    assert os.listdir(tmp_path) == ['a.mp4']
    assert path.read_bytes() == b'older'
    write(path, [1])
    assert os.listdir(tmp_path) == ['a.mp4']
    assert len(frames_of(path)) == 5


def test_an_error_of_the_sound_passes_and_leaves_nothing(tmp_path):
    def chunks():
        for _ in range(10):
            yield np.zeros((1, 1600), np.float32)
        raise DataError('b.mp4: the audio is damaged')

    sound = SoundTrack(16000, 1, chunks())
    with pytest.raises(DataError, match=r'b\.mp4: the audio is damaged'):
        write(tmp_path / 'a.mp4', sound=sound)
    assert os.listdir(tmp_path) == []


def test_chunks_of_another_shape(tmp_path):
    sound = SoundTrack(16000, 2, iter([np.zeros((1, 1600), np.float32)]))
    with pytest.raises(ValueError, match=r'must be \(2, n\), got \(1, 1600\)'):
        write(tmp_path / 'a.mp4', sound=sound)
    assert os.listdir(tmp_path) == []


def test_no_picture(tmp_path):
    sound = chirp_track()
    with pytest.raises(ValueError, match=r'a\.mp4: there is no picture'):
        write(tmp_path / 'a.mp4', [], sound)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    'image, got',
    [
        (np.zeros((64, 48, 3), np.uint8), r'\(64, 48, 3\) uint8'),
        (np.zeros((48, 64), np.uint8), r'\(48, 64\) uint8'),
        (np.zeros((48, 64, 3), np.float32), r'\(48, 64, 3\) float32'),
    ],
)
def test_pictures_of_another_size_or_type(image, got, tmp_path):
    path = tmp_path / 'a.mp4'
    with VideoWriter(path, SIZE) as video:
        with pytest.raises(
            ValueError, match=rf'must be \(48, 64, 3\) uint8, got {got}'
        ):
            video.add(image, 1)
        # Which has changed nothing.
        video.add(picture(1), 1)
    assert {number for _, _, number, _ in frames_of(path)} == {1}


@pytest.mark.parametrize('until_s', [0.5, 1, -1, np.nan, np.inf])
def test_times_that_do_not_ascend(until_s, tmp_path):
    with VideoWriter(tmp_path / 'a.mp4', SIZE) as video:
        with pytest.raises(ValueError, match='ascend from 0, got 0.0 after 0'):
            video.add(picture(0), 0)
        video.add(picture(1), 1)
        with pytest.raises(ValueError, match='times must ascend'):
            video.add(picture(2), until_s)
        video.add(picture(3), 2)
    frames = frames_of(tmp_path / 'a.mp4')
    assert {number for _, _, number, _ in frames} == {1, 3}
    assert sum(frames[-1][:2]) == 2


@pytest.mark.parametrize(
    'size, ratio',
    [((0, 64), 1), ((48, -2), 1), (SIZE, 0), (SIZE, -1), (SIZE, np.inf)],
)
def test_sizes_and_ratios_are_positive(size, ratio, tmp_path):
    with pytest.raises(ValueError, match='must be positive'):
        VideoWriter(tmp_path / 'a.mp4', size, sample_aspect_ratio=ratio)


def test_closing_twice_is_closing_once(tmp_path):
    video = VideoWriter(tmp_path / 'a.mp4', SIZE)
    video.add(picture(5), 1)
    video.close()
    video.close()
    assert os.listdir(tmp_path) == ['a.mp4']


@pytest.mark.parametrize(
    'name, error',
    [
        ('nowhere/a.mp4', FileNotFoundError),
        ('file/a.mp4', NotADirectoryError),
        ('folder', IsADirectoryError),
    ],
)
def test_paths_that_cannot_be_written(name, error, tmp_path):
    (tmp_path / 'file').write_text('')
    (tmp_path / 'folder').mkdir()
    sound = Sound()
    next(sound.track.chunks)
    with pytest.raises(error, match=rf'{name}\'$'):
        VideoWriter(tmp_path / name, SIZE, sound.track)
    assert sound.is_closed
    assert sorted(os.listdir(tmp_path)) == ['file', 'folder']


def test_a_full_disk(tmp_path):
    resource = pytest.importorskip('resource')
    path, sound, rng = tmp_path / 'a.mp4', Sound(), np.random.default_rng(0)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    # The largest file that this process may write.
    resource.setrlimit(resource.RLIMIT_FSIZE, (30_000, hard))
    try:
        with pytest.raises(OSError, match=r'File too large: .*a\.mp4\'$'):
            with VideoWriter(path, SIZE, sound.track) as video:
                for k in range(200):
                    noise = rng.integers(0, 256, (*SIZE, 3), np.uint8)
                    video.add(noise, k + 1)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert os.listdir(tmp_path) == [] and sound.is_closed
