"""tools/infer.py on real videos, end to end.

The frames of the videos carry their number and the sound is a chirp on the
clock of the file (``video_files``), so that what comes out can be compared
with what must be there. The network is small and its weights are random.
"""

import functools
import importlib.util
import io
import json
import os
import subprocess
import sys
import warnings
from contextlib import redirect_stderr, redirect_stdout
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.runner import Runner
from mmseg.registry import MODELS
from PIL import Image
from small_network import write_small_network
from video_files import (
    TURNS,
    cut_file,
    patch_matrix,
    read_pictures,
    read_sound,
    write_video,
)

from mmavs.apis import AVSInferencer
from mmavs.datasets.conversion import convert_videos
from mmavs.functional.predictive import average_logits
from mmavs.structures import ClipPrediction
from mmavs.visualization import overlay_mask

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / 'tools' / 'infer.py'
STEPS = [40, 10, 500, 20, 120, 1300, 30, 200, 900, 60] * 2
UNEVEN = [Fraction(t, 1000) for t in np.cumsum([0, *STEPS]).tolist()]
NTSC = Fraction(30000, 1001)
# Options of write_video; 16 frames a second of 64 x 48 pixels unless they
# say otherwise. The config has windows of five frames.
GOOD = {
    'mono 16 kHz.mp4': dict(rate_hz=16000, layout='mono', seconds=6),
    # Two windows, of which the last one is moved back.
    'stereo 44.1 kHz.mp4': dict(seconds=7),
    # Fewer frames than a window has; the last is just behind the end.
    'stereo 48 kHz.mp4': dict(rate_hz=48000, seconds=2.75),
    'ntsc.mp4': dict(fps=NTSC, seconds=2),
    'odd.mp4': dict(size=(63, 47), pix_fmt='yuv444p', seconds=2),
    'wide.mp4': dict(size=(160, 32), seconds=2),
    'turned.mp4': dict(seconds=2),
    'uneven.mp4': dict(frame_times=UNEVEN, seconds=6.4),
    # No presentation times in the file, whose pictures are reordered.
    'untimed.avi': dict(ticks_hz=16, audio='pcm_s16le', seconds=2),
    '-9 é ü.mp4': dict(seconds=1),
}
# What the message about each has to say besides the file's name.
BAD = {
    'no audio.mp4': (dict(audio=None), 'policy'),
    'silent.mp4': (dict(loudness=0), 'policy'),
    'half a second.mp4': (dict(seconds=0.5), '0.975 s'),
    'no video.mp4': (dict(codec=None), 'no video track'),
    'no frame.mkv': (dict(frame_times=[]), 'no '),
    'cut.mp4': (dict(), ''),
    # Its headers are at the beginning, and whole.
    'cut within.mp4': (dict(container_options=dict(movflags='faststart')), ''),
    'cut.mkv': (dict(), ''),
    'text.mp4': (None, 'cannot be read'),
    'missing.mp4': (None, 'does not exist'),
}


def times_of(name):
    """When the frames of a good video appear, and when it ends."""
    options = GOOD[name]
    if 'frame_times' in options:
        return options['frame_times'], Fraction('6.42')
    fps = options.get('fps', 16)
    count = int(options['seconds'] * fps)
    return [n / Fraction(fps) for n in range(count)], count / Fraction(fps)


def number_at(name, time_s):
    """Number of the frame that a good video shows at a time."""
    times, _ = times_of(name)
    return sum(t <= time_s for t in times) - 1


def published_times(name):
    """The times of the frames at 1 frame a second."""
    _, end = times_of(name)
    times = [k - Fraction(1, 16) for k in range(1, 20)]
    return [t for t in times if t <= end + Fraction(1, 4)]


@pytest.fixture(scope='module')
def model_files(tmp_path_factory):
    """Config of a small network, and its random weights."""
    return write_small_network(tmp_path_factory.mktemp('model'), seed=1)


class Results:
    """What a run of the tool wrote and said.

    Args:
        out: its folder.
        status: its exit status.
        text: all that it printed.
    """

    def __init__(self, out, status, text):
        self.out, self.status, self.text = out, status, text

    def path(self, name, *parts):
        return self.out.joinpath(Path(name).stem, *parts)

    def json(self, name):
        return json.loads(self.path(name, 'result.json').read_text('utf-8'))

    def times(self, name):
        return [frame['time_s'] for frame in self.json(name)['frames']]

    def masks(self, name, folder='masks'):
        masks = []
        for path in sorted(self.path(name, folder).iterdir()):
            with Image.open(path) as image:
                assert image.mode == 'L'
                masks.append(np.asarray(image))
        return np.stack(masks)


@pytest.fixture(scope='module')
def infer(model_files, tmp_path_factory):
    """Run the tool in this process, in a folder with videos."""
    spec = importlib.util.spec_from_file_location('infer', SCRIPT)
    tool = importlib.util.module_from_spec(spec)

    def infer(folder, names, *options):
        out = tmp_path_factory.mktemp('out')
        config, checkpoint = map(str, model_files)
        arguments = [*names, '--config', config, '--checkpoint', checkpoint]
        arguments += ['--out', str(out), *options]
        text = io.StringIO()
        with (
            pytest.MonkeyPatch.context() as patch,
            redirect_stdout(text),
            redirect_stderr(text),
        ):
            patch.setitem(sys.modules, spec.name, tool)
            # As Python does for a script.
            patch.syspath_prepend(SCRIPT.parent)
            patch.setattr(sys, 'argv', [str(SCRIPT), *arguments])
            # The tool has its own, for all of its process.
            patch.setattr(warnings, 'showwarning', warnings.showwarning)
            patch.chdir(folder)
            spec.loader.exec_module(tool)
            with pytest.raises(SystemExit) as caught:
                tool.main()
        status = caught.value.code
        return Results(out, status, text.getvalue())

    return infer


@pytest.fixture(scope='module')
def videos(tmp_path_factory):
    """The good videos."""
    folder = tmp_path_factory.mktemp('good')
    for name, options in GOOD.items():
        write_video(folder / name, **options)
    patch_matrix(folder / 'turned.mp4', TURNS['a quarter clockwise'])
    return folder


@pytest.fixture(scope='module')
def per_second(infer, videos):
    """All good videos at one frame a second."""
    return infer(videos, GOOD)


@pytest.fixture(scope='module')
def native(infer, videos):
    """Some of them at their own rate."""
    names = ['uneven.mp4', 'turned.mp4', 'untimed.avi', 'odd.mp4']
    return infer(videos, names, '--fps', 'native', '--batch-size', '4')


def duration_s(path):
    with av.open(str(path)) as container:
        return container.duration / 1e6


def check_pictures(overlay, video, masks, expected, every=1):
    """Every frame of the overlay is the one of the video, with its mask.

    Args:
        overlay: its path.
        video: that of the video.
        masks: all that were written.
        expected: from a time to the numbers of the frame and of the mask
            that are on screen.
        every: look at so many frames of the overlay only.

    Returns:
        When the frames of the overlay appear, and their numbers.
    """
    _, _, images = read_pictures(video)
    if video.name == 'turned.mp4':
        images = [np.rot90(image, -1) for image in images]
    height, width = images[0].shape[:2]
    times, _, pictures = read_pictures(overlay, every)
    assert times[0] == 0

    @functools.cache
    def painted(number, mask):
        return overlay_mask(images[number], masks[mask] > 0).astype(int)

    numbers = []
    for time_s, picture in zip(times[::every], pictures, strict=True):
        # Half a millisecond is what the clocks of files may differ by.
        number, mask = expected(time_s + 5e-4)
        picture = picture[:height, :width]
        # It could be one of those before and after.
        near = range(max(number - 2, 0), min(number + 3, len(images)))
        errors = {n: np.abs(painted(n, mask) - picture).mean() for n in near}
        assert min(errors, key=errors.get) == number
        # With another mask it would be more.
        assert errors[number] < 16
        numbers.append(number)
    return times, numbers


def check_sound(overlay, video):
    """The sound of the overlay is that of the video, at the same time.

    Returns:
        Both (channels, S), from the first frame on, and their rate.
    """
    (ours, our_rate), (theirs, rate) = map(read_sound, (overlay, video))
    # Time counts from the first frame, which is late in some containers; in
    # AVI it has none.
    with av.open(str(video)) as container:
        start_s = next(container.decode(video=0)).time or 0
    if video.suffix == '.avi':
        start_s = 0
    theirs = theirs[:, round(start_s * rate) :]
    assert our_rate == rate
    assert len(ours) == len(theirs)
    assert ours.shape[1] >= theirs.shape[1] - 1024
    length = min(ours.shape[1], theirs.shape[1])
    for a, b in zip(ours, theirs):
        assert np.corrcoef(a[:length], b[:length])[0, 1] > 0.95
    # A stretch of it fits best where it was.
    middle = slice(length // 2, length // 2 + 4096)
    part = theirs[0, middle]
    scores = [
        np.dot(np.roll(ours[0], lag)[middle], part) for lag in range(-50, 51)
    ]
    assert np.argmax(scores) == 50
    return ours, theirs, rate


class TestPerSecond:
    """The default: one frame a second, at the published times."""

    def test_exit_status_and_table(self, per_second):
        assert per_second.status == 0
        assert len(list(per_second.out.iterdir())) == len(GOOD)
        for name in GOOD:
            assert Path(name).stem in per_second.text

    @pytest.mark.parametrize('name', GOOD)
    def test_times(self, per_second, name):
        expected = [float(t) for t in published_times(name)]
        assert per_second.times(name) == expected

    @pytest.mark.parametrize('name', GOOD)
    def test_masks(self, per_second, name):
        width, height = GOOD[name].get('size', (64, 48))
        if name == 'turned.mp4':
            width, height = height, width
        masks = per_second.masks(name)
        count = len(published_times(name))
        assert masks.shape == (count, height, width)
        assert set(np.unique(masks)) <= {0, 255}
        shares = [f['area_share'] for f in per_second.json(name)['frames']]
        assert np.allclose((masks > 0).mean((1, 2)), shares, atol=1e-4)

    def test_masks_are_of_these_weights(self, per_second):
        # Neither all empty nor all full, and not all the same.
        masks = per_second.masks('stereo 44.1 kHz.mp4') > 0
        assert 0.02 < masks.mean() < 0.98
        assert len({mask.tobytes() for mask in masks}) > 1

    @pytest.mark.parametrize('name', GOOD)
    def test_overlay(self, per_second, videos, name):
        path = per_second.path(name, 'overlay.mp4')
        fps = GOOD[name].get('fps', 16)
        difference = duration_s(path) - duration_s(videos / name)
        assert abs(difference) <= 1 / fps
        asked = published_times(name)

        def expected(time_s):
            k = min(int(time_s), len(asked) - 1)
            return number_at(name, asked[k]), k

        masks = per_second.masks(name)
        _, numbers = check_pictures(path, videos / name, masks, expected)
        assert set(numbers) == {number_at(name, t) for t in asked}
        check_sound(path, videos / name)

    @pytest.mark.parametrize('name', GOOD)
    def test_timeline(self, per_second, name):
        with Image.open(per_second.path(name, 'timeline.png')) as image:
            pixels = np.asarray(image)
        assert pixels.ndim == 3
        assert pixels.std() > 10

    def test_codecs_that_play_everywhere(self, per_second):
        path = per_second.path('odd.mp4', 'overlay.mp4')
        with av.open(str(path)) as container:
            video, audio = container.streams
            assert video.codec.name == 'h264'
            assert video.pix_fmt == 'yuv420p'
            assert audio.codec.name == 'aac'
        content = path.read_bytes()
        assert content.index(b'moov') < content.index(b'mdat')


class TestOtherRates:
    """A mask for every frame, or for several in a second."""

    @pytest.mark.parametrize(
        'name', ['uneven.mp4', 'turned.mp4', 'untimed.avi', 'odd.mp4']
    )
    def test_native(self, native, videos, name):
        assert native.status == 0
        times, _ = times_of(name)
        assert native.times(name) == pytest.approx(
            list(map(float, times)), abs=1e-3
        )
        assert len(native.masks(name)) == len(times)
        path = native.path(name, 'overlay.mp4')
        difference = duration_s(path) - duration_s(videos / name)
        assert abs(difference) <= 1 / 16

        def expected(time_s):
            return (number_at(name, time_s),) * 2

        masks = native.masks(name)
        shown_s, numbers = check_pictures(path, videos / name, masks, expected)
        # Each appears, and when it does in the video.
        first_s = [shown_s[numbers.index(n)] for n in range(len(times))]
        assert first_s == pytest.approx(list(map(float, times)), abs=1e-3)
        check_sound(path, videos / name)

    def test_five_in_a_second(self, infer, videos):
        name = 'stereo 48 kHz.mp4'
        results = infer(videos, [name], '--fps', '5', '--overlap', '2')
        assert results.status == 0
        assert results.times(name) == pytest.approx(np.arange(14) / 5)
        path = results.path(name, 'overlay.mp4')

        def expected(time_s):
            k = int(time_s * 5)
            return number_at(name, Fraction(k, 5)), k

        masks = results.masks(name)
        check_pictures(path, videos / name, masks, expected)
        check_sound(path, videos / name)


class TestOptions:
    def test_uncertainty_codes_and_no_pictures(self, infer, videos):
        name = 'stereo 48 kHz.mp4'
        results = infer(
            videos,
            [name],
            *('--samples', '3', '--codes', '--precision', 'bfloat16'),
            *('--no-overlay', '--no-timeline'),
        )
        assert results.status == 0
        written = {path.name for path in results.path(name).iterdir()}
        assert written == {'codes.npz', 'masks', 'result.json', 'uncertainty'}
        uncertainty = results.masks(name, 'uncertainty')
        assert uncertainty.shape == (3, 48, 64)
        assert uncertainty.max() > 0
        means = [f['uncertainty'] for f in results.json(name)['frames']]
        assert np.allclose(uncertainty.mean((1, 2)) / 510, means, atol=2e-3)
        with np.load(results.path(name, 'codes.npz')) as codes:
            assert codes['times_s'].tolist() == results.times(name)
            assert codes['shared'].shape == (3, 16)

    def test_replaced_sound_is_heard_and_segmented(
        self, infer, videos, per_second, tmp_path
    ):
        # Two seconds, the second of which is silent, for 2.75.
        other = write_video(
            tmp_path / 'other.mkv',
            audio='flac',
            rate_hz=32000,
            layout='mono',
            loudness=lambda time_s: time_s < 1,
            seconds=2,
        )
        name = 'stereo 48 kHz.mp4'
        results = infer(videos, [name], '--sound', str(other))
        assert results.status == 0
        heard, rate = read_sound(results.path(name, 'overlay.mp4'))
        sound, sound_rate = read_sound(other)
        assert rate == sound_rate
        expected = np.tile(sound[0], 2)[: int(2.75 * rate)]
        fit = np.corrcoef(heard[0, : len(expected)], expected)[0, 1]
        assert fit > 0.95
        masks = results.masks(name)
        assert not np.array_equal(masks, per_second.masks(name))

    def test_without_sound(self, infer, tmp_path):
        seconds = {
            'no audio.mp4': 2,
            'silent.mp4': 2,
            # A bare stream, without times; 25 frames a second.
            'bare.h264': 2,
            # There is no frame for the last half of a second.
            'more.mp4': 2.5,
        }
        for name in seconds:
            write_video(
                tmp_path / name,
                audio='aac' if name == 'silent.mp4' else None,
                fps=25 if name == 'bare.h264' else 16,
                loudness=0,
                seconds=seconds[name],
            )
        results = infer(tmp_path, seconds, '--no-audio-policy', 'silence')
        assert results.status == 0
        for name in seconds:
            assert results.times(name) == [0.9375, 1.9375]
            path = results.path(name, 'overlay.mp4')
            assert duration_s(path) == pytest.approx(seconds[name], abs=0.05)
            with av.open(str(path)) as container:
                has_sound = bool(container.streams.audio)
            assert has_sound == (name == 'silent.mp4')
        check_pictures(
            results.path('bare.h264', 'overlay.mp4'),
            write_video(tmp_path / 'bare.mp4', audio=None, fps=25, seconds=2),
            results.masks('bare.h264'),
            lambda time_s: ((23, 48)[int(time_s)], int(time_s)),
        )
        # Silence is silence, whether it was recorded or not.
        masks = map(results.masks, ('no audio.mp4', 'silent.mp4'))
        assert np.array_equal(*masks)


@pytest.fixture(scope='module')
def bad(infer, tmp_path_factory):
    """The bad videos, between two good ones."""
    folder = tmp_path_factory.mktemp('bad')
    for name, (options, _) in BAD.items():
        if options is not None:
            write_video(folder / name, **{'seconds': 3, **options})
        if name.startswith('cut'):
            cut_file(folder / name, 0.5)
    (folder / 'text.mp4').write_bytes(b'not a video ' * 500)
    for name in ('first.mp4', '-last é.mp4'):
        write_video(folder / name, seconds=1)
    return infer(folder, ['first.mp4', *BAD, '-last é.mp4'])


class TestBadInputs:
    def test_the_others_are_done(self, bad):
        assert bad.status == 1
        written = {path.name for path in bad.out.iterdir()}
        assert written == {'first', '-last é'}
        for name in ('first.mp4', '-last é.mp4'):
            assert bad.times(name) == [0.9375]

    @pytest.mark.parametrize('name', BAD)
    def test_one_clear_message(self, bad, name):
        lines = [
            line
            for line in bad.text.splitlines()
            if line.startswith(f'{name}: ')
        ]
        assert len(lines) == 1
        assert BAD[name][1] in lines[0]
        assert 'Traceback' not in bad.text


def test_ten_minutes(infer, tmp_path):
    # A second of sound in each half of a minute: silence encodes fast.
    path = write_video(
        tmp_path / 'long.mp4',
        seconds=600,
        fps=1,
        size=(48, 32),
        key_frame_every=60,
        rate_hz=8000,
        layout='mono',
        loudness=lambda time_s: time_s % 30 < 1,
    )
    results = infer(
        tmp_path,
        ['long.mp4'],
        *('--batch-size', '8', '--cfg-options'),
        'test_dataloader.dataset.pipeline.0.transforms.1.scale=(32,32)',
    )
    assert results.status == 0
    assert results.times('long.mp4') == [k + 0.9375 for k in range(600)]
    overlay = results.path('long.mp4', 'overlay.mp4')
    assert duration_s(overlay) == pytest.approx(duration_s(path), abs=0.5)
    masks = results.masks('long.mp4')
    check_pictures(
        overlay,
        path,
        masks,
        lambda time_s: (int(time_s), int(time_s)),
        every=4,
    )
    ours, theirs, rate = check_sound(overlay, path)
    # The last that is heard is where it was.
    last = slice(570 * rate, 571 * rate)
    assert np.corrcoef(ours[0, last], theirs[0, last])[0, 1] > 0.95


class TestSameAsTheDataset:
    """Windows of a video give what the files of a data set give."""

    # The windows of 12 frames.
    STARTS = (0, 5, 7)

    def predict(self, folder, model_files, **sound):
        """Predict a film both ways.

        Returns:
            Probabilities and masks (12, 224, 224) of the inferencer, and of
            the data set's clips with the overlap averaged.
        """
        # At this size frames are not resized, and their PNGs lose nothing.
        write_video(
            folder / 'videos' / 'film.mkv',
            seconds=12,
            fps=4,
            size=(224, 224),
            **sound,
        )
        ids = [f'from {start}' for start in self.STARTS]
        rows = [
            f'film.mkv,{name},{start},dog,test\n'
            for name, start in zip(ids, self.STARTS)
        ]
        table = folder / 'clips.csv'
        table.write_text('video,name,start,category,split\n' + ''.join(rows))
        (folder / 'masks').mkdir()
        mask = np.zeros((224, 224), np.uint8)
        mask[50:100, 50:100] = 255
        for name in ids:
            for k in range(1, 6):
                path = folder / 'masks' / f'{name}_{k}.png'
                Image.fromarray(mask).save(path)
        report = convert_videos(
            folder / 'videos',
            table,
            folder / 'data',
            's4',
            masks=folder / 'masks',
        )
        assert report.broken == ()
        ours = AVSInferencer(*map(str, model_files))(
            str(folder / 'videos' / 'film.mkv')
        )
        theirs = self.from_dataset(report.root, *model_files)
        return (ours.probabilities, ours.masks), theirs

    def from_dataset(self, root, config, checkpoint):
        config = Config.fromfile(config)
        config.merge_from_dict(
            {
                'test_dataloader.dataset.data_root': str(root),
                'test_dataloader.dataset.pairs_file': None,
                'test_dataloader.batch_size': 1,
                'test_dataloader.num_workers': 0,
                'test_dataloader.persistent_workers': False,
            }
        )
        model = MODELS.build(config.model)
        weights = torch.load(checkpoint, weights_only=True)['state_dict']
        model.load_state_dict(weights)
        model.eval()
        logits, samples = [[] for _ in range(12)], [None] * 12
        results = [None] * 12
        with torch.no_grad():
            loader = Runner.build_dataloader(config.test_dataloader)
            for start, batch in zip(self.STARTS, loader):
                data = model.data_preprocessor(batch)
                clip_logits = model.predict_clips(data['inputs']).logits
                tested = model.test_step(batch)
                for k in range(5):
                    logits[start + k].append(clip_logits[k : k + 1])
                    samples[start + k] = data['data_samples'][k]
                    results[start + k] = tested[k]
            for n in range(12):
                if len(logits[n]) > 1:
                    averaged = ClipPrediction(
                        average_logits(logits[n]), None, {}
                    )
                    results[n : n + 1] = model.postprocess_clips(
                        averaged, samples[n : n + 1]
                    )
        return (
            np.stack([x.seg_logits.data[0].numpy() for x in results]),
            np.stack([x.pred_sem_seg.data[0].numpy() for x in results]),
        )

    def test_to_the_bit(self, tmp_path, model_files):
        # What is on disk is what was decoded: PNG, and 16 bit at 16 kHz.
        ours, theirs = self.predict(
            tmp_path,
            model_files,
            audio='pcm_s16le',
            rate_hz=16000,
            layout='mono',
        )
        assert np.array_equal(ours[0], theirs[0])
        assert np.array_equal(ours[1], theirs[1])
        assert 0 < ours[1].mean() < 1

    def test_up_to_the_rounding_of_the_wav(self, tmp_path, model_files):
        # The wav of a data set has 16 bit; decoded AAC has more.
        ours, theirs = self.predict(tmp_path, model_files)
        assert not np.array_equal(ours[0], theirs[0])
        assert np.abs(ours[0] - theirs[0]).max() < 1e-2
        assert (ours[1] != theirs[1]).mean() < 1e-2


def test_as_a_command(model_files, tmp_path):
    write_video(tmp_path / '-9 é ü.mp4', seconds=1)
    (tmp_path / 'text.mp4').write_bytes(b'not a video ' * 500)
    config, checkpoint = map(str, model_files)
    result = subprocess.run(
        [
            *(sys.executable, str(SCRIPT), '-9 é ü.mp4', 'text.mp4'),
            *('--config', config, '--checkpoint', checkpoint),
            *('--out', 'out'),
        ],
        cwd=tmp_path,
        env=dict(os.environ, COLUMNS='1000'),
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert result.returncode == 1
    assert 'text.mp4: ' in result.stdout + result.stderr
    assert 'Traceback' not in result.stderr
    folder = tmp_path / 'out' / '-9 é ü'
    assert {path.name for path in folder.iterdir()} == {
        *('masks', 'overlay.mp4', 'result.json', 'timeline.png')
    }
    assert os.listdir(tmp_path / 'out') == ['-9 é ü']
