"""The benchmark of speed and memory."""

import csv
import importlib.util
import math
import re
import sys
from pathlib import Path

import pytest
import torch
from mmengine.config import Config

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / 'tools' / 'analysis_tools' / 'benchmark.py'
CONFIG = ROOT / 'configs' / 'mmvae_tiny_s4.py'
SMALL = (
    *('--cfg-options', 'model.audio_backbone.width=0.05'),
    *('model.backbone.base_channels=8', 'model.neck.in_channels=8,16,32,64'),
)
SHORT = (CONFIG, '--size', '64', '--repeat', '2')


@pytest.fixture
def tool(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / 'tools')
    spec = importlib.util.spec_from_file_location('tools_benchmark', SCRIPT)
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, module)
    spec.loader.exec_module(module)
    threads = torch.get_num_threads()
    yield module
    torch.set_num_threads(threads)


def run(tool, *arguments):
    return tool.main([*map(str, (*SHORT, *arguments)), *SMALL])


def read(path):
    with path.open(newline='') as file:
        return list(csv.DictReader(file))


def test_prediction(tool, tmp_path, capsys):
    table, picture = tmp_path / 'a' / 'x.csv', tmp_path / 'b' / 'x.png'
    outputs = ('--csv', table, '--plot', picture, '--no-memory')
    assert run(tool, '--num-frames', '3', *outputs) == 0
    assert picture.read_bytes().startswith(b'\x89PNG')
    model, backbone, direct = rows = read(table)
    assert [row['subject'] for row in rows] == ['model', 'backbone', 'direct']
    for row in rows:
        low, middle, high = (
            float(row[f'{name}_ms']) for name in ('min', 'median', 'max')
        )
        assert 0 < low <= middle <= high
        assert float(row['clips_per_s']) == pytest.approx(1000 / middle)
        assert row['num_frames'] == '3' and row['height'] == '64'
        assert row['peak_mib'] == ''
        assert row['torch_version'] == torch.__version__
    assert float(backbone['of_backbone']) == 1
    # The whole has all that its backbone has, and the direct form more.
    assert int(model['parameters']) > int(backbone['parameters'])
    assert int(model['parameters']) == int(direct['parameters'])
    flops = [float(row['gflops_per_clip']) for row in rows]
    assert flops[2] > flops[0] > flops[1] > 0
    # The parts add up to the whole, each step by step.
    assert model['backward_ms'] == '' and float(model['fusion_ms']) > 0
    assert 'visual backbone' in capsys.readouterr().out


def test_training_at_two_sizes_and_precisions(tool, tmp_path, capsys):
    table = tmp_path / 'x.csv'
    options = (
        *('--task', 'train', '--subjects', 'model', 'fusion', '--no-memory'),
        *('--precision', 'float32', 'bfloat16', '--num-frames', '2', '4'),
        *('--csv', table, '--plot', tmp_path / 'x.png'),
    )
    assert run(tool, *options) == 0
    rows = read(table)
    assert len(rows) == 8
    for row in rows:
        if row['subject'] == 'model':
            for part in ('backward', 'optimiser', 'losses', 'decoder'):
                assert float(row[f'{part}_ms']) > 0
        # Without a backbone there is nothing to compare with.
        assert row['of_backbone'] == row['gflops_per_clip'] == ''
        assert row['labelled'] == '1'
    text = ' '.join(capsys.readouterr().out.split())
    assert len(re.findall(r'time grows as \(T h w\)\^', text)) == 4


def test_memory_is_of_another_process(tool, tmp_path):
    table = tmp_path / 'x.csv'
    options = ('--subjects', 'fusion', '--csv', table)
    assert run(tool, *options) == 0
    (row,) = read(table)
    if Path('/proc/self/clear_refs').exists():
        # Not that of the libraries: four levels of at most 5 x 32 x 16 x 16
        # numbers, and some of their copies.
        assert 0.1 < float(row['peak_mib']) < 200
    else:
        assert row['peak_mib'] == ''


def test_a_failing_process_is_told(tool, monkeypatch):
    with pytest.raises(RuntimeError, match='ended with 3: no memory here'):
        tool.peak_of_command(
            ['-c', 'import sys; print("no memory here"); sys.exit(3)']
        )


def test_compiled_has_no_parts(tool, tmp_path, monkeypatch):
    eager = torch.compile
    monkeypatch.setattr(
        torch, 'compile', lambda f, **kwargs: eager(f, backend='eager')
    )
    table = tmp_path / 'x.csv'
    options = ('--compile', 'yes', '--subjects', 'model', '--no-memory')
    assert run(tool, *options, '--csv', table) == 0
    (row,) = read(table)
    assert row['compiled'] == 'True'
    assert row['fusion_ms'] == '' and float(row['median_ms']) > 0


def test_a_matrix_too_large_is_left_out(tool, tmp_path, monkeypatch, capsys):
    cases = sys.modules['steps.performance_cases']
    monkeypatch.setattr(cases, '_available_bytes', lambda device: 2**20)
    table = tmp_path / 'x.csv'
    options = ('--subjects', 'model', 'direct', '--no-memory')
    assert run(tool, *options, '--csv', table) == 0
    assert [row['subject'] for row in read(table)] == ['model']
    assert 'left out: direct' in capsys.readouterr().out


@pytest.mark.gpu
def test_on_a_gpu(tool, tmp_path):
    table = tmp_path / 'x.csv'
    options = (
        *('--task', 'predict', 'train', '--subjects', 'model', 'backbone'),
        *('--precision', 'float32', 'bfloat16', 'float16', '--csv', table),
    )
    assert run(tool, *options) == 0
    rows = read(table)
    assert len(rows) == 12
    for row in rows:
        assert row['device'] == torch.cuda.get_device_name()
        assert float(row['peak_mib']) > 1


@pytest.mark.parametrize(
    ('options', 'rule'),
    [
        (('--size', '100'), 'multiple of 32, got 100'),
        (('--batch', '0'), 'at least 1'),
        (('--repeat', '0'), 'at least 1'),
        (('--precision', 'float16'), 'needs a GPU'),
    ],
)
def test_wrong_options(tool, capsys, options, rule):
    if torch.cuda.is_available() and 'float16' in options:
        pytest.skip('for machines without CUDA')
    with pytest.raises(SystemExit):
        run(tool, *options)
    assert rule in capsys.readouterr().err


# --- what the numbers are made of -----------------------------------------


def test_direct_tpavi_is_tpavi(tool):
    from steps.direct_tpavi import DirectTPAVI, use_direct_tpavi

    from mmavs.models.fusion import TPAVI

    torch.manual_seed(0)
    fusion = TPAVI(8).double().eval()
    torch.nn.init.normal_(fusion.out_norm.weight)
    visual = torch.randn(6, 8, 4, 5, dtype=torch.float64)
    audio = torch.randn(6, 8, dtype=torch.float64)
    expected = fusion(visual, audio, 3)
    use_direct_tpavi(torch.nn.ModuleList([fusion]))
    assert type(fusion) is DirectTPAVI
    torch.testing.assert_close(fusion(visual, audio, 3), expected)


def test_exponent_of_a_power(tool):
    from steps.performance_cases import Case
    from steps.performance_report import Row, exponent

    def row(num_frames, power):
        case = Case('predict', num_frames, (64, 64), 1, 'float32', False, 1)
        value = 3.0 * case.positions**power
        return Row(case, 'fusion', [value], {}, 2 * value, 0, None, 0.0)

    for power in (1.0, 2.0, 0.5):
        rows = [row(t, power) for t in (5, 10, 40)]
        assert math.isclose(exponent(rows), power)
        assert math.isclose(exponent(rows, memory=True), power)
    assert exponent(rows[:1]) is None


def test_tables_fit_80_columns(tool):
    from rich.console import Console
    from steps.performance_cases import Case
    from steps.performance_report import Row, make_tables

    case = Case('predict', 5, (224, 224), 4, 'bfloat16', False, 1)
    rows = [
        Row(case, 'backbone', [0.61234], {}, 4123.4, 10**8, 1234.5, 0.0),
        Row(case, 'direct-fusion', [1.2345], {}, 8123.4, 10**8, 1234.5, 0.0),
    ]
    console = Console(width=80)
    with console.capture() as capture:
        for table in make_tables(rows):
            console.print(table)
    shown = capture.get()
    assert '2.02' in shown and '1234.5' in shown and '…' not in shown


def test_attention_is_counted(tool):
    from steps.performance_cases import Case, Subject

    query = torch.randn(1, 2, 64, 32)

    def attend():
        torch.nn.functional.scaled_dot_product_attention(query, query, query)

    case = Case('predict', 1, (64, 64), 1, 'float32', False, 1)
    subject = Subject(attend, torch.nn.Identity())
    # Two products of 64 x 32 x 64 in each of two heads, and as many sums.
    expected = 2 * 2 * 2 * 64 * 32 * 64 / 1e9
    assert tool.count_gflops(case, subject) == expected


def test_settings_reach_the_other_process(tool):
    settings = {'model.neck.in_channels': [8, 16], 'a.b': 'x', 'c': None}
    words = ['CONFIG', *tool.changed_settings(settings), '--no-memory']
    assert tool.parse_args(words).cfg_options == settings
    assert tool.changed_settings({}) == []


def test_steps_without_an_optimiser(tool, tmp_path):
    """Gradients are accumulated: only every other step has one."""
    table = tmp_path / 'x.csv'
    options = (
        *(*SHORT, '--task', 'train', '--subjects', 'model', '--no-memory'),
        *('--csv', table, *SMALL, 'optim_wrapper.accumulative_counts=2'),
    )
    assert tool.main([str(option) for option in options]) == 0
    (row,) = read(table)
    assert float(row['backward_ms']) > 0 and row['optimiser_ms'] != ''


def test_parts_are_told_apart(tool, monkeypatch):
    """The time of a part within another one is its own."""
    from steps import performance_parts
    from steps.performance_parts import PartClock

    ticks = iter(range(100))
    monkeypatch.setattr(
        performance_parts, 'synchronised', lambda device: next(ticks)
    )
    clock = PartClock(torch.device('cpu'))
    inner = clock._timed('fusion', lambda: None)
    clock._timed('losses', lambda: (inner(), inner()))()
    # From tick 0 to tick 5, of which the inner ones take one each.
    assert clock.read() == {'fusion': 2, 'losses': 3}
    assert clock.read() == {}


def test_unlabelled_frames_and_classes(tool):
    from steps.performance_cases import Case, random_clips

    config = Config.fromfile(ROOT / 'configs' / 'mmvae_tiny_avss.py')
    case = Case('train', 5, (64, 32), 2, 'float32', False, 2)
    clips = random_clips(config, case)
    assert len(clips['data_samples']) == len(clips['inputs']['frames']) == 2
    labels = clips['data_samples'][0].gt_sem_seg.data
    assert labels.shape == (5, 64, 32)
    assert (labels[2:] == 255).all()
    assert labels[:2].max() == config.model.decode_head.num_classes - 1
