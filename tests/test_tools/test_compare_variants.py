"""The comparison: what it runs, what it runs again, and what it shows."""

from __future__ import annotations

import importlib.util
import json
import signal
import sys
import threading
from pathlib import Path

import pytest
import torch
from mmseg.registry import MODELS

ROOT = Path(__file__).resolve().parents[2]
# Part of what tools/analysis_tools/listen.py writes.
SCORES = dict(
    conditions={
        name: {
            measure: dict(value=value, low=0.0, high=1.0)
            for measure, value in dict(mIoU=miou, F=0.8, gap=gap).items()
        }
        for name, miou, gap in (
            ('matched', 0.7, 0.0),
            ('twin', 0.1, 0.6),
            ('swapped', 0.3, 0.4),
        )
    }
)


@pytest.fixture
def compare(monkeypatch, tmp_path):
    """The script with a main that takes arguments and keeps its records."""
    monkeypatch.syspath_prepend(ROOT / 'tools')
    monkeypatch.chdir(ROOT)
    spec = importlib.util.spec_from_file_location(
        'tools_compare_variants',
        ROOT / 'tools' / 'analysis_tools' / 'compare_variants.py',
    )
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, module)
    spec.loader.exec_module(module)
    from steps import variant_table, variants

    module.tables, module.plans = variant_table, variants
    module.work = tmp_path / 'work'

    def main(*arguments):
        command = ['compare', '--work-dir', str(module.work), *arguments]
        monkeypatch.setattr(sys, 'argv', command)
        return module.main()

    module.main_with = main
    module.summary = lambda: json.loads(
        (module.work / 'summary.json').read_text()
    )
    return module


@pytest.fixture
def inputs(tmp_path):
    """Options that point to a set and weights that are only looked at."""
    data, weights = tmp_path / 'data', tmp_path / 'audio.pth'
    (data / 'Single-source').mkdir(parents=True)
    (data / 'Single-source' / 'generator.json').write_text(
        json.dumps(dict(num_clips=dict(train=16, val=4, test=6)))
    )
    weights.write_text('weights')
    return ['--data', str(data), '--audio-weights', str(weights)]


@pytest.fixture
def fake(compare, monkeypatch):
    """The script, its commands recorded in the place of being run."""
    compare.calls = {}
    compare.fail_at = compare.kill_at = None
    compare.code = 'one'

    def execute(runner, step, arguments, watch):
        compare.calls[step.name] = arguments
        if step.folder is not None:
            step.folder.mkdir(parents=True, exist_ok=True)
        if step.name == compare.kill_at:
            # Ctrl-C is the main thread's; it ends what runs in the others.
            signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)
            assert compare.stopped.wait(30)
            raise compare.StepError('ended', '')
        if step.name == compare.fail_at:
            raise compare.StepError('exit status 1', 'ValueError: 7 codes')
        step.output.parent.mkdir(parents=True, exist_ok=True)
        if step.name.endswith('listen'):
            step.output.write_text(json.dumps(SCORES))
        elif step.name.endswith('train'):
            watch('11/22 - mmengine - INFO - Iter(train) [ 50/200]  lr: 1')
            step.output.write_text('')
            log = step.folder / 'now' / 'vis_data' / 'scalars.json'
            log.parent.mkdir(parents=True, exist_ok=True)
            log.write_text(
                '{"lr": 0.1, "time": 0.5}\n'
                '{"mIoU": 0.2, "time": 9.0}\n'
                '{"lr": 0.1, "time": 0.7}\n'
                '{"lr": 0.1, "time": 0.6}\n'
            )
        else:
            step.output.write_text('{"num_clips": {"train": 8, "test": 4}}')

    def run(*arguments):
        compare.calls.clear()
        status = compare.main_with(*arguments)
        return status, list(compare.calls)

    compare.stopped = threading.Event()
    monkeypatch.setattr(
        compare.StepRunner, 'stop', lambda runner: compare.stopped.set()
    )
    fingerprint = compare.fingerprint
    monkeypatch.setattr(compare.StepRunner, 'execute', execute)
    monkeypatch.setattr(
        compare.plans, 'fingerprint', lambda *a: fingerprint(*a) + compare.code
    )
    monkeypatch.setattr(compare, 'count_parameters', lambda *_: 1_230_000)
    compare.run = run
    return compare


def steps(*names):
    return [f'{name}_{part}' for name in names for part in ('train', 'listen')]


TWO = ('--variants', 'factorised', 'tpavi')


def test_variants_are_found_and_in_order(compare, monkeypatch, tmp_path):
    folder = tmp_path / 'configs' / 'ablations'
    folder.mkdir(parents=True)
    for name in ('tiny_s4_new', 'tiny_s4_moe', 'tiny_s4_a', 'pvt_s4_poe'):
        (folder / f'mmvae_{name}.py').write_text('')
    (folder / 'mmvae_tiny_s4_mc-jsd.py').write_text('')
    monkeypatch.setattr(compare.plans, 'ROOT', tmp_path)
    found = compare.find_variants()
    assert list(found) == ['factorised', 'mc-jsd', 'moe', 'a', 'new']
    assert found['moe'] == 'configs/ablations/mmvae_tiny_s4_moe.py'


def test_every_variant_of_the_documentation_has_a_config(compare):
    found = compare.find_variants()
    assert set(found) >= set(compare.plans.ORDER)
    for config in found.values():
        assert (ROOT / config).is_file()


def test_commands(fake, inputs):
    options = ('--iters', '60', '--seeds', '4')
    more = ('--cfg-options', 'train_dataloader.batch_size=2')
    status, names = fake.run(*TWO[:1], 'tpavi', *inputs, *options, *more)
    assert status == 0 and names == steps('tpavi_seed4')
    config = 'configs/ablations/mmvae_tiny_s4_tpavi.py'
    run = fake.work / 'runs' / 'tpavi_seed4'
    _, data, _, weights = inputs
    common = [
        'randomness.seed=4',
        f'model.audio_backbone.init_cfg.checkpoint={weights}',
        *(
            f'{loader}_dataloader.dataset.data_root={data}/Single-source'
            for loader in ('train', 'val', 'test')
        ),
    ]
    train, listen = fake.calls.values()
    cut = train.index('--cfg-options') + 1
    assert train[:cut] == [
        *('tools/train.py', config, '--work-dir', str(run / 'train')),
        '--cfg-options',
    ]
    assert set(train[cut:-6]) == {
        'train_cfg.max_iters=60',
        'train_cfg.val_interval=60',
        'default_hooks.checkpoint.interval=15',
        'default_hooks.checkpoint.save_best=None',
        'default_hooks.logger.interval=10',
        'param_scheduler.0.end=6',
        'param_scheduler.1.begin=6',
        'param_scheduler.1.end=60',
    }
    # What the user sets comes last and wins.
    assert train[-6:] == [*common, more[1]]
    assert listen == [
        'tools/analysis_tools/listen.py',
        config,
        str(run / 'train' / 'iter_60.pth'),
        *('--conditions', 'matched', 'twin', 'swapped'),
        *('--out', str(run / 'listen')),
        '--cfg-options',
        *common,
        more[1],
    ]


@pytest.mark.parametrize('iters', [3, 9, 280])
def test_the_schedule_of_any_length_is_one_mmengine_takes(compare, iters):
    from mmengine.config import Config
    from mmengine.registry import PARAM_SCHEDULERS

    config = Config.fromfile('configs/mmvae_tiny_s4.py')
    options = dict(o.split('=') for o in compare.plans.schedule_options(iters))
    for key, value in options.items():
        config.merge_from_dict({key: None if value == 'None' else int(value)})
    weight = torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([weight], lr=1.0)
    schedulers = [
        PARAM_SCHEDULERS.build(dict(scheduler, optimizer=optimizer))
        for scheduler in config.param_scheduler
    ]
    rates = []
    for _ in range(iters):
        rates.append(optimizer.param_groups[0]['lr'])
        optimizer.step()
        for scheduler in schedulers:
            scheduler.step()
    assert rates[0] == pytest.approx(0.1)
    # The full rate, when a tenth is over, and far below it at the end.
    assert max(rates) == pytest.approx(1.0)
    assert rates.index(max(rates)) == max(2, iters // 10) - 1
    if iters > 3:
        assert optimizer.param_groups[0]['lr'] < 0.1
    assert config.train_cfg.max_iters == iters
    assert config.train_cfg.val_interval == iters


def test_clips_and_audio_network_are_made_where_there_are_none(fake, inputs):
    _, data, _, _ = inputs
    reuse = ['--variants', 'tpavi', '--data', data]
    status, names = fake.run(*reuse)
    assert (status, names) == (0, ['audio', *steps('tpavi_seed0')])
    weights = fake.work / 'audio' / 'audio_backbone.pth'
    assert (
        f'model.audio_backbone.init_cfg.checkpoint={weights}'
        in (fake.calls['tpavi_seed0_train'])
    )
    (Path(data) / 'Single-source' / 'generator.json').unlink()
    status, names = fake.run(*reuse, '--clips', '8', '4', '4')
    # Other clips: nothing learnt on the old ones counts.
    assert names == ['data', 'audio', *steps('tpavi_seed0')]
    command = ' '.join(fake.calls['data'])
    assert '--subset s4 --clips 8 4 4 --seed 0' in command
    assert fake.run(*reuse) == (0, [])


def test_once_in_order_then_nothing(fake, inputs):
    command = ('--variants', 'tpavi', 'factorised', *inputs)
    done = steps('factorised_seed0', 'tpavi_seed0')
    assert fake.run(*command) == (0, done)
    assert fake.run(*command) == (0, [])
    # A further seed, a further variant: the others stay.
    more = steps('factorised_seed1', 'tpavi_seed1')
    assert fake.run(*command, '--seeds', '0', '1') == (0, more)
    command = ('--variants', 'poe', 'tpavi', 'factorised', *inputs)
    assert fake.run(*command) == (0, steps('poe_seed0'))
    assert list(fake.summary()['variants']) == ['factorised', 'poe', 'tpavi']


def test_what_changes_is_done_again(fake, inputs, monkeypatch, tmp_path):
    _, data, _, weights = inputs
    config = tmp_path / 'variant.py'
    config.write_text('model = dict(type="A")')
    variants = dict(factorised='configs/mmvae_tiny_s4.py', new=str(config))
    monkeypatch.setattr(fake, 'find_variants', lambda: variants)
    both = steps('factorised_seed0', 'new_seed0')
    assert fake.run(*inputs)[1] == both
    assert fake.run(*inputs, '--iters', '100')[1] == both
    config.write_text('# Only a comment.\nmodel = dict(type="A")')
    assert fake.run(*inputs, '--iters', '100')[1] == []
    config.write_text('model = dict(type="B")')
    assert fake.run(*inputs, '--iters', '100')[1] == steps('new_seed0')
    fake.code = 'two'
    assert fake.run(*inputs)[1] == both
    Path(weights).write_text('other weights')
    assert fake.run(*inputs)[1] == both
    marker = Path(data, 'Single-source', 'generator.json')
    marker.write_text(marker.read_text().replace('16', '8'))
    assert fake.run(*inputs)[1] == both
    (fake.work / 'runs' / 'new_seed0' / 'listen' / 'listening.json').unlink()
    assert fake.run(*inputs)[1] == ['new_seed0_listen']


def test_a_failure_does_not_stop_the_others(fake, inputs, capsys):
    fake.fail_at = 'factorised_seed0_train'
    status, names = fake.run(*TWO, *inputs)
    assert status == 1
    assert names == ['factorised_seed0_train', *steps('tpavi_seed0')]
    shown = capsys.readouterr().out
    assert 'ValueError: 7 codes' in shown and 'factorised (failed)' in shown
    entry = fake.summary()['variants']['factorised']
    assert entry['failed'] == [0] and entry['seeds'] == {}
    fake.fail_at = None
    assert fake.run(*TWO, *inputs) == (0, steps('factorised_seed0'))


def test_an_interruption_ends_it_and_the_training_goes_on(fake, inputs):
    fake.kill_at = 'factorised_seed0_train'
    handler = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            fake.run(*TWO, *inputs)
    finally:
        signal.signal(signal.SIGINT, handler)
    assert list(fake.calls) == ['factorised_seed0_train']
    assert not (fake.work / 'summary.json').exists()
    folder = fake.work / 'runs' / 'factorised_seed0' / 'train'
    (folder / 'iter_50.pth').write_text('')
    (folder / 'last_checkpoint').write_text(str(folder / 'iter_50.pth'))
    fake.kill_at = None
    status, names = fake.run(*TWO, *inputs)
    assert (status, names) == (0, steps('factorised_seed0', 'tpavi_seed0'))
    command = fake.calls['factorised_seed0_train']
    assert command.index('--resume') < command.index('--cfg-options')
    assert '--resume' not in fake.calls['tpavi_seed0_train']


def test_time_is_measured_only_alone(fake, inputs):
    fake.run('--variants', 'tpavi', *inputs)
    fake.run(*TWO, *inputs, '--jobs', '2')
    fake.run(*TWO, *inputs)
    variants = fake.summary()['variants']
    # Validation has its time in the same log.
    assert variants['tpavi']['seeds']['0']['seconds_per_iter'] == 0.6
    assert variants['factorised']['seeds']['0']['seconds_per_iter'] is None


def test_cores_are_shared(compare, monkeypatch):
    monkeypatch.setattr(compare.os, 'cpu_count', lambda: 8)
    monkeypatch.delenv('OMP_NUM_THREADS', raising=False)
    threads = [compare.environment(n)['OMP_NUM_THREADS'] for n in (1, 2, 8)]
    assert threads == ['7', '3', '1']
    monkeypatch.setenv('OMP_NUM_THREADS', '5')
    assert compare.environment(2) == {}


def scored(mIoU, swapped, seconds=None):
    return dict(
        mIoU=mIoU,
        F=0.8,
        mIoU_twin=0.1,
        mIoU_swapped=swapped,
        difference=mIoU - swapped,
        seconds_per_iter=seconds,
    )


def summarised(seeds, **variants):
    return dict(
        iters=200,
        seeds=seeds,
        cfg_options=[],
        clips=dict(train=800, test=80),
        minutes=1.0,
        variants={
            name: dict(
                config='',
                parameters=4_154_510 if runs else None,
                failed=[s for s in seeds if str(s) not in runs],
                seeds=runs,
            )
            for name, runs in variants.items()
        },
    )


def test_table_of_one_seed(compare):
    summary = summarised([0], poe={'0': scored(0.75, 0.5, 0.875)}, moe={})
    heads, rows = compare.tables.table_rows(summary)
    assert heads == [
        *('variant', 'params (M)', 's/iter', 'mIoU', 'F'),
        *('mIoU twin', 'mIoU swapped', 'matched - swapped'),
    ]
    assert rows == [
        ['poe', '4.15', '0.875', '0.750', '0.800', '0.100', '0.500', '0.250'],
        ['moe (failed)', *['–'] * 7],
    ]


def test_table_of_seeds_has_median_and_range(compare):
    summary = summarised(
        [0, 1, 2],
        poe={
            '0': scored(0.7, 0.2),
            '1': scored(0.5, 0.1),
            '2': scored(0.8, 0.6),
        },
        moe={'1': scored(0.5, 0.1)},
    )
    heads, rows = compare.tables.table_rows(summary)
    # No time was measured.
    assert 's/iter' not in heads
    # The difference of each seed, not that of the medians.
    assert rows[0][-2:] == ['0.20 (0.10–0.60)', '0.40 (0.20–0.50)']
    assert rows[0][2] == '0.70 (0.50–0.80)'
    assert rows[1][0] == 'moe (1 of 3 seeds)'
    text = compare.tables.markdown(summary)
    lines = text.splitlines()
    assert lines[0].startswith('| variant | params (M) | mIoU | F |')
    assert lines[1] == '| --- |' + ' ---: |' * 6
    assert lines[2].startswith('| poe | 4.15 | 0.70 (0.50–0.80) |')
    assert all(line.count('|') == 8 for line in lines[:4])
    assert 'median and range of the seeds 0, 1, 2' in lines[5]
    assert '800 synthetic S4 clips' in lines[5]


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (['--variants', 'nonsense'], 'nonsense'),
        (['--iters', '2'], 'at least 3, got 2'),
        (['--jobs', '0'], 'at least 1, got 0'),
        (['--audio-weights', 'no.pth'], 'no.pth: no such file'),
        (['--data', 'my clips'], "'my clips'"),
    ],
)
def test_wrong_options_are_refused(fake, capsys, arguments, message):
    with pytest.raises(SystemExit):
        fake.main_with(*arguments)
    assert message in capsys.readouterr().err


def test_the_folder_of_the_demo_is_left_alone(fake, inputs):
    fake.work.mkdir()
    (fake.work / 'steps.json').write_text('{}')
    with pytest.raises(SystemExit, match='variants.json'):
        fake.run(*inputs, '--fresh')


def test_parameters_are_those_without_the_audio_network(compare):
    options = ['model.backbone.base_channels=8']
    options += ['model.neck.in_channels=(8,16,32,64)']
    config = 'configs/mmvae_tiny_s4.py'
    small = compare.count_parameters(config, options)
    wide = [*options, 'model.audio_backbone.width=0.25']
    assert compare.count_parameters(config, wide) == small
    assert 0 < small < compare.count_parameters(config, [])
    tpavi = 'configs/ablations/mmvae_tiny_s4_tpavi.py'
    assert 0 < compare.count_parameters(tpavi, options) < small


def test_a_real_run(compare, synthetic_root, tmp_path):
    weights = tmp_path / 'audio_backbone.pth'
    audio = MODELS.build(dict(type='VGGish', width=0.05))
    torch.save(audio.state_dict(), weights)
    loaders = (
        f'{loader}_dataloader.{option}'
        for loader in ('train', 'val', 'test')
        for option in ('batch_size=2', 'num_workers=0')
    )
    status = compare.main_with(
        *('--variants', 'factorised', '--iters', '3'),
        *('--data', str(synthetic_root), '--audio-weights', str(weights)),
        '--cfg-options',
        'model.audio_backbone.width=0.05',
        'model.backbone.base_channels=8',
        'model.neck.in_channels=(8,16,32,64)',
        *(
            f'{loader}_dataloader.persistent_workers=False'
            for loader in ('train', 'val', 'test')
        ),
        *loaders,
    )
    log = compare.work / 'logs' / 'factorised_seed0_train.log'
    assert status == 0, log.read_text()[-3000:]
    entry = compare.summary()['variants']['factorised']
    assert 0 <= entry['seeds']['0']['mIoU'] <= 1
    assert entry['seeds']['0']['seconds_per_iter'] > 0
    assert entry['parameters'] > 0
    assert '| factorised |' in (compare.work / 'summary.md').read_text()
