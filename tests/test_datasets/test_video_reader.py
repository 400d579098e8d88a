"""Frames and sound of real videos, at the right time and upright.

Frames carry their number and the sound is a chirp on the clock of the file
(``video_files``), so what is read is compared with what must be there.
"""

import os
import pickle
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from video_files import (
    CORNERS,
    chirp,
    corners_of,
    number_of,
    patch_matrix,
    picture_of,
    write_video,
)

from mmavs.datasets.errors import DataError, MissingDataError
from mmavs.datasets.videos import (
    VideoLimits,
    clip_times,
    read_audio,
    read_clip,
    read_frames,
)
from mmavs.datasets.videos.container import VideoFile
from mmavs.datasets.videos.orientation import upright

RATE_HZ = 16000
NTSC = Fraction(30000, 1001)
OPUS = dict(audio='libopus', rate_hz=48000)
# Suffix, what is in it, and how far the sound may be off, in samples of
# 16 kHz: the container's clock ticks once a millisecond at worst.
CONTAINERS = {
    'mp4': ('.mp4', dict(), 1),
    'mp4-25': ('.mp4', dict(fps=25), 1),
    'mp4-b-frames': ('.mp4', dict(codec='libx264', options=dict(bf='3')), 1),
    'mkv-ntsc': ('.mkv', dict(fps=NTSC, **OPUS), 16),
    'webm': ('.webm', dict(codec='libvpx-vp9', **OPUS), 16),
    'ts': ('.ts', dict(fps=24), 1),
    'mov-mono': (
        '.mov',
        dict(
            codec='mjpeg',
            pix_fmt='yuvj420p',
            ticks_hz=16,
            size=(63, 47),
            audio='pcm_s16le',
            rate_hz=22050,
            layout='mono',
        ),
        1,
    ),
    'mkv-eight-channels': ('.mkv', dict(audio='wavpack', layout='7.1'), 16),
    'mkv-8-bit': (
        '.mkv',
        dict(audio='pcm_u8', rate_hz=11025, layout='mono'),
        16,
    ),
    'mkv-surround': (
        '.mkv',
        dict(
            codec='ffv1',
            pix_fmt='yuv444p10le',
            audio='flac',
            rate_hz=32000,
            layout='5.1',
        ),
        16,
    ),
}


@pytest.fixture(scope='module')
def plain(tmp_path_factory):
    """Eight seconds at 16 frames per second."""
    return write_video(
        tmp_path_factory.mktemp('video') / 'plain.mp4', seconds=8
    )


def noise(num_bytes):
    return np.random.default_rng(1).bytes(num_bytes)


def numbers_of(frames):
    return [number_of(frame.image) for frame in frames]


def expected_numbers(times_s, fps):
    """Number n mod 256 of the last frame with n / fps <= t."""
    return [int(Fraction(t) * fps) % 256 for t in times_s]


def lag_of(waveform, start_s):
    """Samples by which the sound is late, and how well it fits there."""
    reach = 800
    times = start_s + np.arange(-reach, len(waveform) + reach) / RATE_HZ
    clean = np.where(times < 0, 0, chirp(times))
    scores = np.correlate(clean, waveform, 'valid')
    best = int(scores.argmax())
    there = clean[best : best + len(waveform)]
    norm = np.linalg.norm(waveform) * np.linalg.norm(there)
    return reach - best, scores[best] / norm


class TestTiming:
    """What is read is what is on screen and heard at that time."""

    @pytest.mark.parametrize('name', CONTAINERS)
    @pytest.mark.parametrize('start_s', [0, 1.3, 6.1])
    def test_frames_and_sound(self, name, start_s, tmp_path_factory):
        suffix, options, tolerance = CONTAINERS[name]
        path = tmp_path_factory.getbasetemp() / f'container-{name}{suffix}'
        if not path.exists():
            write_video(path, **{'seconds': 9, **options})
        fps = options.get('fps', 16)
        clip = read_clip(path, 2, start_s)
        times_s = clip_times(2, start_s)
        assert numbers_of(clip.frames) == expected_numbers(times_s, fps)
        for frame, time_s in zip(clip.frames, times_s):
            number = int(Fraction(time_s) * fps)
            assert frame.time_s == pytest.approx(number / fps, abs=1e-6)
        audio = clip.audio
        assert audio.waveform.shape == (2 * RATE_HZ,)
        assert audio.waveform.dtype == np.float32
        assert audio.silent_s == 0
        lag, fit = lag_of(audio.waveform, start_s)
        assert abs(lag) <= tolerance
        # Half a sample of the file's rate is part of it, at most.
        assert fit > 0.97
        # Full scale is 1, and the channels are averaged.
        loudness = np.sqrt(np.mean(audio.waveform**2))
        assert loudness == pytest.approx(0.5 / np.sqrt(2), rel=0.02)

    def test_published_times(self):
        assert clip_times(3, 2.5) == [3.4375, 4.4375, 5.4375]

    @pytest.mark.parametrize('suffix', ['.mp4', '.mkv'])
    def test_variable_frame_rate(self, tmp_path, suffix):
        steps = [40, 10, 500, 20, 20, 1300, 30, 200, 900, 60] * 2
        times = [Fraction(t, 1000) for t in np.cumsum([0, *steps]).tolist()]
        path = write_video(
            tmp_path / f'v{suffix}', frame_times=times, audio=None
        )
        asked = [0, 0.041, 0.3, 0.551, 2.0, 3.05, 4.0, 5.6, 6.0]
        expected = [sum(t <= a for t in times) - 1 for a in asked]
        assert numbers_of(read_frames(path, asked)) == expected

    def test_times_may_repeat_and_be_dense(self, plain):
        asked = [0, 0, 0.01, 0.07, 0.07, 0.13]
        frames = list(read_frames(plain, asked))
        assert numbers_of(frames) == [0, 0, 0, 1, 1, 2]
        assert frames[0].image is frames[2].image

    @pytest.mark.parametrize('asked', [[1, 0.5], [-0.1], [float('nan')]])
    def test_times_must_ascend(self, plain, asked):
        with pytest.raises(ValueError, match='ascending|NaN'):
            list(read_frames(plain, asked))

    @pytest.mark.parametrize('start_s', [0.0, 6.5])
    def test_video_that_starts_late(self, tmp_path, start_s):
        # Time counts from the first frame, the sound before it is no part.
        path = write_video(tmp_path / 'v.mp4', seconds=9, video_start=0.5)
        clip = read_clip(path, 1, start_s)
        assert numbers_of(clip.frames) == [int((start_s + 0.9375) * 16)]
        lag, fit = lag_of(clip.audio.waveform, start_s + 0.5)
        assert abs(lag) <= 1
        assert fit > 0.99

    def test_sound_that_starts_late(self, tmp_path):
        path = write_video(
            tmp_path / 'v.mkv', audio_start=0.5, audio='flac', rate_hz=32000
        )
        audio = read_audio(path, 0, 2)
        assert audio.silent_s == pytest.approx(0.5, abs=0.002)
        assert np.abs(audio.waveform[: RATE_HZ // 2 - 100]).max() < 1e-3
        lag, _ = lag_of(audio.waveform[RATE_HZ // 2 + 100 :], 0.50625)
        assert abs(lag) <= 16

    def test_gap_and_early_end_are_silent(self, tmp_path):
        path = write_video(
            tmp_path / 'v.mkv',
            seconds=5,
            audio_seconds=4,
            gap=(1.5, 2.5),
            audio='flac',
            rate_hz=32000,
        )
        audio = read_audio(path, 0, 5)
        assert audio.silent_s == pytest.approx(2, abs=0.2)
        for low, high in ((1.7, 2.4), (4.2, 5)):
            part = audio.waveform[int(low * RATE_HZ) : int(high * RATE_HZ)]
            assert np.abs(part).max() < 1e-3
        # What follows the gap is where it was.
        lag, fit = lag_of(audio.waveform[3 * RATE_HZ : 4 * RATE_HZ], 3)
        assert abs(lag) <= 16
        assert fit > 0.99

    def test_no_edge_where_a_stretch_is_cut(self, plain):
        whole = read_audio(plain, 0, 4).waveform
        part = read_audio(plain, 1.5, 2).waveform
        expected = whole[int(1.5 * RATE_HZ) : int(3.5 * RATE_HZ)]
        np.testing.assert_allclose(part, expected, atol=2e-5)

    def test_missing_timestamps(self, tmp_path):
        # A bare stream has none; FFmpeg takes 25 frames per second for it.
        path = write_video(tmp_path / 'v.h264', audio=None)
        frames = list(read_frames(path, [1.0, 2.01]))
        assert numbers_of(frames) == [25, 50]

    @pytest.mark.parametrize('behaviour', ['refuses', 'overshoots'])
    def test_wrong_index(self, plain, monkeypatch, behaviour):
        expected = read_clip(plain, 2, 5.2)
        seek = VideoFile.seek

        def wrong(self, kind, seconds):
            if behaviour == 'refuses':
                raise av.error.PermissionError(1, 'no index')
            seek(self, kind, seconds + 2)

        monkeypatch.setattr(VideoFile, 'seek', wrong)
        clip = read_clip(plain, 2, 5.2)
        assert numbers_of(clip.frames) == numbers_of(expected.frames)
        # The decoder makes its own noise; a wrong place would differ by 1.
        np.testing.assert_allclose(
            clip.audio.waveform, expected.audio.waveform, atol=0.05
        )


class TestPicture:
    """Upright, in colour, of any size and pixel format."""

    # Where each corner of the upright picture is in the stored one, in the
    # order of CORNERS: top left, top right, bottom left, bottom right.
    @pytest.mark.parametrize(
        ('matrix', 'order'),
        [
            ((1, 0, 0, 1), (0, 1, 2, 3)),
            ((0, 1, -1, 0), (2, 0, 3, 1)),  # a quarter clockwise
            ((-1, 0, 0, -1), (3, 2, 1, 0)),
            ((0, -1, 1, 0), (1, 3, 0, 2)),  # a quarter counterclockwise
            ((-1, 0, 0, 1), (1, 0, 3, 2)),  # a mirror
        ],
    )
    def test_rotation(self, tmp_path, matrix, order):
        path = write_video(tmp_path / 'v.mp4', seconds=1, audio=None)
        patch_matrix(path, matrix)
        image = next(read_frames(path, [0.5])).image
        assert image.shape == ((64, 48, 3) if matrix[0] == 0 else (48, 64, 3))
        expected = [CORNERS[i] for i in order]
        np.testing.assert_allclose(corners_of(image), expected, atol=8)

    def test_upright_agrees_with_numpy(self):
        image = np.arange(24).reshape(2, 4, 3)

        def matrix(a, b, c, d):
            return (a, b, 0, c, d, 0, 0, 0, 1)

        for angle, values in enumerate(
            [(1, 0, 0, 1), (0, -1, 1, 0), (-1, 0, 0, -1), (0, 1, -1, 0)]
        ):
            np.testing.assert_array_equal(
                upright(image, matrix(*values)), np.rot90(image, angle)
            )
        flipped = upright(image, matrix(1, 0, 0, -1))
        np.testing.assert_array_equal(flipped, image[::-1])

    @pytest.mark.parametrize(
        ('codec', 'pix_fmt', 'size', 'colours'),
        [
            ('ffv1', 'yuv420p', (63, 47), None),
            ('ffv1', 'yuv422p10le', (65, 49), None),
            ('libx264rgb', 'bgr24', (64, 48), None),
            ('ffv1', 'bgra', (51, 37), None),
            ('libx264', 'yuv420p', (64, 48), 'ITU709'),
            ('libx264', 'yuvj444p', (64, 48), 'ITU601'),
        ],
    )
    def test_colours(self, tmp_path, codec, pix_fmt, size, colours):
        path = tmp_path / 'v.mkv'
        with av.open(str(path), 'w') as container:
            stream = container.add_stream(codec, rate=2)
            stream.width, stream.height = size
            stream.pix_fmt = pix_fmt
            if colours == 'ITU709':
                stream.codec_context.colorspace = 1
            for n in range(2):
                frame = av.VideoFrame.from_ndarray(
                    picture_of(n, *size), format='rgb24'
                ).reformat(format=pix_fmt, dst_colorspace=colours)
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
        image = next(read_frames(path, [0.7])).image
        assert image.shape == (size[1], size[0], 3)
        assert image.dtype == np.uint8
        assert number_of(image) == 1
        np.testing.assert_allclose(corners_of(image), CORNERS, atol=8)


class TestWhatCannotBeRead:
    """One kind of error, which names the file and the rule."""

    def write(self, path, **options):
        return write_video(path, **{'seconds': 2, **options})

    def check(self, path, rule, kind=DataError, **options):
        with pytest.raises(kind) as caught:
            read_clip(path, 2, **options)
        assert str(path) in str(caught.value)
        assert rule in str(caught.value)

    def test_missing(self, tmp_path):
        self.check(tmp_path / 'v.mp4', 'not exist', MissingDataError)

    @pytest.mark.parametrize(
        ('options', 'rule'),
        [
            (dict(audio=None), 'has no audio track'),
            (dict(codec=None), 'has no video track'),
            (dict(seconds=1.5, audio_seconds=2), 'too short: it ends at 1.50'),
            (dict(audio_start=2.5), 'has no sound from 0 to 2 s'),
        ],
    )
    def test_incomplete(self, tmp_path, options, rule):
        self.check(self.write(tmp_path / 'v.mkv', **options), rule)

    def test_where_it_ends(self, tmp_path):
        path = self.write(tmp_path / 'v.mp4', seconds=1.5, audio_seconds=2)
        with pytest.raises(DataError) as caught:
            read_clip(path, 2)
        # As it arrives from another process, too.
        for error in (caught.value, pickle.loads(pickle.dumps(caught.value))):
            assert error.end_s == 1.5
            assert str(error) == str(caught.value)

    def test_last_frame_stays_for_a_moment(self, tmp_path):
        path = self.write(tmp_path / 'v.mp4', seconds=1.75)
        assert numbers_of(read_clip(path, 2).frames) == [15, 27]

    @pytest.mark.parametrize(
        ('suffix', 'rule'),
        [('.mp4', 'cannot be read'), ('.mkv', ''), ('.ts', '')],
    )
    def test_truncated(self, tmp_path, suffix, rule):
        path = self.write(tmp_path / f'v{suffix}')
        content = path.read_bytes()
        path.write_bytes(content[: len(content) * 2 // 5])
        self.check(path, rule)

    @pytest.mark.parametrize(
        'content',
        [b'', b'RIFF', b'not a video ' * 500, bytes(5000), noise(5000)],
        ids=['empty', 'short', 'text', 'zeros', 'noise'],
    )
    def test_garbage(self, tmp_path, content):
        path = tmp_path / 'v.mp4'
        path.write_bytes(content)
        self.check(path, '')

    def test_no_frame_decodes(self, tmp_path):
        path = self.write(tmp_path / 'v.mkv', codec='ffv1', audio=None)
        with av.open(str(path)) as container:
            packets = [p for p in container.demux() if p.size]
            content = path.read_bytes()
            for packet in packets:
                content = content.replace(bytes(packet), bytes(packet.size))
        path.write_bytes(content)
        self.check(path, 'no frame that can be decoded')

    def test_damage_behind_the_last_time_is_not_read(self, tmp_path):
        path = self.write(tmp_path / 'v.mkv', seconds=6, codec='ffv1')
        content = path.read_bytes()
        middle = len(content) * 2 // 3
        path.write_bytes(content[:middle] + noise(len(content) - middle))
        assert numbers_of(read_clip(path, 2).frames) == [15, 31]
        with pytest.raises(DataError, match='damaged|short'):
            read_clip(path, 6)

    def test_cover_picture_is_no_video(self, tmp_path):
        path = tmp_path / 'song.mp4'
        with av.open(str(path), 'w') as container:
            sound = container.add_stream('aac', rate=RATE_HZ, layout='mono')
            cover = container.add_stream('png', rate=1)
            cover.width, cover.height, cover.pix_fmt = 64, 48, 'rgb24'
            cover.disposition = av.stream.Disposition.attached_pic
            image = av.VideoFrame.from_ndarray(
                picture_of(0, 64, 48), format='rgb24'
            )
            container.mux(cover.encode(image) + cover.encode(None))
            for n in range(40):
                frame = av.AudioFrame.from_ndarray(
                    np.zeros((1, 1024), np.float32), 'fltp', 'mono'
                )
                frame.sample_rate, frame.pts = RATE_HZ, 1024 * n
                container.mux(sound.encode(frame))
            container.mux(sound.encode(None))
        self.check(path, 'has no video track')
        # Its sound alone counts from its own beginning.
        assert read_audio(path, 1, 1).silent_s == 0

    @pytest.mark.parametrize(
        'playlist',
        [
            "ffconcat version 1.0\nfile 'real.ts'\n",
            '#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\nreal.ts\n'
            '#EXT-X-ENDLIST\n',
        ],
        ids=['concat', 'hls'],
    )
    def test_playlist_reaches_no_other_file(
        self, tmp_path, monkeypatch, playlist
    ):
        monkeypatch.chdir(tmp_path)
        self.write(Path('real.ts'))
        Path('list.mp4').write_text(playlist)
        self.check(Path('list.mp4'), 'cannot be read')
        Path('list.m3u8').write_text(playlist)
        self.check(Path('list.m3u8'), 'cannot be read')

    def test_what_is_no_file(self, tmp_path):
        self.check(tmp_path, 'is not a file')
        if hasattr(os, 'mkfifo'):
            os.mkfifo(tmp_path / 'pipe.mp4')
            self.check(tmp_path / 'pipe.mp4', 'is not a file')

    def test_limits(self, tmp_path):
        path = self.write(tmp_path / 'v.mp4')
        self.check(path, '64 x 48', limits=VideoLimits(max_pixels=64 * 48 - 1))
        self.check(path, 'takes too long', limits=VideoLimits(max_wall_s=0))
        read_clip(path, 2, limits=VideoLimits(64 * 48, 60))

    @pytest.mark.parametrize('name', ['-i.mp4', 'a:b.mp4', 'v%03d é.mp4'])
    def test_any_name(self, tmp_path, monkeypatch, name):
        monkeypatch.chdir(tmp_path)
        self.write(Path(name))
        assert numbers_of(read_clip(name, 2).frames) == [15, 31]

    def test_arguments_of_the_sound(self, plain):
        for start_s, duration_s in ((-1, 2), (0, 0), (0, 1e9)):
            with pytest.raises(ValueError, match='start_s must be'):
                read_audio(plain, start_s, duration_s)

    def test_mutated_files(self, tmp_path):
        """Whatever the bytes are, one error type leaves the reader."""
        rng = np.random.default_rng(4)
        sources = [
            self.write(tmp_path / 'a.mp4').read_bytes(),
            self.write(
                tmp_path / 'b.webm', codec='libvpx', **OPUS
            ).read_bytes(),
            self.write(tmp_path / 'c.ts').read_bytes(),
        ]
        path, failed = tmp_path / 'mutated', 0
        for n in range(60):
            content = bytearray(sources[n % 3])
            places = rng.integers(len(content), size=1 + n % 30)
            if n % 4 == 0:
                content = content[: places[0]]
            else:
                # Where most is at stake: in the headers, or all over.
                places = places % (3000 if n % 4 == 1 else len(content))
                for place in places:
                    content[place] = rng.integers(256)
            path.write_bytes(content)
            try:
                read_clip(path, 2)
            except DataError as error:
                assert str(path) in str(error)
                failed += 1
        assert 10 < failed < 60
