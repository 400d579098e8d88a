"""The benchmark: what it trains, what it does again, and what it shows."""

from __future__ import annotations

import importlib.util
import json
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmseg.registry import DATASETS, MODELS
from PIL import Image

from mmavs.datasets.synthetic import (
    benchmark_options,
    write_synthetic_avsbench,
)
from mmavs.evaluation.listening.records import ClipListening, save_records

ROOT = Path(__file__).resolve().parents[2]
SETS = dict(s4='Single-source', ms3='Multi-sources')
OTHER = 'configs/ablations/mmvae_tiny_s4_poe.py'
SHORT = ('--iters', '10', '--seeds', '0')


@pytest.fixture
def bench(monkeypatch, tmp_path):
    """The script with a main that takes arguments and keeps its records."""
    monkeypatch.syspath_prepend(ROOT / 'tools')
    monkeypatch.chdir(ROOT)
    spec = importlib.util.spec_from_file_location(
        'tools_listening_benchmark',
        ROOT / 'tools' / 'analysis_tools' / 'listening_benchmark.py',
    )
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, module)
    spec.loader.exec_module(module)
    from steps import benchmark, benchmark_runs, benchmark_table, runner

    module.steps_of = runner
    module.parts, module.runs = benchmark, benchmark_runs
    module.text = benchmark_table
    module.work = tmp_path / 'work'

    def main(*arguments):
        command = ['benchmark', '--work-dir', str(module.work), *arguments]
        monkeypatch.setattr(sys, 'argv', command)
        return module.main()

    module.main_with = main
    module.summary = lambda: json.loads(
        (module.work / 'benchmark.json').read_text()
    )
    return module


@pytest.fixture
def data(tmp_path):
    """Folders that look like complete sets, and weights."""
    for subset, folder in SETS.items():
        root = tmp_path / 'data' / folder
        root.mkdir(parents=True)
        (root / 'generator.json').write_text(
            json.dumps(
                dict(
                    subset=subset,
                    num_clips=dict(train=8, val=4, test=4),
                    benchmark='1.0',
                )
            )
        )
        (root / 'clips.json').write_text('{}')
        pairs = {str(i): dict(twin=str(i ^ 1)) for i in range(4)}
        (root / 'sound_pairs.json').write_text(json.dumps(pairs))
    (tmp_path / 'audio.pth').write_text('weights')
    return tmp_path / 'data'


def write_listening(folder: Path, iou: float):
    """What a test leaves of a model that is as good as ``iou``."""
    folder.mkdir(parents=True, exist_ok=True)
    scores = dict(
        matched=iou, twin=iou / 5, swapped=0.2, silence=0.1, white_noise=0.1
    )
    records = {
        name: [
            ClipListening(
                video_id=str(i),
                iou=np.array([value, value + 0.01 * i]),
                f_curve=np.full((2, 255), value, np.float32),
                non_empty=np.array([True, i > 0]),
                foreground_share=np.full(2, 0.1 * value),
                truth_share=np.full(2, 0.1),
                active=np.ones(2, bool),
                false_share=np.full(2, np.nan),
            )
            for i in range(4)
        ]
        for name, value in scores.items()
    }
    save_records(folder / 'clips.npz', records)


@pytest.fixture
def fake(bench, data, monkeypatch):
    """The script, its commands recorded in the place of being run."""
    # Arguments by step, and the steps as often as they ran.
    bench.calls, bench.order = {}, []
    bench.pause = 0.0
    bench.fail_at = ()
    bench.seconds = dict(full=0.6, tpavi=0.4)
    bench.quality = dict(full=0.7, tpavi=0.5)
    bench.code_of_training = bench.code_of_test = 'one'

    def execute(runner, step, arguments, watch):
        bench.calls[step.name] = arguments
        bench.order.append(step.name)
        time.sleep(bench.pause)
        if step.name in bench.fail_at:
            raise bench.steps_of.StepError(
                'exit status 1', 'ValueError: 7 codes'
            )
        if step.folder is not None:
            step.folder.mkdir(parents=True, exist_ok=True)
        step.output.parent.mkdir(parents=True, exist_ok=True)
        model = step.name.partition('_')[2].partition('_')[0].split('+')[0]
        model = model.split('@')[0]
        if step.name.startswith('references'):
            step.output.write_text(
                json.dumps(
                    dict(
                        split='test',
                        references=dict(oracle=dict(mIoU=0.95, F=0.97)),
                    )
                )
            )
        elif step.name.endswith('listen'):
            write_listening(step.output.parent, bench.quality.get(model, 0.6))
            step.output.write_text('{}')
        elif step.name.endswith('train'):
            watch('11/22 - mmengine - INFO - Iter(train) [  5/10]  lr: 1')
            step.output.write_text('')
            log = step.folder / 'now' / 'vis_data' / 'scalars.json'
            log.parent.mkdir(parents=True, exist_ok=True)
            seconds = bench.seconds.get(model, 0.5)
            log.write_text(f'{{"lr": 0.1, "time": {seconds}}}\n')
        else:
            step.output.write_text('weights')

    def run(*arguments, weights=True):
        bench.calls.clear()
        bench.order.clear()
        audio = ['--audio-weights', str(data.parent / 'audio.pth')]
        status = bench.main_with(
            *('--data', str(data)), *(audio if weights else ()), *arguments
        )
        return status, list(bench.order)

    def fingerprint(*sources, without=()):
        if bench.parts.TRAIN in sources:
            return bench.code_of_training
        return bench.code_of_test if bench.parts.LISTEN in sources else ''

    monkeypatch.setattr(bench.StepRunner, 'execute', execute)
    # Seen in its own test; it takes longer than all the rest.
    bench.draw = bench.draw_benchmark
    monkeypatch.setattr(
        bench,
        'draw_benchmark',
        lambda summary, path: path.write_text(json.dumps(summary)),
    )
    monkeypatch.setattr(bench.runs, 'code_fingerprint', fingerprint)
    monkeypatch.setattr(bench, 'code_fingerprint', fingerprint)
    monkeypatch.setattr(
        bench.runs.BenchmarkRun, 'result', lambda run: 'mIoU 0.5'
    )
    bench.run = run
    return bench


@pytest.fixture(scope='session')
def small_sets(tmp_path_factory):
    """Sets as those of the benchmark, but small."""
    root = tmp_path_factory.mktemp('small')
    for subset in SETS:
        options = benchmark_options(subset)
        del options['benchmark']
        options['num_clips'] = dict(train=16, val=4, test=4)
        write_synthetic_avsbench(root, **options)
    return root


def steps(*names):
    return [f'{name}_{part}' for name in names for part in ('train', 'listen')]


REFERENCES = ['references_s4', 'references_ms3']
ONE = ('--sets', 's4', '--models', 'full')


def begun_on_s4(*names):
    """MS3 goes on from S4, where S4 itself is not asked for."""
    return [
        step
        for name in names
        for step in (f's4_{name}_train', *steps(f'ms3_{name}'))
    ]


def test_whole_seeds_come_first(fake):
    status, names = fake.run(
        *('--models', 'full', 'tpavi+neg', '--seeds', '3', '5'),
        *('--iters', 's4=10', 'ms3=20', 'negatives=5'),
    )
    assert status == 0
    # A training with negatives goes on from one without, which is trained
    # where it is not asked for.
    assert names == [
        *REFERENCES,
        *(
            step
            for seed in (3, 5)
            for step in (
                *steps(f's4_full_seed{seed}'),
                f's4_tpavi_seed{seed}_train',
                *steps(f's4_tpavi+neg_seed{seed}'),
                *steps(f'ms3_full_seed{seed}'),
                f'ms3_tpavi_seed{seed}_train',
                *steps(f'ms3_tpavi+neg_seed{seed}'),
            )
        ),
    ]
    negatives = fake.calls['ms3_tpavi+neg_seed5_train']
    assert 'train_cfg.max_iters=5' in negatives
    assert 'optim_wrapper.optimizer.lr=0.0005' in negatives
    weights = fake.work / 'runs' / 'ms3_tpavi_seed5' / 'train' / 'iter_20.pth'
    assert f'load_from={weights}' in negatives
    ms3 = fake.calls['ms3_full_seed3_train']
    assert 'train_cfg.max_iters=20' in ms3 and 'randomness.seed=3' in ms3
    s4 = fake.calls['s4_full_seed3_train']
    assert 'train_cfg.max_iters=10' in s4
    weights = fake.work / 'runs' / 's4_full_seed3' / 'train' / 'iter_10.pth'
    assert f'load_from={weights}' in ms3
    assert not any('load_from' in argument for argument in s4)
    listen = fake.calls['ms3_full_seed3_listen']
    assert listen[0] == 'tools/analysis_tools/listen.py'
    cut = listen.index('--conditions') + 1
    assert listen[cut : cut + 7] == [
        *('matched', 'twin', 'swapped', 'same_class', 'silence'),
        *('white_noise', 'off_screen@0dB'),
    ]


def test_sets_and_audio_network_are_made_where_there_are_none(fake, data):
    _, names = fake.run(*ONE, *SHORT, weights=False)
    assert names == ['references_s4', 'audio', *steps('s4_full_seed0')]
    weights = fake.work / 'audio' / 'audio_backbone.pth'
    assert (
        f'model.audio_backbone.init_cfg.checkpoint={weights}'
        in fake.calls['s4_full_seed0_train']
    )
    audio = fake.calls['audio']
    assert f'val_dataloader.dataset.data_root={data}/Single-source' in audio
    assert 'train_cfg.max_iters=10' in audio
    marker = data / 'Single-source' / 'generator.json'
    content = marker.read_text()
    marker.unlink()
    execute = fake.StepRunner.execute

    def write(runner, step, *rest):
        execute(runner, step, *rest)
        if step.name == 'data_s4':
            marker.write_text(content)

    fake.StepRunner.execute = write
    _, names = fake.run(*ONE, *SHORT, weights=False)
    assert names == ['data_s4']  # The same clips again.
    written = fake.calls['data_s4']
    assert '--benchmark' in written
    # The other set may be one of the user's.
    assert written[written.index('--subset') + 1] == 's4'


def test_once_then_nothing(fake):
    command = ('--sets', 's4', '--models', 'full', 'tpavi', *SHORT)
    done = steps('s4_full_seed0', 's4_tpavi_seed0')
    assert fake.run(*command) == (0, ['references_s4', *done])
    first = {p.name: p.read_bytes() for p in fake.work.glob('benchmark.*')}
    assert len(first) == 3
    assert fake.run(*command) == (0, [])
    again = {p.name: p.read_bytes() for p in fake.work.glob('benchmark.*')}
    assert again == first
    # Another model, another seed: what is done stays.
    more = steps('s4_poe_seed0')
    assert fake.run(*command[:4], 'poe', *SHORT) == (0, more)


def test_what_changes_is_done_again(fake, data):
    done = steps('s4_full_seed0')
    assert fake.run(*ONE, *SHORT)[1] == ['references_s4', *done]
    fake.code_of_test = 'two'
    assert fake.run(*ONE, *SHORT)[1] == done[1:]
    fake.code_of_training = 'two'
    assert fake.run(*ONE, *SHORT, '--same-code')[1] == []
    assert fake.run(*ONE, *SHORT)[1] == done
    fake.code_of_training = 'three'
    assert fake.run(*ONE, *SHORT, '--same-code')[1] == []
    assert fake.run(*ONE, '--iters', '20', '--seeds', '0')[1] == done
    (data.parent / 'audio.pth').write_text('other weights')
    assert fake.run(*ONE, '--iters', '20', '--seeds', '0')[1] == done
    clips = data / 'Single-source' / 'clips.json'
    clips.write_text('{"a": 1}')
    command = (*ONE, '--iters', '20', '--seeds', '0')
    assert fake.run(*command)[1] == ['references_s4', *done]
    (fake.work / 'configs' / 's4_full.py').unlink()
    assert fake.run(*command)[1] == []


def test_the_control_differs_by_its_clips_alone(fake):
    command = ('--sets', 'ms3', '--models', 'full+neg', 'full+more', *SHORT)
    names = fake.run(*command)[1]
    both = [f'ms3_full{end}_seed0' for end in ('+neg', '+more')]
    # What both go on from is trained once.
    assert names == [
        *('references_ms3', 's4_full_seed0_train', 'ms3_full_seed0_train'),
        *steps(*both),
    ]
    negatives, control = (
        [text.replace(name, '') for text in fake.calls[f'{name}_train']]
        for name in both
    )
    configs = [call[1] for call in (negatives, control)]
    assert negatives[2:] == control[2:]
    assert configs == [
        str(fake.work / 'configs' / f'ms3_full{end}.py')
        for end in ('+neg', '+more')
    ]
    read = [Config.fromfile(path) for path in configs]
    plain = Config.fromfile(fake.work / 'configs' / 'ms3_full.py')
    assert read[1].to_dict() == plain.to_dict() != read[0].to_dict()


def test_an_own_config_is_done_again_when_it_changes(fake, tmp_path):
    own = tmp_path / 'own.py'
    base = ROOT / 'configs' / 'mmvae_tiny_s4.py'
    own.write_text(f'_base_ = ["{base}"]\n')
    command = ('--sets', 's4', '--models', f'best+neg={own}', *SHORT)
    done = ['s4_best_seed0_train', *steps('s4_best+neg_seed0')]
    assert fake.run(*command)[1] == ['references_s4', *done]
    own.write_text(f'# Only a comment.\n_base_ = ["{base}"]\n')
    assert fake.run(*command)[1] == []
    own.write_text(f'_base_ = ["{base}"]\nmodel = dict(neck=dict(a=1))\n')
    assert fake.run(*command)[1] == done


def test_a_failure_does_not_stop_the_others(fake, capsys):
    fake.fail_at = ('s4_full_seed0_train',)
    command = ('--sets', 's4', '--models', 'full', 'tpavi', *SHORT)
    status, names = fake.run(*command)
    assert status == 1 and names[-2:] == steps('s4_tpavi_seed0')
    assert 'ValueError: 7 codes' in capsys.readouterr().out
    entry = fake.summary()['sets']['s4']
    assert entry['models']['full']['failed'] == [0]
    assert entry['differences'] == []
    assert '| full (failed) |' in (fake.work / 'benchmark.md').read_text()
    fake.fail_at = ()
    assert fake.run(*command) == (0, steps('s4_full_seed0'))


def test_a_budget_of_nothing_shows_what_is_done(fake, capsys):
    fake.run(*ONE, *SHORT)
    capsys.readouterr()
    command = ('--sets', 's4', '--models', 'full', 'tpavi', *SHORT)
    status, names = fake.run(*command, '--minutes-budget', '0')
    assert (status, names) == (0, [])
    shown = capsys.readouterr().out
    assert '1 of 2 trainings to do, about' in shown
    models = fake.summary()['sets']['s4']['models']
    assert models['tpavi']['open'] == [0] and models['full']['open'] == []
    assert '| tpavi (not done) |' in (fake.work / 'benchmark.md').read_text()


def test_the_baseline_gets_the_time_of_the_full_model(fake, capsys):
    command = (
        *('--sets', 'ms3', '--models', 'tpavi', 'full', 'poe', 'full+neg'),
        *('--iters', '10', '--seeds', '0', '1', '--equal-time', 'full'),
    )
    status, names = fake.run(*command)
    assert status == 0
    # What is measured comes first; then seed by seed.
    assert names == [
        'references_ms3',
        *begun_on_s4('tpavi_seed0', 'full_seed0'),
        *begun_on_s4('tpavi_seed1', 'full_seed1'),
        *begun_on_s4('poe_seed0', 'tpavi@full_seed0'),
        *steps('ms3_full+neg_seed0'),
        *begun_on_s4('poe_seed1', 'tpavi@full_seed1'),
        *steps('ms3_full+neg_seed1'),
    ]
    timed = fake.calls['ms3_tpavi@full_seed1_train']
    assert 'train_cfg.max_iters=15' in timed  # 10 * 0.6 / 0.4
    assert timed[1] == str(fake.work / 'configs' / 'ms3_tpavi.py')
    before = fake.calls['s4_tpavi@full_seed1_train']
    assert 'train_cfg.max_iters=15' in before
    stored = json.loads((fake.work / 'equal_time.json').read_text())
    stored = stored['ms3 tpavi@full']
    assert stored['seconds_per_iter'] == dict(full=[0.6] * 2, tpavi=[0.4] * 2)
    entry = fake.summary()['sets']['ms3']
    assert entry['models']['tpavi@full']['iters'] == 15
    pairs = [(d['model'], d['reference']) for d in entry['differences']]
    assert ('full', 'tpavi@full') in pairs and ('full', 'tpavi') in pairs
    assert not any(model == 'tpavi@full' for model, _ in pairs)
    # Measured once, whatever the logs say later.
    logs = list(fake.work.glob('runs/*_full_seed*/train/*/*/scalars.json'))
    assert len(logs) == 4
    for log in logs:
        log.write_text('{"lr": 0.1, "time": 6.0}\n')
    assert fake.run(*command) == (0, [])
    assert 'waits for all seeds' not in capsys.readouterr().out
    # Another seed is another median, which waits for its trainings.
    more = [*command[:-4], '0', '1', '2', *command[-2:]]
    assert fake.run(*more, '--minutes-budget', '0') == (0, [])
    shown = capsys.readouterr().out
    assert 'tpavi@full on ms3 waits for all seeds of full and tpavi' in shown


def test_equal_time_with_several_models(fake):
    fake.seconds['poe'] = 0.8
    command = (
        *('--sets', 's4', '--models', 'tpavi', 'full', 'poe'),
        *('--iters', '10', '--equal-time', 'full', 'poe'),
    )
    assert fake.run(*command)[0] == 0
    entry = fake.summary()['sets']['s4']
    assert entry['models']['tpavi@full']['iters'] == 15
    assert entry['models']['tpavi@poe']['iters'] == 20
    pairs = [(d['model'], d['reference']) for d in entry['differences']]
    assert ('poe', 'tpavi@poe') in pairs and ('full', 'tpavi@poe') not in pairs


def test_equal_time_of_the_default_models(bench, monkeypatch):
    monkeypatch.setattr(sys, 'argv', ['x', '--equal-time'])
    names = bench.parse_args().equal_time
    assert names == ['modulated-shared', 'modulated-prior-only']
    monkeypatch.setattr(sys, 'argv', ['x'])
    assert bench.parse_args().equal_time == []


def test_two_at_a_time_never_train_the_same(fake):
    fake.pause = 0.05
    command = ('--models', 'full+neg', 'full+more', 'full', *SHORT)
    status, names = fake.run(*command, '--jobs', '2')
    assert status == 0
    assert sorted(names) == sorted(
        [
            *(f'references_{subset}' for subset in SETS),
            *(
                f'{subset}_{name}_seed0_{step}'
                for subset in SETS
                for name in ('full', 'full+neg', 'full+more')
                for step in ('train', 'listen')
            ),
        ]
    )


def test_equal_time_waits_for_what_it_measures(fake):
    fake.fail_at = ('s4_full_seed0_train',)
    command = ('--sets', 's4', '--models', 'full', 'tpavi', *SHORT)
    status, names = fake.run(*command, '--equal-time', 'full')
    assert status == 1
    assert names.count('s4_full_seed0_train') == 1
    assert not any('tpavi@' in name for name in names)


def test_what_ms3_begins_with(fake):
    """It is trained once, and again if it changes or fails."""
    command = ('--models', 'full', *SHORT, '--sets')
    fake.fail_at = ('s4_full_seed0_train',)
    status, names = fake.run(*command, 's4', 'ms3')
    assert status == 1 and 'ms3_full_seed0_train' not in names
    for entry in fake.summary()['sets'].values():
        assert entry['models']['full']['failed'] == [0]
    fake.fail_at = ()
    done = begun_on_s4('full_seed0')
    assert fake.run(*command, 'ms3')[1] == done
    assert fake.run(*command, 's4', 'ms3')[1] == ['s4_full_seed0_listen']
    fake.code_of_training = 'two'
    assert fake.run(*command, 'ms3')[1] == done
    # The time of S4 is not counted with that of MS3.
    entry = fake.summary()['sets']['ms3']['models']['full']
    records = json.loads((fake.work / 'benchmark_steps.json').read_text())
    own = sum(records[name]['seconds'] for name in steps('ms3_full_seed0'))
    assert entry['minutes'] == pytest.approx(own / 60)


def test_models_with_one_seed(fake):
    status, names = fake.run(
        *('--sets', 's4', '--models', 'full', 'tpavi', '--once', 'poe'),
        *('--seeds', '2', '5', '--iters', '10'),
    )
    assert status == 0
    models = ('full_seed2', 'tpavi_seed2', 'poe_seed2')
    models = (*models, 'full_seed5', 'tpavi_seed5')
    done = steps(*(f's4_{name}' for name in models))
    assert names == ['references_s4', *done]
    text = (fake.work / 'benchmark.md').read_text()
    assert '| poe (one seed) |' in text and '| full |' in text
    assert '| full − tpavi | +0.200 +0.200 | +0.200 [' in text
    assert '| poe − tpavi | +0.100 | +0.100 [' in text


def test_numbers_of_the_summary(fake):
    plain = ['full', 'tpavi', 'vision-only']
    names = [*plain, 'full+neg', 'tpavi+neg', 'full+more', 'tpavi+more']
    fake.run('--sets', 's4', '--models', *names, *SHORT)
    summary = fake.summary()
    assert summary['benchmark'] == '1.0' and summary['jobs'] == 1
    entry = summary['sets']['s4']
    assert entry['references']['oracle'] == dict(mIoU=0.95, F=0.97)
    full = entry['models']['full']
    assert full['measures']['mIoU']['value'] == pytest.approx(0.7075)
    assert full['by_seed']['mIoU'] == pytest.approx([0.7075])
    # 1, 1 and 2 % of the pixels are marked, and 7 % with the own sound.
    quiet = (6 + 6 + 5) / 7 / 3
    assert full['measures']['quietness']['value'] == pytest.approx(quiet)
    found = {
        (d['model'], d['reference']): d['measures']['mIoU']
        for d in entry['differences']
    }
    assert list(found) == [
        ('full', 'tpavi'),
        ('vision-only', 'tpavi'),
        ('full+neg', 'tpavi+neg'),
        ('full+more', 'tpavi+more'),
        ('full+neg', 'full'),
        ('full+neg', 'full+more'),
        ('tpavi+neg', 'tpavi'),
        ('tpavi+neg', 'tpavi+more'),
        ('full+more', 'full'),
        ('tpavi+more', 'tpavi'),
    ]
    for end in ('value', 'low', 'high'):
        assert found['full', 'tpavi'][end] == pytest.approx(0.2)
        assert found['full+neg', 'full'][end] == 0


def test_tables_and_figure_go_to_the_documentation(fake, tmp_path):
    docs = tmp_path / 'docs'
    fake.draw_benchmark = fake.draw
    names = ('full', 'full+neg', 'full+more', 'tpavi')
    command = ('--models', *names, *SHORT)
    fake.run(*command, '--docs', str(docs))
    text = (docs / 'benchmark_tables.md').read_text()
    assert text == (fake.work / 'benchmark.md').read_text()
    lines = text.splitlines()
    assert lines[0].startswith('Benchmark 1.0, one seed (0). S4: 8 training')
    assert '### S4' in lines and '### MS3' in lines
    table = lines[lines.index('### S4') + 2 :]
    table = table[: table.index('')]
    assert table[0].startswith('| model | iterations | min | mIoU | F |')
    assert len({line.count('|') for line in table}) == 1
    row = next(line for line in table if line.startswith('| full+neg |'))
    assert '| 0.70' in row and ' [0.70' in row and ' %' in row
    assert any(line.startswith('| *oracle*') for line in table)
    assert any('full − tpavi | +0.200 | +0.200 [+0.2' in x for x in lines)
    with Image.open(docs / 'images' / 'benchmark.png') as picture:
        shape = np.asarray(picture).shape
        colours = len(picture.convert('RGB').getcolors(2**20))
    assert shape[0] > 600 and shape[1] > 900 and colours > 50


def test_a_cell(bench):
    found = dict(value=0.12345, low=-0.05, high=0.2)
    assert bench.text.cell(found) == '0.123 [-0.050, 0.200]'
    assert bench.text.cell(found, sign='+') == '+0.123 [-0.050, +0.200]'
    assert bench.text.cell(found, 'share_silence') == '12.3 [-5.0, 20.0] %'
    assert bench.text.cell(None) == '–'


def test_the_expected_minutes(bench):
    expect = bench.runs.expected_minutes
    tests = bench.runs.TEST_ITERS
    work = [('s4', 600 - tests), ('s4', 1200 - tests)]
    assert expect(work, 1, dict(s4=0.1)) == pytest.approx(3)
    assert expect(work, 2, dict(s4=0.1)) == pytest.approx(1.5)
    assert expect([], 1) == 0


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (['--models', 'nonsense'], "'nonsense' is none of the models full"),
        (['--models', 'full', 'full'], 'one twice'),
        (['--models', 'full', '--once', 'full'], 'one twice'),
        (['--models', '../x=a.py'], 'a model is NAME'),
        (['--models', 'x=no.py'], 'x=no.py: no such file'),
        (['--sets', 'avss'], 'avss'),
        (['--iters', 's5=3'], "got 's5=3'"),
        (['--iters', 's4=2'], 's4=2: at least 3'),
        (['--iters', 'many'], "got 'many'"),
        (['--jobs', '0'], 'at least 1, got 0'),
        (['--models', 'poe', '--equal-time', 'poe'], '--equal-time poe needs'),
        (['--models', 'tpavi', '--equal-time', 'tpavi'], 'is the baseline'),
        (
            ['--models', 'full+neg', f'full={OTHER}'],
            f'two configs: configs/mmvae_tiny_s4.py and {OTHER}',
        ),
        (['--audio-weights', 'no.pth'], 'no.pth: no such file'),
    ],
)
def test_wrong_options_are_refused(fake, capsys, arguments, message):
    with pytest.raises(SystemExit):
        fake.main_with(*arguments)
    assert message in capsys.readouterr().err


def test_the_folder_of_another_command_is_left_alone(fake):
    fake.work.mkdir()
    (fake.work / 'variants.json').write_text('{}')
    with pytest.raises(SystemExit, match='benchmark_steps.json'):
        fake.run(*ONE, '--fresh')


def test_iterations(bench):
    parse = bench.parts.parse_iters
    assert parse([]) == dict(s4=400, ms3=400, negatives=320, audio=300)
    assert parse(['9']) == dict(s4=9, ms3=9, negatives=9, audio=9)
    assert parse(['9', 'ms3=5']) == dict(s4=9, ms3=5, negatives=9, audio=9)


def test_the_other_models_once(bench, monkeypatch):
    command = ['x', '--models', 'full', 'tpavi+neg', '--once', 'others']
    monkeypatch.setattr(sys, 'argv', command)
    args = bench.parse_args()
    known = set(bench.find_models())
    assert {model.name for model in args.once} == known - {'full'}
    assert len(args.once) == len(known) - 1


def test_the_default_models_exist(bench):
    known = bench.find_models()
    for text in bench.DEFAULT_MODELS:
        model = bench.parse_model(text, known)
        assert (ROOT / model.config).is_file()
    assert known['full'] == 'configs/mmvae_tiny_s4.py'


@pytest.mark.parametrize('subset', SETS)
@pytest.mark.parametrize('name', ['full', 'tpavi+neg'])
def test_a_config_of_two_parts(bench, small_sets, tmp_path, subset, name):
    model = bench.parse_model(name, bench.find_models())
    config = bench.parts.compose(model, subset, small_sets)
    path = tmp_path / 'configs' / 'both.py'
    bench.parts.write_config(config, path)
    assert [p.name for p in path.parent.iterdir()] == ['both.py']
    read = Config.fromfile(path)
    assert read.to_dict() == config.to_dict()
    ablation = Config.fromfile(ROOT / model.config)
    assert read.model.decode_head.loss_decode.pop('boundary_window') == 9
    assert read.model == ablation.model
    assert read.optim_wrapper == ablation.optim_wrapper
    assert 'data/benchmark' not in path.read_text()
    train = DATASETS.build(read.train_dataloader.dataset)
    assert type(train).__name__ == (
        'NegativeSounds'
        if model.negatives
        else f'AVSBench{subset.upper()}Dataset'
    )
    item = train[0]
    assert item['inputs']['frames'].shape == (5, 3, 64, 64)
    # Only the training hears other sounds.
    test = DATASETS.build(read.test_dataloader.dataset)
    assert test.data_root == str(small_sets / SETS[subset])
    assert len(test) == 4 and len(train) == 16


def test_what_counts_as_code_of_a_training(bench):
    """All of it is there, and a test of other sounds is not part of it."""
    files = set(bench.steps_of.python_files(bench.parts.TRAINING_CODE))
    files -= set(bench.steps_of.python_files(bench.parts.NOT_TRAINING))
    names = {file.relative_to(ROOT).as_posix() for file in files}
    assert 'mmavs/datasets/negative_sounds.py' in names
    assert 'mmavs/random_streams.py' in names
    assert any(name.startswith('mmavs/models/decode_heads') for name in names)
    assert not any('sound_condition' in name for name in names)
    assert not any(name.startswith('mmavs/evaluation') for name in names)
    for path in (*bench.parts.NOT_TRAINING, *bench.parts.TESTING_CODE):
        assert (ROOT / path).exists(), path


def test_a_real_run(bench, small_sets, tmp_path):
    weights = tmp_path / 'audio_backbone.pth'
    audio = MODELS.build(dict(type='VGGish', width=0.05))
    torch.save(audio.state_dict(), weights)
    loaders = (
        f'{loader}_dataloader.{option}'
        for loader in ('train', 'val', 'test')
        for option in (
            'batch_size=2',
            'num_workers=0',
            'persistent_workers=False',
        )
    )
    status = bench.main_with(
        *('--sets', 'ms3', '--models', 'full+neg', '--seeds', '0'),
        *('--iters', '3', '--data', str(small_sets)),
        *('--audio-weights', str(weights)),
        '--cfg-options',
        'model.audio_backbone.width=0.05',
        'model.backbone.base_channels=8',
        'model.neck.in_channels=(8,16,32,64)',
        *loaders,
    )
    log = bench.work / 'logs' / 'ms3_full+neg_seed0_train.log'
    assert status == 0, log.read_text()[-3000:]
    summary = bench.summary()
    assert summary['benchmark'] is None and summary['minutes'] > 0
    entry = summary['sets']['ms3']
    measures = entry['models']['full+neg']['measures']
    names = {'F', 'twin_gap', 'swapped_gap', 'quietness', 'score'}
    assert names | {'mIoU', 'share_silence'} <= set(measures)
    miou = measures['mIoU']
    assert 0 <= miou['low'] <= miou['value'] <= miou['high'] < 1
    folder = bench.work / 'runs' / 'ms3_full+neg_seed0' / 'listen'
    report = json.loads((folder / 'listening.json').read_text())
    found = report['conditions']
    # What the test itself says, from the same records.
    assert miou['value'] == pytest.approx(found['matched']['mIoU']['value'])
    assert measures['swapped_gap']['value'] == pytest.approx(
        found['swapped']['gap']['value']
    )
    assert measures['score']['value'] == pytest.approx(
        report['score']['value']
    )
    references = entry['references']
    assert references['nothing']['mIoU'] < references['oracle']['mIoU']
