"""The check of a data set: each planted fault is found, and nothing else."""

from __future__ import annotations

import io
import json
import multiprocessing
import os
import random
import shutil
import signal
import time
from collections import Counter, defaultdict
from pathlib import Path

import pytest
from checking_faults import (
    CLIPS,
    FAULTS,
    LABELS,
    Tree,
    log_mel_of,
    waveform_of,
)
from rich.console import Console

from mmavs.datasets.checking import (
    KINDS,
    Report,
    SplitCounts,
    check_avsbench,
    render,
)
from mmavs.datasets.checking import check as check_module
from mmavs.datasets.errors import MissingDataError
from mmavs.datasets.files import MAX_BYTES
from mmavs.datasets.layout import LAYOUTS, SPLITS
from mmavs.datasets.log_mel_files import save_log_mel
from mmavs.datasets.processes import Failure, run_tasks
from mmavs.datasets.synthetic import write_synthetic_avsbench

# What only a whole list or file of classes, or a process, can be like.
KINDS_OF_OWN_TESTS = {
    'csv_missing',
    'csv_unreadable',
    'no_clips',
    'no_clips_in_split',
    'label_file',
    'crashed',
}


@pytest.fixture(scope='module')
def template(tmp_path_factory):
    """The good tree, only to be copied."""
    tree = Tree(tmp_path_factory.mktemp('checked') / 'good')
    tree.write()
    return tree


@pytest.fixture
def tree(template, tmp_path):
    """A copy of the good tree."""
    return Tree(Path(shutil.copytree(template.root, tmp_path / 'tree')))


def place_of(problem):
    return problem.severity, problem.kind, problem.path


def found_in(report):
    return Counter(map(place_of, report.problems))


def plant(tree, fault, taken):
    """Plant a fault in a clip whose files it needs nobody has touched yet.

    The first clip of S4 is what others are made equal to.
    """
    clips = [
        clip
        for clip in CLIPS[fault.setting][fault.setting == 's4' :]
        if clip['split'] in fault.splits
        and not taken[clip['video_id']] & fault.slots
    ]
    if not clips:
        return None
    clip = random.choice(clips)
    taken[clip['video_id']] |= fault.slots
    return fault.plant(tree, clip)


@pytest.fixture(scope='module')
def reports(template, tmp_path_factory):
    """Of trees that have all faults, each as many as can be at once."""
    random.seed(5)
    reports, waiting = [], FAULTS
    while waiting:
        root = tmp_path_factory.mktemp('faulty') / 'tree'
        tree = Tree(Path(shutil.copytree(template.root, root)))
        taken = defaultdict(set)
        left = [f for f in waiting if plant(tree, f, taken) is None]
        assert len(left) < len(waiting)
        waiting = left
        reports.append(check_avsbench(root))
    return reports


@pytest.fixture(scope='module')
def report(reports):
    """With as many kinds of problems as can be at once."""
    return reports[0]


def by_kind(report):
    return Counter(problem.kind for problem in report.problems)


class TestGoodTree:
    def test_nothing_is_reported(self, template):
        report = check_avsbench(template.root)
        assert report.problems == []
        assert report.num_errors == report.num_warnings == 0

    def test_counts(self, template):
        counts = {
            (c.subset, c.split): c
            for c in check_avsbench(template.root).counts
        }
        # Of v2 no numbers are published: only what is listed is shown.
        assert list(counts) == [
            *(
                (name, s)
                for name in ('s4', 'ms3', 'v1s', 'v1m')
                for s in SPLITS
            ),
            ('v2', 'train'),
            ('v2', 'test'),
        ]
        assert counts['v1s', 'train'].published == 3452
        assert counts['v2', 'train'].published is None
        train = counts['s4', 'train']
        assert (train.clips, train.published, train.usable) == (4, 3452, 4)
        assert train.found == {
            'frames': 20,
            'masks': 4,
            'wav': 4,
            'log-mel': 4,
            'videos': 0,
        }
        assert train.expected == {**train.found, 'videos': 4}
        assert counts['v1s', 'train'].found == {
            'frames': 5,
            'masks': 1,
            'colour masks': 1,
            'wav': 1,
            'log-mel': 1,
        }
        assert counts['v2', 'train'].found['masks'] == 10
        assert counts['ms3', 'test'].published == 64

    @pytest.mark.parametrize('name', LAYOUTS)
    def test_one_setting_under_any_name(self, tree, name):
        folder = tree.root / 'renamed {k}'
        (tree.root / LAYOUTS[name].root).rename(folder)
        report = check_avsbench(folder)
        assert report.problems == []
        assert {c.subset for c in report.counts} == set(LAYOUTS[name].subsets)

    def test_synthetic_object(self, synthetic_root):
        report = check_avsbench(synthetic_root)
        assert report.problems == []
        assert sum(counts.usable for counts in report.counts) == 26

    def test_synthetic_semantic(self, tmp_path):
        write_synthetic_avsbench(tmp_path, 'avss', dict(train=3), seed=3)
        report = check_avsbench(tmp_path)
        # Its classes are eight and the background, and it has no clips to
        # validate and test with.
        assert found_in(report) == {
            ('warning', 'class_count', 'AVSBench-semantic/label2idx.json'): 1,
            (
                'error',
                'no_clips_in_split',
                'AVSBench-semantic/metadata.csv',
            ): 2,
        }

    def test_every_file_is_read_once(self, template, monkeypatch):
        """What is judged is what was read, and it takes half the time."""
        opened, open_file = Counter(), open

        def count(path, *args, **kwargs):
            opened[str(path)] += 1
            return open_file(path, *args, **kwargs)

        monkeypatch.setattr('builtins.open', count)
        check_avsbench(template.root)
        kinds = ('.png', '.jpg', '.wav', '.pkl', '.csv', '.json')
        files = [p for p in template.root.rglob('*.*') if p.suffix in kinds]
        assert len(files) > 100
        assert {str(p): opened[str(p)] for p in files} == {
            str(p): 1 for p in files
        }

    def test_videos_are_not_read(self, tree):
        path = tree.path('s4', CLIPS['s4'][1], 'video_path')
        path.touch()
        os.truncate(path, MAX_BYTES + 1)
        assert check_avsbench(tree.root, ['s4']).problems == []

    def test_optional_files(self, tree):
        """Coloured masks, log-mels and converted log-mels may be missing."""
        shutil.rmtree(tree.root / 'Single-source/s4_data/audio_log_mel')
        for clip in CLIPS['avss']:
            folder = tree.path('avss', clip, 'seg_map_rgb_path', 0).parent
            shutil.rmtree(folder)
        for clip in CLIPS['ms3']:
            path = tree.path('ms3', clip, 'log_mel_path')
            path.unlink()
            tree.path('ms3', clip, 'audio_path').unlink()
            patches = log_mel_of(waveform_of('ms3', clip['video_id'], 5))
            save_log_mel(str(path.with_suffix('.npy')), patches)
        assert check_avsbench(tree.root).problems == []


class TestPlantedFaults:
    @pytest.mark.parametrize('fault', FAULTS, ids=lambda fault: fault.name)
    def test_alone(self, template, tmp_path, fault):
        """It is found, named, and nothing else is."""
        random.seed(0)
        folder = LAYOUTS[fault.setting].root
        shutil.copytree(template.root / folder, tmp_path / folder)
        tree = Tree(tmp_path)
        expected = plant(tree, fault, defaultdict(set))
        report = check_avsbench(tree.root)
        assert found_in(report) == Counter(expected)
        for problem in report.problems:
            assert problem.severity in ('error', 'warning')
            assert str(tree.root) not in problem.message
            name = problem.path.rpartition('/')[2]
            assert name in problem.message
        assert not (tree.root / 'executed').exists()

    @pytest.mark.parametrize('seed', range(4))
    def test_together(self, tree, seed):
        """No fault hides another, whatever clips they meet in."""
        random.seed(seed)
        taken, expected, planted = defaultdict(set), Counter(), set()
        for fault in random.sample(FAULTS, len(FAULTS)):
            found = plant(tree, fault, taken)
            if found is not None:
                expected.update(found)
                planted.add(fault.name)
        assert len(planted) >= 45
        assert len({kind for _, kind, _ in expected}) >= 30
        report = check_avsbench(tree.root)
        assert found_in(report) == expected
        assert not (tree.root / 'executed').exists()

    def test_every_kind_is_found(self, reports):
        """Here, or in a test of its own below."""
        found = {p.kind for report in reports for p in report.problems}
        assert found == set(KINDS) - KINDS_OF_OWN_TESTS

    def test_usable_clips(self, tree):
        """Those with an error are not; those with a warning are."""
        for fault in FAULTS:
            if fault.name in ('s4_frame_empty', 's4_frame_black'):
                fault.plant(tree, CLIPS['s4'][1])
            if fault.name == 'ms3_mask_grey':
                fault.plant(tree, CLIPS['ms3'][1])
        counts = {
            (c.subset, c.split): c for c in check_avsbench(tree.root).counts
        }
        assert counts['s4', 'train'].usable == 3
        assert counts['s4', 'train'].found['frames'] == 20
        assert counts['ms3', 'train'].usable == 2

    def test_quick(self, tree):
        """Headers tell less, and nothing wrong."""
        random.seed(1)
        taken = defaultdict(set)
        faults = random.sample(FAULTS, len(FAULTS))
        # Those that headers tell of, and others may leave no clip for.
        first = ('ms3_wav_one_patch_short', 'avss_wav_of_a_telephone')
        for fault in sorted(faults, key=lambda fault: fault.name not in first):
            plant(tree, fault, taken)
        quick = found_in(check_avsbench(tree.root, is_quick=True))
        only = quick - found_in(check_avsbench(tree.root))
        assert not only
        kinds = {kind for _, kind, _ in quick}
        assert kinds >= {
            'missing',
            'empty',
            'truncated',
            'unreadable',
            'wrong_size',
            'frame_size',
            'audio_short',
            'audio_format',
            'frame_count',
            'not_in_csv',
            'no_files',
        }
        assert not kinds & {'same_frame', 'black_frame', 'class_index'}


class TestLists:
    def test_missing_list(self, tree):
        tree.csv('ms3').unlink()
        report = check_avsbench(tree.root)
        rel = tree.csv_rel('ms3')
        assert found_in(report)['error', 'csv_missing', rel] == 1
        assert {c.clips for c in report.counts if c.subset == 'ms3'} == {0}
        assert sum(c.usable for c in report.counts) == 15

    @pytest.mark.parametrize(
        ('content', 'kind'),
        [
            (b'video_id,split\n\xff\xfe,train\n', 'csv_unreadable'),
            (b'', 'csv_unreadable'),
            (b'\n\n', 'csv_unreadable'),
            (b'video_id,split\n', 'no_clips'),
        ],
    )
    def test_no_list(self, tree, content, kind):
        tree.csv('ms3').write_bytes(content)
        kinds = by_kind(check_avsbench(tree.root, ['ms3']))
        assert kinds[kind] == 1
        # Nor is anything that is there known.
        assert kinds['not_in_csv'] == 4 * len(CLIPS['ms3'])
        assert sum(kinds.values()) == 1 + kinds['not_in_csv']

    @pytest.mark.parametrize('setting', LAYOUTS)
    def test_split_without_clips(self, tree, setting):
        """Training validates: a list of test clips alone is no data set."""
        path = tree.csv(setting)
        header, *rows = path.read_text().splitlines()
        rows = [row for row in rows if 'test' in row.split(',')]
        path.write_text('\n'.join([header, *rows, '']))
        report = check_avsbench(tree.root, [setting])
        found = {
            problem.message
            for problem in report.problems
            if problem.kind == 'no_clips_in_split'
        }
        rel = tree.csv_rel(setting)
        assert found == {
            f'{rel}: it lists no {split} clip' for split in ('train', 'val')
        }
        assert report.num_errors == 2

    @pytest.mark.parametrize(
        ('setting', 'name', 'kind'),
        [
            ('ms3', 'ms3_meta_data.csv', 'csv_unreadable'),
            ('avss', 'label2idx.json', 'label_file'),
        ],
    )
    def test_pipe(self, tree, setting, name, kind):
        """Reading it would wait for ever."""
        path = tree.csv(setting).parent / name
        path.unlink()
        os.mkfifo(path)
        report = check_avsbench(tree.root, [setting])
        (problem,) = (p for p in report.problems if p.kind == kind)
        assert 'is not a regular file' in problem.message
        assert name in problem.message
        assert str(tree.root) not in problem.message

    @pytest.mark.parametrize(
        ('labels', 'said'),
        [
            ({**LABELS, 'background': 3}, 'must be 0 to 70'),
            ([], 'must hold an object'),
            ({}, 'has 0 classes'),
            ({name: str(i) for name, i in LABELS.items()}, 'must be 0 to 70'),
            (None, 'does not exist'),
        ],
    )
    def test_label_file(self, tree, labels, said):
        tree.write_labels(labels)
        path = tree.root / 'AVSBench-semantic/label2idx.json'
        if labels is None:
            path.unlink()
        (problem,) = check_avsbench(tree.root, ['avss']).problems
        assert problem.kind == 'label_file' and said in problem.message
        assert str(tree.root) not in problem.message

    def test_number_of_classes_is_that_of_the_file(self, tree):
        """The masks have class 70."""
        few = {name: i for name, i in LABELS.items() if i < 70}
        tree.write_labels(few)
        report = check_avsbench(tree.root, ['avss'])
        kinds = by_kind(report)
        masks = sum(c.found['masks'] for c in report.counts)
        assert kinds == {
            'class_count': 1,
            'class_index': masks,
            'mask_colour': masks,
        }


class TestFindingTheSettings:
    def test_nothing(self, tmp_path):
        with pytest.raises(MissingDataError, match='is not there'):
            check_avsbench(tmp_path / 'no')
        with pytest.raises(MissingDataError, match='holds none of'):
            check_avsbench(tmp_path)

    def test_one_folder_too_high(self, tree):
        with pytest.raises(MissingDataError, match='did you mean .*tree'):
            check_avsbench(tree.root.parent)

    def test_asked_for_and_not_there(self, tree):
        shutil.rmtree(tree.root / 'Multi-sources')
        assert check_avsbench(tree.root).problems == []
        report = check_avsbench(tree.root, ['s4', 'ms3'])
        assert by_kind(report) == dict(csv_missing=1)
        with pytest.raises(MissingDataError, match='Multi-sources'):
            check_avsbench(tree.root, ['ms3'])


def misbehave(task, watch):
    """Do what a task says."""
    watch(f'{task}.png')
    if task == 'hang':
        time.sleep(60)
    if task == 'die':
        os.kill(os.getpid(), signal.SIGKILL)
    if task == 'leave':
        os._exit(3)
    if task == 'raise':
        raise MemoryError('too much')
    return task * 2


class Unstartable:
    """Ends the process that it comes to."""

    def __call__(self, task, watch):
        return task

    def __reduce__(self):
        return os._exit, (7,)


class TestProcesses:
    def test_one_that_dies_or_hangs_holds_up_nothing(self):
        tasks = ['a', 'hang', 'b', 'die', 'raise', 'leave', *'cdefgh']
        results = dict(run_tasks(misbehave, tasks, 2, time_limit_s=1))
        failures = {
            task: results.pop(task)
            for task in ('hang', 'die', 'raise', 'leave')
        }
        assert results == {task: task * 2 for task in 'abcdefgh'}
        assert failures == dict(
            hang=Failure('hang.png', 'reading it took more than 1 s'),
            die=Failure('die.png', 'the process that read it died: signal 9'),
            leave=Failure(
                'leave.png', 'the process that read it died: exit code 3'
            ),
            **{'raise': Failure('raise.png', 'MemoryError: too much')},
        )
        assert not multiprocessing.active_children()

    def test_leaving_early_ends_all(self):
        running = run_tasks(misbehave, ['a', *['hang'] * 9], 2)
        assert next(running) == ('a', 'aa')
        start = time.monotonic()
        running.close()
        assert not multiprocessing.active_children()
        assert time.monotonic() - start < 5

    def test_processes_find_the_same(self, tree):
        random.seed(2)
        taken = defaultdict(set)
        for fault in FAULTS:
            plant(tree, fault, taken)
        calls = []
        report = check_avsbench(
            tree.root, num_workers=1, progress=lambda *at: calls.append(at)
        )
        here = check_avsbench(tree.root)
        assert report.counts == here.counts
        # In the same order, whatever order the clips came back in.
        assert list(map(place_of, report.problems)) == list(
            map(place_of, here.problems)
        )
        total = sum(counts.clips for counts in report.counts)
        assert calls == [(i, total) for i in range(1, total + 1)]

    def test_other_files_of_the_clip_are_checked(self, tree, monkeypatch):
        """One file makes its process fail, another is missing."""
        clip = CLIPS['s4'][2]
        bad, gone = (tree.rel('s4', clip, 'img_path', k) for k in (2, 4))
        tree.path('s4', clip, 'img_path', 4).unlink()
        check_clip = check_module.check_clip

        def fall_over(task, watch):
            def fragile_watch(path):
                watch(path)
                if path == bad:
                    raise MemoryError('too much')

            return check_clip(task, fragile_watch)

        monkeypatch.setattr(check_module, 'check_clip', fall_over)
        report = check_avsbench(tree.root)
        assert found_in(report) == {
            ('error', 'missing', gone): 1,
            ('error', 'crashed', bad): 1,
        }
        assert 'MemoryError: too much' in report.problems[-1].message
        counts = report.counts[0]
        assert (counts.clips, counts.usable) == (4, 3)
        assert counts.found['frames'] == 19

    def test_a_clip_that_always_fails(self, tree, monkeypatch):
        def fail(task, watch):
            raise MemoryError('too much')

        monkeypatch.setattr(check_module, 'check_clip', fail)
        report = check_avsbench(tree.root, ['ms3'])
        assert by_kind(report) == dict(crashed=2 * len(CLIPS['ms3']))

    def test_none_can_be_started(self):
        with pytest.raises(RuntimeError, match='started: .* exit code 7'):
            list(run_tasks(Unstartable(), ['a', 'b'], 2))

    def test_negative(self):
        with pytest.raises(ValueError, match='at least 0, got -1'):
            next(run_tasks(misbehave, ['a'], -1))


class TestReport:
    def test_json(self, report):
        values = json.loads(json.dumps(report.to_dict()))
        assert values['errors'] == report.num_errors > 20
        assert values['warnings'] == report.num_warnings > 20
        assert values['problems'] == [vars(p) for p in report.problems]
        assert values['counts'] == [vars(c) for c in report.counts]

    def test_groups(self, report):
        groups = report.groups()
        assert sum(map(len, groups)) == len(report.problems)
        severities = [group[0].severity for group in groups]
        assert severities == sorted(severities)
        for group in groups:
            assert len({(p.severity, p.kind) for p in group}) == 1

    def test_screen(self, report):
        text = draw(report)
        for group in report.groups():
            assert KINDS[group[0].kind].title in text
        for line in text.splitlines():
            assert len(line) <= 100
        lines = text.splitlines()
        assert len(lines) <= 60
        assert lines[-1].startswith(
            f'incomplete: {report.num_errors} errors, '
            f'{report.num_warnings} warnings; '
        )

    def test_screen_of_names_that_are_none(self, tree):
        """They neither command the terminal nor end the command."""
        folder = tree.root / 'Multi-sources/ms3_data/visual_frames'
        for name in ('\x1b[2J\x07', os.fsdecode(b'na\xefve')):
            (folder / name).mkdir()
        tree.add_row('ms3', '\x1b]0;title', 'trian\x1b[8m')
        text = draw(check_avsbench(tree.root, ['ms3']))
        assert '\x1b' not in text and '\x07' not in text
        assert r'visual_frames/\x1b[2J\x07' in text
        assert r'visual_frames/na\udcefve' in text
        assert 'trian' in text and text.encode()

    def test_screen_of_few_problems_names_files(self, tree):
        clip = CLIPS['s4'][1]
        for k in (2, 3, 4):
            tree.path('s4', clip, 'img_path', k).unlink()
        tree.add_row('s4', 'short', 'cat')
        text = draw(check_avsbench(tree.root))
        for k in (2, 3, 4):
            assert f'visual_frames/../{clip["video_id"]}_{k}.png' in text
        assert "s4_meta_data.csv, row 9: needs 4 columns, got 2: ['" in text
        assert '17/20' in text and '3,452' in text
        assert len(text.splitlines()) <= 40

    def test_screen_of_a_good_tree(self, template):
        text = draw(check_avsbench(template.root, is_quick=True))
        assert (
            'complete for the 19 clips listed; 16,712 or 17,712 are '
            'published; 0 warnings'
        ) in text
        assert 'AVSBench-semantic lists 8 clips, 12,356 are in its' in text
        assert 'Single-source lists 7 clips, 4,932 are published' in text
        assert 'quick: only headers were read' in text
        assert 'missing' not in text

    def test_verdict_of_all_that_is_published(self):
        counts = [
            SplitCounts('ms3', split, clips, clips, clips)
            for split, clips in (('train', 296), ('val', 64), ('test', 64))
        ]
        text = draw(Report('root', False, counts, []))
        assert text.splitlines()[-1] == (
            'complete: training and testing have what they need of 424 '
            'clips; 0 warnings'
        )
        text = draw(Report('root', False, counts[:2], []))
        assert text.splitlines()[-1] == (
            'complete for the 360 clips listed; 424 are published; 0 warnings'
        )

    def test_only_the_verdict_is_bold(self, tree):
        tree.path('ms3', CLIPS['ms3'][1], 'img_path', 2).unlink()
        text = draw(check_avsbench(tree.root, is_quick=True), styles=True)
        verdict, quick = text.splitlines()[-2:]
        assert verdict.startswith('\x1b[1;31mincomplete: \x1b[0m1 error')
        assert quick.startswith('\x1b[2mquick: ')


def draw(report, styles=False):
    console = Console(
        width=100,
        record=True,
        file=io.StringIO(),
        highlight=False,
        force_terminal=True,
        color_system='standard',
    )
    console.print(render(report))
    return console.export_text(styles=styles)
