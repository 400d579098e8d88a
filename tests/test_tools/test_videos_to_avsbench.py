"""Videos to AVSBench: the files, what is refused, and going on."""

import importlib.util
import json
import os
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
import video_files
from mmengine.config import Config
from mmseg.registry import DATASETS
from PIL import Image
from video_files import number_of, write_video

from mmavs.datasets.conversion import convert_videos
from mmavs.datasets.layout import LAYOUTS, class_palette, read_clips
from mmavs.datasets.videos import clip_times

ROOT = Path(__file__).resolve().parents[2]
RATE_HZ = 16000


def load_module(name, path):
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


tool = load_module(
    'videos_to_avsbench',
    ROOT / 'tools/dataset_converters/videos_to_avsbench.py',
)


@pytest.fixture(scope='module')
def videos(tmp_path_factory):
    """Good and broken videos with awkward names."""
    folder = tmp_path_factory.mktemp('videos')
    write_video(folder / '-9 é.mp4', seconds=8)
    write_video(
        folder / 'more' / '0012.webm',
        seconds=5,
        codec='libvpx',
        audio='libopus',
        rate_hz=48000,
    )
    write_video(folder / '_x.mkv', seconds=11, size=(70, 50))
    write_video(folder / 'mute.mp4', seconds=5, audio=None)
    write_video(folder / 'short.mkv', seconds=3)
    (folder / 'garbage.mp4').write_bytes(b'garbage' * 500)
    (folder / '_x.jpg').write_bytes(b'a thumbnail')
    return folder


@pytest.fixture
def run(videos, tmp_path, monkeypatch, capsys):
    """Run the tool in this process; returns status, output, errors."""

    def run(table, *options, out='out'):
        (tmp_path / 'clips.csv').write_text(table, encoding='utf-8')
        arguments = [videos, tmp_path / 'clips.csv', tmp_path / out]
        command = ['tool', *map(str, [*arguments, *options])]
        monkeypatch.setattr(sys, 'argv', [*command, '--workers', '0'])
        with pytest.raises(SystemExit) as caught:
            tool.main()
        printed = capsys.readouterr()
        return caught.value.code, printed.out, printed.err

    return run


def files_under(root):
    return {
        str(path.relative_to(root)): path.read_bytes()
        for path in root.rglob('*')
        if path.is_file()
    }


def listed(root, subset):
    layout = LAYOUTS[subset]
    content = (root / layout.csv_name).read_bytes()
    return [r['video_id'] for r in read_clips(content, layout.columns, 'csv')]


def open_image(path):
    with Image.open(path) as image:
        return np.asarray(image)


def save_mask(path, size=(224, 224), value=255):
    path.parent.mkdir(parents=True, exist_ok=True)
    mask = np.zeros(size, np.uint8)
    mask[4:20, 4:20] = value
    Image.fromarray(mask).save(path)


def load_split(config, dataset_type, root, split):
    """All clips of a split, loaded as a config loads them."""
    loader = Config.fromfile(ROOT / 'configs' / config)[f'{split}_dataloader']
    dataset = loader['dataset'].to_dict()
    assert dataset['type'] == dataset_type
    dataset['data_root'] = str(root)
    dataset = DATASETS.build(dataset)
    return [dataset[i] for i in range(len(dataset))]


S4 = 'name,start,category,split\n-9 é,2.5,dog,train\n0012,0,a b,val\n'
BROKEN = 'mute,0,dog,train\nshort,0,dog,val\ngarbage,0,x,test\nno,0,x,test\n'


class TestFiles:
    def test_s4(self, run, tmp_path):
        code, printed, _ = run(S4, '--subset', 's4')
        assert (code, printed.count('broken:')) == (0, 0)
        root = tmp_path / 'out' / 'Single-source'
        frames = 's4_data/visual_frames/train/dog/-9 é/-9 é_{}.png'
        for k, time_s in enumerate(clip_times(5, 2.5), 1):
            image = open_image(root / frames.format(k))
            # The shape of the picture is not kept.
            assert image.shape == (224, 224, 3)
            assert number_of(image) == int(time_s * 16)
        wav = root / 's4_data/audio_wav/train/dog/-9 é.wav'
        info = soundfile.info(str(wav))
        assert (info.samplerate, info.channels) == (RATE_HZ, 1)
        assert (info.frames, info.subtype) == (5 * RATE_HZ, 'PCM_16')
        samples, _ = soundfile.read(str(wav))
        clean = video_files.chirp(2.5 + np.arange(5 * RATE_HZ) / RATE_HZ)
        assert np.corrcoef(samples, clean)[0, 1] > 0.99
        assert (root / 's4_meta_data.csv').read_text('utf-8') == S4
        num_files = 2 * 6 + 2  # the list and the marker
        assert len(files_under(tmp_path / 'out')) == num_files

    def test_s4_loads_with_the_config(self, run, tmp_path):
        masks = tmp_path / 'masks'
        save_mask(masks / 'dog' / '-9 é' / '-9 é_1.png')
        for k in range(1, 6):
            save_mask(masks / f'0012_{k}.png', value=1)
        code, *_ = run(S4, '--subset', 's4', '--masks', masks)
        assert code == 0
        root = tmp_path / 'out' / 'Single-source'
        for split, labelled in (('train', 1), ('val', 5)):
            (sample,) = load_split(
                '_base_/datasets/avsbench_s4.py',
                'AVSBenchS4Dataset',
                root,
                split,
            )
            inputs = sample['inputs']
            assert inputs['frames'].shape == (5, 3, 224, 224)
            assert inputs['log_mel'].shape == (5, 1, 96, 64)
            seg_map = sample['data_samples'].gt_sem_seg.data
            assert (seg_map == 1).sum() == labelled * 16 * 16

    def test_ms3(self, run, tmp_path):
        masks = tmp_path / 'masks' / 'gt_masks' / 'test' / 'new'
        for k in range(1, 6):
            save_mask(masks / f'new_{k}.png')
        code, *_ = run(
            'video,start,video_id,split\n_x.mkv,5.5,new,test\n',
            '--subset',
            'ms3',
            '--masks',
            tmp_path / 'masks',
        )
        assert code == 0
        root = tmp_path / 'out' / 'Multi-sources'
        frame = root / 'ms3_data/visual_frames/new/new.mp4_5.png'
        assert number_of(open_image(frame)) == int((5.5 + 4.9375) * 16)
        (sample,) = load_split(
            '_base_/datasets/avsbench_ms3.py',
            'AVSBenchMS3Dataset',
            root,
            'test',
        )
        assert (sample['data_samples'].gt_sem_seg.data == 1).sum() == 5 * 256

    def test_avss(self, run, tmp_path):
        masks = tmp_path / 'masks'
        (masks / 'v2' / '_x').mkdir(parents=True)
        labels = dict(background=0, dog=1, cat=2)
        (masks / 'label2idx.json').write_text(json.dumps(labels))
        palette = np.array(class_palette(3), np.uint8)
        for k in range(10):
            path = masks / 'v2/_x/labels_semantic' / f'{k}.png'
            save_mask(path, (50, 70), value=2)
            coloured = masks / 'v2/_x/labels_rgb' / f'{k}.png'
            coloured.parent.mkdir(exist_ok=True)
            Image.fromarray(palette[open_image(path)]).save(coloured)
        code, *_ = run(
            'video,label,split,s_min,s_sec\n_x.mkv,v2,train,0,0.5\n',
            '--subset',
            'avss',
            '--masks',
            masks,
        )
        assert code == 0
        root = tmp_path / 'out' / 'AVSBench-semantic'
        clip = root / 'v2' / '_x'
        for k, time_s in enumerate(clip_times(10, 0.5)):
            image = open_image(clip / 'frames' / f'{k}.jpg')
            assert image.shape == (50, 70, 3)
            assert number_of(image) == int(time_s * 16)
        assert soundfile.info(str(clip / 'audio.wav')).duration == 10
        for folder in ('labels_semantic', 'labels_rgb'):
            assert files_under(clip / folder) == files_under(
                masks / 'v2/_x' / folder
            )
        assert (root / 'metadata.csv').read_text() == (
            'vid,uid,s_min,s_sec,a_obj,split,label\n,_x,0,0.5,,train,v2\n'
        )
        dataset = DATASETS.build(
            dict(
                type='AVSBenchSemanticDataset',
                data_root=str(root),
                split='train',
                pipeline=[
                    dict(
                        type='ClipTransform',
                        transforms=[
                            dict(type='LoadFrame'),
                            dict(type='LoadAVSMask'),
                        ],
                    ),
                    dict(type='LoadAudio'),
                ],
            )
        )
        assert dataset.metainfo['classes'] == ('background', 'dog', 'cat')
        sample = dataset[0]
        assert sample['waveform'].shape == (10 * RATE_HZ,)

    def test_avss_classes_of_the_list(self, run, tmp_path):
        code, *_ = run(
            'video_id,label,split,start,a_obj\n'
            '0012,v1s,val,0,dog_african-drum\n'
            '-9 é,v1m,val,61,off-the-screen_dog\n',
            '--subset',
            'avss',
        )
        root = tmp_path / 'out' / 'AVSBench-semantic'
        labels = json.loads((root / 'label2idx.json').read_text())
        assert labels == {'background': 0, 'african-drum': 1, 'dog': 2}
        # The second begins behind the end of its video.
        assert code == 1
        assert listed(root, 'avss') == ['0012']

    @pytest.mark.parametrize(
        ('labels', 'rule'),
        [
            ('{"background": 0, "dog": 1.9}', 'must be 0 to 1'),
            ('{"background": 0, "dog": "1"}', 'must be 0 to 1'),
            ('{"background": 0, "dog": 2}', 'must be 0 to 1'),
            ('["background", "dog"]', '{name: index}'),
            ('', 'is empty'),
        ],
    )
    def test_avss_classes_that_are_none(self, run, tmp_path, labels, rule):
        masks = tmp_path / 'masks'
        masks.mkdir()
        path = masks / 'label2idx.json'
        path.write_text(labels)
        table = 'video_id,label,split\n_x,v1s,train\n'
        code, *_ = run(table, '--subset', 'avss', '--masks', masks)
        assert str(path) in code
        assert rule in code
        assert not (tmp_path / 'out').exists()

    def test_avss_list_with_more_classes_than_masks_can_hold(
        self, run, tmp_path
    ):
        objects = '_'.join(map(str, range(255)))
        table = f'video_id,label,split,a_obj\n_x,v1s,val,{objects}\n'
        code, *_ = run(table, '--subset', 'avss')
        assert 'clips.csv has 256 classes' in code
        assert not (tmp_path / 'out').exists()

    def test_trimmed_videos(self, run, tmp_path):
        # As published: the start is that in a longer video.
        code, *_ = run('0012,77,dog,test\n', '--subset', 's4', '--trimmed')
        assert code == 0
        root = tmp_path / 'out' / 'Single-source'
        frame = 's4_data/visual_frames/test/dog/0012/0012_1.png'
        assert number_of(open_image(root / frame)) == 15
        assert '0012,77,dog,test' in (root / 's4_meta_data.csv').read_text()

    def test_size(self, run, tmp_path):
        code, *_ = run(S4, '--subset', 's4', '--size', '40', '60')
        assert code == 0
        frames = list((tmp_path / 'out').rglob('*.png'))
        assert len(frames) == 10
        assert {open_image(path).shape for path in frames} == {(40, 60, 3)}


class TestBroken:
    def test_listed_and_skipped(self, run, tmp_path):
        # What is broken comes first, and does not stop the rest.
        header, *rows = S4.splitlines(keepends=True)
        code, printed, _ = run(
            header + BROKEN + ''.join(rows), '--subset', 's4'
        )
        assert code == 1
        *broken, summary = printed.strip().splitlines()
        reasons = (
            'no audio track',
            'too short',
            'cannot be read',
            "no file with a video's extension named 'no'",
        )
        names = ('mute', 'short', 'garbage', 'no')
        for line, name, reason in zip(broken, names, reasons, strict=True):
            assert line.startswith(f'broken: {name!r}: ')
            assert reason in line
        assert summary.startswith('2 clips made, 0 there already, 4 broken')
        root = tmp_path / 'out' / 'Single-source'
        assert (root / 's4_meta_data.csv').read_text('utf-8') == S4
        # Nothing is left of a clip that could not be made.
        assert len(files_under(root)) == 14

    @pytest.mark.parametrize(
        ('masks', 'reason'),
        [
            (dict(), 'has no mask'),
            (dict(size=(224, 200)), 'must have the size of its frame'),
            (dict(value=0), 'must not be empty'),
            (None, 'not a readable PNG'),
        ],
    )
    def test_masks(self, run, tmp_path, masks, reason):
        folder = tmp_path / 'masks'
        name = 'other_1.png' if masks == {} else '0012_1.png'
        save_mask(folder / name, **(masks or {}))
        if masks is None:
            (folder / name).write_bytes(b'no image')
        code, printed, _ = run(
            '0012,0,dog,train\n', '--subset', 's4', '--masks', folder
        )
        assert (code, reason in printed) == (1, True)

    def test_semantic_mask_with_unknown_class(self, run, tmp_path):
        masks = tmp_path / 'masks'
        save_mask(masks / '_x/labels_semantic/0.png', (50, 70), value=2)
        (masks / 'label2idx.json').write_text('{"background": 0, "dog": 1}')
        code, printed, _ = run(
            'video_id,label,split\n_x,v1s,train\n',
            '--subset',
            'avss',
            '--masks',
            masks,
        )
        assert (code, 'has the values [2]' in printed) == (1, True)

    def test_two_videos_of_a_name(self, run, videos, tmp_path):
        twin = videos / 'more' / '_x.mp4'
        twin.write_bytes(b'')
        try:
            code, printed, _ = run('_x,0,dog,val\n', '--subset', 's4')
        finally:
            twin.unlink()
        assert (code, 'several videos' in printed) == (1, True)

    def test_names_cannot_act_on_the_terminal(self, run):
        """Such as the mark that turns the rest of a line around."""
        code, printed, _ = run('\u202egpj,0,dog,val\n', '--subset', 's4')
        assert (code, '\u202e' in printed) == (1, False)
        assert 'gpj' in printed


class TestRefused:
    @pytest.mark.parametrize(
        ('subset', 'table', 'rule'),
        [
            ('s4', '../../evil,0,dog,val', 'plain name'),
            ('s4', 'a/b,0,dog,val', 'plain name'),
            ('s4', 'a\\b,0,dog,val', 'plain name'),
            ('s4', '..,0,dog,val', 'plain name'),
            ('s4', '\x1b[2J,0,dog,val', 'plain name'),
            ('s4', '_x,0,..,val', 'plain name'),
            ('s4', ',0,dog,val', 'plain name'),
            ('s4', f'{"x" * 260},0,dog,val', 'plain name'),
            ('s4', f'{"x" * 252},0,dog,val', '255 bytes'),
            ('s4', '_x,-1,dog,val', 'number of seconds'),
            ('s4', '_x,nan,dog,val', 'number of seconds'),
            ('s4', '_x,soon,dog,val', 'number of seconds'),
            ('s4', '_x,0,dog,dev', 'split must be'),
            ('s4', '_x,0,dog', 'columns'),
            ('s4', '_x,0,dog,val\n_x,3,dog,val', 'twice'),
            ('s4', 'video_id,split\n_x,val', "no column 'category'"),
            ('ms3', '_x,train\n_x,val', 'twice'),
            ('ms3', 'video,split\n../_x.mkv,val', 'in the folder'),
            ('ms3', 'video,split\n/_x.mkv,val', 'in the folder'),
            ('ms3', 'video,split\nmore/..,val', 'in the folder'),
            ('ms3', 'video,split\na\\b.mkv,val', 'plain name'),
            ('avss', 'uid,split,label\n_x,val,v3', "'v3'"),
            ('s4', '', 'empty'),
        ],
    )
    def test_list(self, run, tmp_path, subset, table, rule):
        code, _, _ = run(table, '--subset', subset)
        assert code.startswith('error: ')
        assert rule in code
        # Nothing is written, in OUT or beside it.
        assert set(files_under(tmp_path)) == {'clips.csv'}

    def test_list_that_is_no_file(self, videos, tmp_path):
        os.mkfifo(tmp_path / 'pipe')
        for name, rule in (
            ('none.csv', 'does not exist'),
            ('pipe', 'is not a regular file'),
        ):
            with pytest.raises(ValueError, match=f'{name} {rule}'):
                convert_videos(videos, tmp_path / name, tmp_path / 'out', 's4')

    def test_folders_that_are_not_there(self, run, tmp_path):
        options = ('--subset', 's4', '--masks', tmp_path / 'none')
        assert 'is not a folder of masks' in run(S4, *options)[0]
        with pytest.raises(ValueError, match='is not a folder of videos'):
            convert_videos(
                tmp_path / 'none', tmp_path / 'clips.csv', tmp_path, 's4'
            )
        code, *_ = run(
            'uid,split,label\n_x,val,v2\n',
            '--subset',
            'avss',
            '--masks',
            tmp_path,
        )
        assert 'label2idx.json' in code
        assert set(files_under(tmp_path)) == {'clips.csv'}

    def test_another_conversion(self, run, tmp_path):
        table = S4.splitlines()[2]
        assert run(table, '--subset', 's4')[0] == 0
        before = files_under(tmp_path / 'out')
        root = tmp_path / 'out' / 'Single-source'
        for differences, other, *options in (
            ('the CSV has changed', S4),
            (
                'frame_size was [224, 224], is [30, 30]',
                *(table, '--size', '30', '30'),
            ),
            ('trimmed was False, is True', table, '--trimmed'),
        ):
            code, *_ = run(other, '--subset', 's4', *options)
            # Only what differs is named.
            assert f'({differences}): choose another folder' in code
            assert f'delete {root} to' in code
        assert files_under(tmp_path / 'out') == before
        # Another subset has a folder of its own.
        assert run('_x,val\n', '--subset', 'ms3')[0] == 0

    def test_options_may_change_while_there_is_no_clip(self, run, tmp_path):
        # As published: the start is that in a longer video.
        table = '0012,77,dog,test\n'
        code, printed, _ = run(table, '--subset', 's4')
        assert code == 1
        assert 'the clip begins at 77 s: if the video is cut' in printed
        assert run(table, '--subset', 's4', '--trimmed')[0] == 0
        # As if it had been the first.
        run(table, '--subset', 's4', '--trimmed', out='anew')
        assert files_under(tmp_path / 'out') == files_under(tmp_path / 'anew')

    def test_start_that_is_not_the_reason(self, run):
        code, printed, _ = run('0012,2,dog,test\n', '--subset', 's4')
        assert (code, 'is too short' in printed) == (1, True)
        assert '--trimmed' not in printed

    @pytest.mark.parametrize('content', ['[]', '{}', '{"made_by": "me"}'])
    def test_marker_of_others(self, run, tmp_path, content):
        root = tmp_path / 'out' / 'Single-source'
        root.mkdir(parents=True)
        (root / 'videos_to_avsbench.json').write_text(content)
        code, *_ = run(S4, '--subset', 's4')
        assert 'is not that of this converter' in code
        assert [*files_under(root).values()] == [content.encode()]

    def test_folder_of_others(self, run, tmp_path):
        root = tmp_path / 'out' / 'Single-source'
        root.mkdir(parents=True)
        (root / 's4_meta_data.csv').write_text('precious')
        code, *_ = run(S4, '--subset', 's4')
        assert 'was not made by this converter' in code
        assert files_under(root) == {'s4_meta_data.csv': b'precious'}

    @pytest.mark.parametrize(
        'options', [('--size', '0', '9'), ('--time-limit', '0')]
    )
    def test_options(self, run, options):
        assert run(S4, '--subset', 's4', *options)[0] == 2


class TestGoingOn:
    TABLE = S4 + '_x,1,dog,test\nshort,0,dog,test\n'

    def convert(self, videos, tmp_path, progress=None, num_workers=0):
        (tmp_path / 'clips.csv').write_text(self.TABLE, encoding='utf-8')
        return convert_videos(
            videos,
            tmp_path / 'clips.csv',
            tmp_path / 'out',
            's4',
            num_workers=num_workers,
            progress=progress,
        )

    def test_interrupted_and_resumed(self, videos, tmp_path):
        root = tmp_path / 'out' / 'Single-source'

        def stop(done, total):
            assert total == 4
            if done == 1:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            self.convert(videos, tmp_path, stop)
        # The list is of what there is, and it loads.
        assert listed(root, 's4') == ['-9 é']
        times = {
            path: path.stat().st_mtime_ns for path in root.rglob('*.[pw]*')
        }
        assert len(times) == 6
        report = self.convert(videos, tmp_path)
        assert (report.made, report.kept) == (2, 1)
        assert [name for name, _ in report.broken] == ['short']
        assert {p: p.stat().st_mtime_ns for p in times} == times
        assert listed(root, 's4') == ['-9 é', '0012', '_x']
        # The same files as without an interruption.
        resumed = files_under(tmp_path / 'out')
        os.rename(tmp_path / 'out', tmp_path / 'first')
        self.convert(videos, tmp_path)
        assert files_under(tmp_path / 'out') == resumed
        # No bits of files under way.
        assert not list(root.glob('.*'))

    @pytest.mark.parametrize('pattern', ['*/*.wav', '*_3.png'])
    def test_incomplete_clip_is_made_again(self, videos, tmp_path, pattern):
        self.convert(videos, tmp_path)
        before = files_under(tmp_path / 'out')
        path = next((tmp_path / 'out').rglob(pattern))
        path.unlink()
        report = self.convert(videos, tmp_path)
        assert (report.made, report.kept) == (1, 2)
        assert files_under(tmp_path / 'out') == before

    def test_no_room(self, videos, tmp_path, monkeypatch):
        replace = os.replace

        def full(source, target):
            if str(target).endswith('_2.png'):
                raise OSError(28, 'No space left on device')
            replace(source, target)

        with monkeypatch.context() as patch:
            patch.setattr(os, 'replace', full)
            with pytest.raises(OSError, match='No space left'):
                self.convert(videos, tmp_path)
        assert listed(tmp_path / 'out' / 'Single-source', 's4') == []
        # The audio, written last, is the sign of a clip.
        assert not list(tmp_path.rglob('*.wav'))
        assert self.convert(videos, tmp_path).made == 3

    @pytest.mark.slow
    def test_processes(self, videos, tmp_path):
        report = self.convert(videos, tmp_path, num_workers=2)
        assert (report.made, len(report.broken)) == (3, 1)
        by_processes = files_under(tmp_path / 'out')
        os.rename(tmp_path / 'out', tmp_path / 'first')
        self.convert(videos, tmp_path)
        assert files_under(tmp_path / 'out') == by_processes
