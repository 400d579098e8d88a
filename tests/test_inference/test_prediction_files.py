"""What is written of a prediction: every file, read back."""

import itertools
import json
import os
import warnings
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import torch
from PIL import Image
from video_files import number_of, picture_of, write_video

from mmavs.inference.predictions import FramePrediction
from mmavs.inference.recordings import open_recording
from mmavs.inference.results.display_times import displayed
from mmavs.inference.results.frame_files import save_map, save_mask
from mmavs.inference.results.prediction_files import write_prediction
from mmavs.inference.results.result_json import encode_result
from mmavs.version import __version__
from mmavs.visualization import Timeline
from mmavs.visualization.overlay import PREDICTION_COLOUR

SIZE = (48, 64)


def frame(index, time_s=None, **changes):
    """A prediction whose mask is one row more than that before."""
    mask = np.zeros(SIZE, np.uint8)
    mask[: index + 1] = 1
    values = dict(
        index=index,
        time_s=index + 15 / 16 if time_s is None else time_s,
        image=np.full((*SIZE, 3), 40, np.uint8),
        mask=mask,
        probability=mask.astype(np.float32),
        uncertainty=None,
        codes=dict(shared=np.full(3, index, np.float32)),
        heard={0.96 * index: np.zeros((96, 64), np.float32)},
    )
    return FramePrediction(**values | changes)


class Inferencer:
    """Stands in for a model: says of the frames what it is given.

    Args:
        changes: of a frame, by its index.
        classes: of the model.
        stop_at: index of the frame at which ``error`` is raised.
        error: that.
    """

    config_name, weights, device = 'small', 'w.pth', torch.device('cpu')
    num_frames, num_samples, seed, precision = 5, 0, 3, 'float32'
    palette = ((0, 0, 0), (200, 0, 0), (0, 100, 0))

    def __init__(
        self,
        changes=lambda index: {},
        classes=('background', 'sounding'),
        stop_at=None,
        error=ValueError,
    ):
        self.changes, self.classes = changes, classes
        self.stop_at, self.error = stop_at, error
        self.is_closed, self.options = False, None

    def stream(self, source, **options):
        self.options = options
        return self._stream(source, options['fps'])

    def _stream(self, recording, fps):
        try:
            for index, shown in enumerate(recording.frames(fps)):
                if index == self.stop_at:
                    raise self.error
                changes = dict(image=shown.image, **self.changes(index))
                yield frame(index, shown.time_s, **changes)
        finally:
            self.is_closed = True


@pytest.fixture(scope='module')
def video(tmp_path_factory):
    """Three seconds and a half, 8 frames a second."""
    folder = tmp_path_factory.mktemp('videos')
    return write_video(folder / 'a clip é.mp4', seconds=3.5, fps=8)


@pytest.fixture
def out(tmp_path):
    return tmp_path / 'out' / 'clip'


def write_masks(inferencer, source, folder, **options):
    """What is drawn takes most of the time."""
    return write_prediction(
        inferencer, source, folder, overlay=False, timeline=False, **options
    )


def refuse_constant(name):
    raise AssertionError(f'{name} is no JSON')


def read_json(path):
    return json.loads(path.read_text('utf-8'), parse_constant=refuse_constant)


def read_image(path, mode='L'):
    with Image.open(path) as image:
        assert image.mode == mode
        return np.asarray(image)


def shown_in(path):
    """Times and images of a video, and how many streams of sound it has."""
    with av.open(str(path)) as container:
        num_sounds = len(container.streams.audio)
        frames = [
            (float(picture.time), picture.to_ndarray(format='rgb24'))
            for picture in container.decode(video=0)
        ]
    return *zip(*frames), num_sounds


class TestFiles:
    def test_binary(self, video, out):
        inferencer = Inferencer()
        result = write_prediction(inferencer, video, out)
        assert sorted(path.name for path in out.iterdir()) == [
            'masks',
            'overlay.mp4',
            'result.json',
            'timeline.png',
        ]
        assert [path.name for path in out.parent.iterdir()] == ['clip']
        names = [f'{k:06}.png' for k in (1, 2, 3)]
        assert sorted(p.name for p in (out / 'masks').iterdir()) == names
        for index, name in enumerate(names):
            mask = read_image(out / 'masks' / name)
            assert np.array_equal(mask, 255 * frame(index).mask)
        assert read_image(out / 'timeline.png', 'RGB').std() > 0
        assert (
            read_json(out / 'result.json')
            == result
            == dict(
                made_by='mmavs',
                version=__version__,
                input=dict(
                    name='a clip é',
                    source=str(video),
                    path=os.path.realpath(video),
                    height=48,
                    width=64,
                    sample_aspect_ratio='1:1',
                    duration_s=3.5,
                ),
                settings=dict(
                    config='small',
                    checkpoint='w.pth',
                    num_frames=5,
                    fps=1,
                    overlap=0,
                    batch_size=1,
                    num_samples=0,
                    seed=3,
                    precision='float32',
                    device='cpu',
                    sound='matched',
                    no_audio_policy='error',
                ),
                classes=['background', 'sounding'],
                files=dict(
                    masks='masks',
                    probabilities=None,
                    uncertainty=None,
                    overlay='overlay.mp4',
                    timeline='timeline.png',
                    codes=None,
                ),
                summary=dict(
                    num_frames=3,
                    duration_s=3.5,
                    area_share=0.041667,
                    uncertainty=None,
                ),
                frames=[
                    dict(
                        index=k,
                        time_s=k + 0.9375,
                        start_s=float(k),
                        # The last one stays to the end.
                        end_s=(1.0, 2.0, 3.5)[k],
                        sound_s=[round(0.96 * k, 6)],
                        mask=f'masks/{names[k]}',
                        area_share=round((k + 1) / 48, 6),
                        uncertainty=None,
                    )
                    for k in range(3)
                ],
            )
        )
        # One frame a line.
        lines = (out / 'result.json').read_text('utf-8').splitlines()
        assert sum('"index"' in line for line in lines) == 3
        assert inferencer.is_closed

    def test_every_key_is_described(self, video, out):
        result = write_prediction(
            Inferencer(classes=('background', 'dog', 'cat')), video, out
        )
        for level in (
            result,
            result['input'],
            result['settings'],
            result['files'],
            result['summary'],
            result['frames'][0],
        ):
            for key in level:
                assert f'``{key}``' in write_prediction.__doc__

    def test_overlay_shows_the_frames_that_were_segmented(self, video, out):
        def changes(index):
            mask = np.zeros(SIZE, np.uint8)
            mask[:, :32] = index % 2
            return dict(mask=mask)

        write_prediction(Inferencer(changes), video, out)
        times, images, num_sounds = shown_in(out / 'overlay.mp4')
        assert num_sounds == 1
        assert times[0] == 0 and 3 < times[-1] < 3.5
        # At 1 frame a second the one of 15/16 s is on screen from 0 on.
        seconds = [min(int(time + 1e-3), 2) for time in times]
        numbers = [number_of(image) for image in images]
        assert numbers == [8 * second + 7 for second in seconds]
        assert set(seconds) == {0, 1, 2}
        # Half of the one in the middle is marked, of the others nothing.
        plain = picture_of(7, 64, 48)[36:46, 2:28].mean((0, 1))
        marked = 0.55 * plain + 0.45 * np.array(PREDICTION_COLOUR)
        for second, image in zip(seconds, images):
            colour = image[36:46, 2:28].mean((0, 1))
            expected = marked if second == 1 else plain
            assert np.abs(colour - expected).max() < 20

    def test_timeline_is_told_all_times(self, video, out, monkeypatch):
        told = []

        def add(timeline, image, mask, **kwargs):
            names = ('start_s', 'end_s', 'time_s')
            ((sound_s, patch),) = kwargs['heard'].items()
            told.append((*(kwargs[name] for name in names), sound_s))
            assert mask.sum() == 64 * len(told)
            assert (patch == len(told)).all()
            assert (kwargs['uncertainty'] == len(told) / 8).all()
            original(timeline, image, mask, **kwargs)

        def changes(index):
            return dict(
                heard={0.96 * index: np.full((96, 64), index + 1, np.float32)},
                uncertainty=np.full(SIZE, (index + 1) / 8, np.float32),
            )

        original = Timeline.add
        monkeypatch.setattr(Timeline, 'add', add)
        write_prediction(Inferencer(changes), video, out, overlay=False)
        assert told == [
            (0, 1, 0.9375, 0),
            (1, 2, 1.9375, 0.96),
            (2, 3.5, 2.9375, 1.92),
        ]

    @pytest.mark.parametrize(
        ('options', 'num_samples', 'weights', 'expected'),
        [
            ({}, 0, 'w.pth', 'sound: its own · 1 fps · small'),
            (
                dict(sound='noise', fps='native'),
                4,
                None,
                'sound: noise · every frame · small, random weights · '
                '4 samples',
            ),
            (
                dict(sound='VIDEO', fps=2.5),
                1,
                'w.pth',
                'sound: FILE · 2.5 fps · small · 1 sample',
            ),
        ],
    )
    def test_timeline_says_what_was_heard(
        self, video, out, monkeypatch, options, num_samples, weights, expected
    ):
        drawn = []
        original = Timeline.draw
        monkeypatch.setattr(
            Timeline, 'draw', lambda t: drawn.append(t) or original(t)
        )
        if options.get('sound') == 'VIDEO':
            options = {**options, 'sound': str(video)}
        inferencer = Inferencer()
        inferencer.num_samples, inferencer.weights = num_samples, weights
        write_prediction(inferencer, video, out, overlay=False, **options)
        assert [t.title for t in drawn] == [Path(video).stem]
        assert drawn[0].subtitle == expected.replace('FILE', Path(video).name)

    def test_classes(self, video, out):
        def changes(index):
            mask = np.zeros(SIZE, np.uint8)
            mask[:12], mask[:6] = 2, index
            return dict(mask=mask)

        classes = ('background', 'dog', 'cat')
        write_masks(Inferencer(changes, classes), video, out)
        for index in range(3):
            path = out / 'masks' / f'{index + 1:06}.png'
            assert np.array_equal(
                read_image(path, 'P'), changes(index)['mask']
            )
            with Image.open(path) as image:
                colour = image.convert('RGB').getpixel((0, 0))
            assert colour == Inferencer.palette[index]
        rows = read_json(out / 'result.json')['frames']
        assert [row['class_shares'] for row in rows] == [
            dict(cat=0.125),
            dict(dog=0.125, cat=0.125),
            dict(cat=0.25),
        ]
        assert [row['area_share'] for row in rows] == [0.125, 0.25, 0.25]

    def test_names_of_classes_in_the_overlay(self, tmp_path, out):
        video = write_video(tmp_path / 'a.mp4', size=(320, 240), seconds=1)

        def changes(index):
            mask = np.zeros((240, 320), np.uint8)
            mask[200:] = 1
            return dict(mask=mask)

        pictures = {}
        for classes in (('background', 'dog', 'cat'), ('background', 'dog')):
            folder = out / str(len(classes))
            write_prediction(
                Inferencer(changes, classes), video, folder, timeline=False
            )
            pictures[len(classes)] = shown_in(folder / 'overlay.mp4')[1][0]
        corners = [pictures[k][:30, :60].astype(int) for k in (2, 3)]
        difference = np.abs(corners[0] - corners[1]).max(2)
        # A binary overlay stays as it is.
        expected = picture_of(15, 320, 240)[:30, :60].astype(int)
        assert np.abs(corners[0] - expected).mean() < 12
        assert (difference > 80).mean() > 0.05

    def test_uncertainty(self, video, out):
        def changes(index):
            return dict(uncertainty=np.full(SIZE, index / 4, np.float32))

        result = write_masks(Inferencer(changes), video, out)
        for index, value in enumerate((0, 128, 255)):
            image = read_image(out / 'uncertainty' / f'{index + 1:06}.png')
            assert image.shape == SIZE
            assert np.unique(image) == value
        means = [row['uncertainty'] for row in result['frames']]
        assert means == [0, 0.25, 0.5]
        assert result['summary']['uncertainty'] == 0.25
        assert result['files']['uncertainty'] == 'uncertainty'

    def test_one_draw_has_no_uncertainty(self, video, out):
        inferencer = Inferencer(
            lambda index: dict(uncertainty=np.zeros(SIZE, np.float32))
        )
        inferencer.num_samples = 1
        result = write_masks(inferencer, video, out)
        assert not (out / 'uncertainty').exists()
        assert result['files']['uncertainty'] is None
        assert {row['uncertainty'] for row in result['frames']} == {None}

    def test_probabilities(self, video, out):
        def changes(index):
            values = np.full(SIZE, index / 2, np.float32)
            values[0] = 0.1
            return dict(probability=values)

        result = write_masks(
            Inferencer(changes), video, out, probabilities=True
        )
        assert result['files']['probabilities'] == 'probabilities'
        for index, value in enumerate((0, 128, 255)):
            image = read_image(out / 'probabilities' / f'{index + 1:06}.png')
            assert image.shape == SIZE
            assert np.unique(image[0]) == 26
            assert np.unique(image[1:]) == value

    def test_frames_are_told(self, video, out):
        told = []
        write_masks(Inferencer(), video, out, on_frame=told.append)
        assert [prediction.index for prediction in told] == [0, 1, 2]
        for prediction in told:
            assert np.array_equal(
                prediction.mask, frame(prediction.index).mask
            )

    def test_several_windows(self, video, out):
        heard = {s: np.zeros((96, 64), np.float32) for s in (0.96, 1.0)}
        inferencer = Inferencer(lambda index: dict(heard=heard))
        result = write_masks(inferencer, video, out)
        assert result['frames'][1]['sound_s'] == [0.96, 1.0]

    def test_arrays_have_no_path(self, out):
        source = dict(
            frames=np.zeros((2, *SIZE, 3), np.uint8),
            waveform=np.zeros(32000, np.float32),
            sample_rate_hz=16000,
        )
        result = write_masks(Inferencer(), source, out)
        assert result['input']['source'] == 'array'
        assert result['input']['path'] is None

    def test_codes(self, video, out):
        result = write_masks(Inferencer(), video, out, codes=True)
        assert result['files']['codes'] == 'codes.npz'
        with np.load(out / 'codes.npz') as codes:
            assert sorted(codes) == ['shared', 'times_s']
            assert np.array_equal(codes['times_s'], [0.9375, 1.9375, 2.9375])
            assert np.array_equal(codes['shared'], [[0] * 3, [1] * 3, [2] * 3])

    def test_masks_only(self, video, out):
        result = write_prediction(
            Inferencer(), video, out, overlay=False, timeline=False
        )
        names = sorted(path.name for path in out.iterdir())
        assert names == ['masks', 'result.json']
        assert set(result['files'].values()) == {'masks', None}

    def test_same_again(self, video, tmp_path):
        folders = [tmp_path / name for name in ('a', 'b')]
        for folder in folders:
            write_prediction(
                Inferencer(), video, folder, overlay=False, codes=True
            )
        files = [
            {
                str(path.relative_to(folder)): path.read_bytes()
                for path in folder.rglob('*')
                if path.is_file()
            }
            for folder in folders
        ]
        assert len(files[0]) == 6
        assert files[0] == files[1]

    def test_options_reach_the_model(self, video, out):
        inferencer = Inferencer()
        options = dict(fps='4', overlap=2, batch_size=3)
        policy = dict(no_audio_policy='silence')
        result = write_masks(
            inferencer, video, out, **options, **policy, sound='noise'
        )
        assert inferencer.options == options | policy
        expected = dict(sound='noise', **options | policy | dict(fps=4))
        assert expected.items() <= result['settings'].items()
        assert len(result['frames']) == 14

    def test_progress(self, video, out):
        seen = []
        write_masks(
            Inferencer(),
            video,
            out,
            fps='native',
            progress=lambda *state: seen.append(state),
        )
        done, total = zip(*seen)
        assert done[:28] == tuple(k / 8 for k in range(1, 29))
        assert total[0] == 3.5
        assert seen[-1] == (3.5, 3.5)

    def test_without_sound(self, tmp_path, out):
        video = write_video(tmp_path / 'mute.mp4', seconds=1, audio=None)
        with pytest.warns(UserWarning, match='mute.mp4 has no sound'):
            write_prediction(
                Inferencer(), video, out, no_audio_policy='silence'
            )
        assert shown_in(out / 'overlay.mp4')[2] == 0

    def test_no_warning_where_there_is_sound(self, video, out):
        with warnings.catch_warnings():
            warnings.simplefilter('error', UserWarning)
            write_masks(Inferencer(), video, out, no_audio_policy='silence')


class TestTimes:
    def stretches(self, times_s, rate, duration_s=None):
        frames = [frame(k, float(t)) for k, t in enumerate(times_s)]
        return [
            (shown.index, start, end)
            for shown, start, end in displayed(frames, rate, duration_s)
        ]

    def test_a_second_each(self):
        times = [k - Fraction(1, 16) for k in (1, 2, 3)]
        expected = [(0, 0, 1), (1, 1, 2), (2, 2, 3)]
        assert self.stretches(times, Fraction(1)) == expected
        # A folder of frames has these times at its own rate, too.
        assert self.stretches(times, None) == expected
        assert self.stretches(times[:1], None) == expected[:1]

    @pytest.mark.parametrize(
        ('times', 'rate', 'ends'),
        [
            ([0, 0.2, 0.4], Fraction(5), [0.2, 0.4, 0.6000000000000001]),
            ([0], Fraction(5), [0.2]),
            ([0, 0.5, 0.75, 2], None, [0.5, 0.75, 2, 3.25]),
            ([0], None, [1]),
            # Of two at the same time the first is not seen.
            ([0, 0.5, 0.5], None, [0.5, 0.5, 1]),
            ([0, 0], None, [0, 1]),
            ([], None, []),
        ],
    )
    def test_until_the_next(self, times, rate, ends):
        stretches = self.stretches(times, rate)
        assert [end for *_, end in stretches] == ends
        starts = [start for _, start, _ in stretches]
        assert starts == [0, *ends][: len(ends)]

    @pytest.mark.parametrize(
        ('times', 'rate', 'duration', 'end'),
        [
            # Of 15/16 s, to the end and behind it.
            ([0.9375, 1.9375], Fraction(1), 1.75, 1.75),
            ([0.9375, 1.9375], Fraction(1), 2.5, 2.5),
            ([0, 0.2], Fraction(5), 0.25, 0.25),
            ([0, 0.2, 0.3], None, 0.45, 0.45),
            ([0], None, 0.02, 0.02),
            # Of the sound, which is longer, or of nothing.
            ([0.9375, 1.9375], Fraction(1), 3.0, 2),
            ([0.9375, 1.9375], Fraction(1), 1.0, 2),
            ([0, 0.25, 0.5], None, 1.5, 0.75),
            ([0, 0.25, 0.5], None, 0.0, 0.75),
        ],
    )
    def test_end_of_the_header(self, times, rate, duration, end):
        assert self.stretches(times, rate, duration)[-1][-1] == end

    def test_streams(self):
        """No more than the next frame is asked for."""
        frames = (frame(k, k / 4) for k in itertools.count())
        shown = displayed(frames, Fraction(4))
        assert next(shown)[1:] == (0, 0.25)
        assert next(shown)[1:] == (0.25, 0.5)

    def test_frames_at_the_same_time(self, tmp_path, out):
        video = write_video(tmp_path / 'a.mp4', seconds=1, fps=8)

        class Twins(Inferencer):
            def _stream(self, recording, fps):
                for prediction in super()._stream(recording, fps):
                    time_s = min(prediction.time_s, 0.5)
                    yield replace(prediction, time_s=time_s)

        result = write_prediction(Twins(), video, out, fps='native')
        ends = [row['end_s'] for row in result['frames']]
        assert ends == [0.125, 0.25, 0.375, 0.5, 0.5, 0.5, 0.5, 0.625]
        # The last of them is on screen.
        times, images, _ = shown_in(out / 'overlay.mp4')
        assert times == (0, 0.125, 0.25, 0.375, 0.5)
        assert [number_of(image) for image in images] == [0, 1, 2, 3, 7]


class TestErrors:
    @pytest.mark.parametrize('kind', [RuntimeError, KeyboardInterrupt])
    @pytest.mark.parametrize('stop_at', [0, 2])
    def test_nothing_is_left(self, video, out, kind, stop_at):
        inferencer = Inferencer(stop_at=stop_at, error=kind)
        with pytest.raises(kind):
            write_prediction(inferencer, video, out)
        assert list(out.parent.iterdir()) == []
        assert inferencer.is_closed

    def test_older_result_stays(self, video, out):
        write_masks(Inferencer(), video, out)
        before = (out / 'result.json').read_bytes()
        with pytest.raises(ValueError):
            write_masks(Inferencer(stop_at=1), video, out, fps=4)
        assert (out / 'result.json').read_bytes() == before
        write_masks(Inferencer(), video, out, fps=4)
        assert len(read_json(out / 'result.json')['frames']) == 14
        assert len(list((out / 'masks').iterdir())) == 14

    @pytest.mark.parametrize('key', ['probability', 'uncertainty'])
    def test_what_is_not_finite(self, video, out, key):
        def changes(index):
            values = np.zeros(SIZE, np.float32)
            values[3, 4] = np.nan if index == 1 else 0
            return {key: values}

        with pytest.raises(ValueError, match='at 1.94 s is not finite'):
            write_masks(Inferencer(changes), video, out)
        assert list(out.parent.iterdir()) == []

    def test_codes_of_a_model_without_any(self, video, out):
        # It is told before there is anything to lose.
        inferencer = Inferencer(lambda index: dict(codes={}), stop_at=2)
        with pytest.raises(ValueError, match='no latents'):
            write_masks(inferencer, video, out, codes=True)
        assert list(out.parent.iterdir()) == []

    def test_input_in_the_folder(self, video, out, tmp_path):
        write_prediction(Inferencer(), video, out)
        film = out / 'overlay.mp4'
        before = film.read_bytes()
        with pytest.raises(ValueError, match='overlay.mp4 lies in'):
            write_masks(Inferencer(), film, out)
        with pytest.raises(ValueError, match='overlay.mp4 lies in'):
            write_masks(Inferencer(), video, out, sound=film)
        assert film.read_bytes() == before
        # Beside it is fine.
        write_masks(Inferencer(), film, tmp_path / 'again')

    def test_result_of_another_video(self, video, out, tmp_path):
        write_masks(Inferencer(), video, out)
        before = (out / 'result.json').read_bytes()
        other = write_video(tmp_path / video.name, seconds=1)
        with pytest.raises(FileExistsError, match='another recording'):
            write_masks(Inferencer(), other, out)
        assert (out / 'result.json').read_bytes() == before
        # The same one by another name.
        link = tmp_path / 'link.mp4'
        link.symlink_to(video)
        result = write_masks(Inferencer(), link, out)
        assert result['input']['source'] == str(link)
        assert result['input']['path'] == os.path.realpath(video)

    def test_folder_of_others(self, video, out):
        out.mkdir(parents=True)
        (out / 'notes').write_text('mine')
        with pytest.raises(FileExistsError, match='something else'):
            write_masks(Inferencer(), video, out)
        assert [path.name for path in out.iterdir()] == ['notes']


class TestParts:
    def test_mask_of_many_classes(self, tmp_path):
        mask = np.arange(256, dtype=np.uint8).reshape(8, 32)
        palette = np.random.default_rng(0).integers(0, 256, (256, 3))
        save_mask(tmp_path / 'm.png', mask, palette)
        assert np.array_equal(read_image(tmp_path / 'm.png', 'P'), mask)
        with Image.open(tmp_path / 'm.png') as image:
            assert np.array_equal(image.convert('RGB'), palette[mask])

    def test_uncertainty_beyond_the_range(self, tmp_path):
        # Rounding errors of the network's arithmetic.
        save_map(tmp_path / 'u.png', np.array([[-1e-6, 0.5000001]]), 0.5)
        assert read_image(tmp_path / 'u.png').tolist() == [[0, 255]]

    def test_json_of_any_name(self):
        # Bytes that are no UTF-8, as Python has them in names.
        result = dict(name='\udcff é "\\\n\x1b', frames=[dict(index=0)])
        content = encode_result(result)
        assert json.loads(content) == result
        assert 'é'.encode() in content

    def test_json_has_no_nan(self):
        with pytest.raises(ValueError, match='JSON'):
            encode_result(dict(value=float('nan'), frames=[]))


@pytest.mark.parametrize('fps', [1, 4])
def test_model(inferencer, video, out, fps):
    """Masks and codes are those of the inferencer."""
    result = write_masks(inferencer, video, out, fps=fps, codes=True)
    frames = list(inferencer.stream(open_recording(video), fps=fps))
    assert len(frames) == len(result['frames']) == {1: 3, 4: 14}[fps]
    with np.load(out / 'codes.npz') as codes:
        for prediction, row in zip(frames, result['frames']):
            mask = read_image(out / row['mask'])
            assert np.array_equal(mask, 255 * prediction.mask)
            assert row['time_s'] == prediction.time_s
            for name, code in prediction.codes.items():
                assert np.array_equal(codes[name][row['index']], code)
        assert {'times_s', *frames[0].codes} == set(codes)
    assert result['settings']['config'] == 'mmvae_tiny_s4'
    assert result['settings']['num_frames'] == 5
