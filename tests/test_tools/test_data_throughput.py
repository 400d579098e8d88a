"""The benchmark of loader and training step."""

import csv
import importlib.util
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

from mmavs.datasets.log_mel_files import save_log_mel, save_published_pickle
from mmavs.datasets.transforms.load_audio import load_waveform
from mmavs.functional.log_mel import vggish_log_mel

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / 'tools' / 'analysis_tools' / 'data_throughput.py'


@pytest.fixture
def tool(monkeypatch):
    spec = importlib.util.spec_from_file_location('data_throughput', SCRIPT)
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, module)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def clips(synthetic_root, tmp_path):
    """S4 with log-mels of two forms, of which one file is broken."""
    root = tmp_path / 'Single-source'
    shutil.copytree(synthetic_root / 'Single-source', root)
    for path in root.glob('s4_data/audio_wav/train/*/*.wav'):
        target = (
            root
            / 's4_data/audio_log_mel'
            / path.relative_to(root / 's4_data/audio_wav').with_suffix('.pkl')
        )
        target.parent.mkdir(parents=True, exist_ok=True)
        log_mel = vggish_log_mel(load_waveform(str(path)), 5)[:, None]
        save_published_pickle(str(target), log_mel)
        save_log_mel(str(target.with_suffix('.npy')), log_mel)
    target.with_suffix('.npy').write_bytes(b'')
    return root


@pytest.fixture
def config_file(tiny_config, clips, tmp_path):
    """Write the tiny config with changes, and return its path."""

    def write(**changes):
        changes['train_dataloader.dataset.data_root'] = str(clips)
        path = tmp_path / 'config.py'
        tiny_config('s4', **changes).dump(path)
        return str(path)

    return write


def measurement(tool, *rates, what='loader', sound='wav', workers=1):
    return tool.Measurement(what, sound, workers, rates)


def test_a_run(tool, config_file, tmp_path, capsys):
    table, folder = tmp_path / 'new' / 'table.csv', tmp_path / 'kept'
    path = config_file(**{'model.audio_backbone.cache_dir': str(folder)})
    arguments = ['--iters', '5', '--steps', '1', '--csv', str(table)]
    assert tool.main([path, *arguments]) == 0
    # Random weights are nothing to keep there.
    assert not folder.exists()
    with table.open(newline='') as file:
        rows = list(csv.DictReader(file))
    assert [(r['measured'], r['sound'], r['workers']) for r in rows] == [
        ('loader', 'wav', '0'),
        ('loader', '.pkl', '0'),
        ('audio network', 'computed', ''),
        ('audio network', 'cached', ''),
        ('training step', 'computed', ''),
        ('training step', 'cached', ''),
    ]
    for row in rows:
        lowest, median, highest = (
            float(row[key]) for key in ('lowest', 'clips_per_s', 'highest')
        )
        assert 0 < lowest <= median <= highest
    lines = capsys.readouterr().out.splitlines()
    left_out = [line for line in lines if line.startswith('left out')]
    assert len(left_out) == 2
    assert left_out[0].startswith('left out: .safetensors: ')
    assert left_out[1].startswith('left out: .npy: ')
    assert '0 bytes' in left_out[1]
    assert lines[-1].endswith('bottleneck')


def test_workers_are_measured_one_by_one(
    tool, config_file, capsys, monkeypatch
):
    monkeypatch.setattr(tool, 'FORMS', ('wav',))
    arguments = ['--iters', '5', '--steps', '0', '--workers', '1', '0']
    assert tool.main([config_file(), *arguments]) == 0
    rows = [
        [cell.strip() for cell in line.split('│')[1:4]]
        for line in capsys.readouterr().out.splitlines()
        if line.startswith('│')
    ]
    assert rows == [['loader', 'wav', '1'], ['loader', 'wav', '0']]


@pytest.fixture
def batch(tool, config_file):
    data = tool.Config.fromfile(config_file()).train_dataloader.to_dict()
    return next(iter(tool.build_loader(data, 'wav', 0)))


def test_batches_without_keys(tool, batch):
    changed = tool.without_keys(batch)
    assert all('audio_key' in sample for sample in batch['data_samples'])
    assert not any('audio_key' in x for x in changed['data_samples'])
    assert changed['inputs'] is batch['inputs']


@pytest.mark.parametrize('reason', ['for a frozen VGGish', 'is augmented'])
def test_no_cache_where_there_can_be_none(
    tool, config_file, batch, capsys, reason
):
    trained = reason == 'for a frozen VGGish'
    options = {'model.audio_backbone.frozen': not trained}
    config = tool.Config.fromfile(config_file(**options))
    batches = [batch if trained else tool.without_keys(batch)]
    (result,) = tool.measure_training(config, batches, 2)
    assert (result.what, result.sound) == ('training step', 'computed')
    assert len(result.rates) == 2
    shown = capsys.readouterr().out
    assert 'no cache: ' in shown and reason in shown


def test_a_folder_without_clips(tool, config_file, tmp_path, capsys):
    shutil.rmtree(tmp_path / 'Single-source' / 's4_data')
    assert tool.main([config_file(), '--iters', '5']) == 1
    shown = capsys.readouterr().out
    assert shown.count('left out') == 4
    assert 'error: no clip could be loaded' in shown


def test_every_pipeline_loads_the_form(tool):
    def config(*steps):
        part = dict(pipeline=[dict(type='Resize', scale=(2, 3)), *steps])
        return dict(dataset=dict(datasets=[part, part]), batch_size=4)

    before = config(dict(type='mmseg.LoadAudio', backend_args=None))
    assert tool.with_form(before, 'wav') == config(
        dict(type='mmseg.LoadAudio', backend_args=None, source='wav')
    )
    assert tool.with_form(before, '.pkl') == config(
        dict(type=tool.LoadLogMelForm, suffix='.pkl')
    )
    assert 'source' not in str(before)


def test_a_form_is_read_as_it_is(tool, tmp_path):
    """LoadAudio would prefer the converted file."""
    first, second = np.random.default_rng(0).random((2, 6, 1, 96, 64), 'f4')
    save_published_pickle(str(tmp_path / 'a.pkl'), first)
    save_log_mel(str(tmp_path / 'a.npy'), second)
    clip = dict(log_mel_path=str(tmp_path / 'a.pkl'), num_frames=5)
    for form, expected in (('.pkl', first), ('.npy', second)):
        results = tool.LoadLogMelForm(form)(dict(clip))
        assert np.array_equal(results['log_mel'], expected[:5])


def test_conclusion_takes_slowest_loader_and_fastest_step(tool):
    loaders = [
        measurement(tool, 40, 30, 20),
        measurement(tool, 900, sound='.pkl'),
    ]
    steps = [
        measurement(tool, 5, what='training step', sound='computed'),
        measurement(tool, 10, what='training step', sound='cached'),
    ]
    text = tool.conclude(loaders, steps)
    assert '(wav, num_workers=1) gives 30 clips/s, 3 times the 10' in text
    assert text.endswith('the step is the bottleneck')
    text = tool.conclude(loaders[::-1], [measurement(tool, 60)])
    assert '0.5 times the 60' in text
    assert 'the loader is the bottleneck; try more workers' in text


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (['--iters', '4'], 'at least 5, got 4'),
        (['--steps', '-1'], 'must not be negative'),
        (['--workers', '1', '-1'], 'must not be negative'),
    ],
)
def test_wrong_options_are_refused(tool, capsys, arguments, message):
    with pytest.raises(SystemExit):
        tool.main(['config.py', *arguments])
    assert message in capsys.readouterr().err
