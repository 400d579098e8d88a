"""The table of differences from the published network, and its status."""

import importlib.util
import json
import shutil
from pathlib import Path

import pytest

from mmavs.converters import PublishedLayout

ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT / 'tests' / 'data'
SCRIPT = ROOT / 'tools' / 'analysis_tools' / 'compare_with_published.py'


@pytest.fixture
def tool():
    spec = importlib.util.spec_from_file_location('compare_tool', SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_one_model(tool, tmp_path, capsys):
    """The whole way, with a tolerance that nothing can meet."""
    folder = tmp_path / 'golden'
    folder.mkdir()
    for suffix in ('.npz', '_keys.json.gz'):
        shutil.copy(DATA / f'av_corr_r50{suffix}', folder)
    record = tmp_path / 'new' / 'differences.json'
    status = tool.main(
        [str(folder), '--tolerance', '1e-12', '--json', str(record)]
    )
    assert status == 1
    output = capsys.readouterr().out
    assert 'logits_posterior' in output
    assert '2 above 1e-12' in output
    result = json.loads(record.read_text())
    assert list(result) == ['av_corr_r50']
    assert result['av_corr_r50']['model'].endswith('AVCorr fusion')
    differences = result['av_corr_r50']['differences']
    assert differences.keys() == {'logits_test', 'logits_posterior'}
    assert all(0 < value < 1e-4 for value in differences.values())


@pytest.mark.parametrize(
    ('value', 'status', 'count'),
    [(9e-5, 0, 0), (2e-4, 1, 1), (float('nan'), 1, 1)],
)
def test_status(tool, tmp_path, monkeypatch, capsys, value, status, count):
    numbers = dict(logits_test=1e-6, logits_prior=value)
    monkeypatch.setattr(tool, 'golden_models', lambda folder: ['model'])
    monkeypatch.setattr(
        tool, 'compare_model', lambda *_: (PublishedLayout(), numbers)
    )
    assert tool.main([str(tmp_path)]) == status
    output = capsys.readouterr().out
    assert '2 numbers of 1 models' in output
    assert f'{count} above 0.0001' in output
    assert output.count('!') == count


def test_the_stored_numbers_are_the_default(tool):
    assert tool.parse_args([]).folder == DATA


def test_a_folder_without_numbers(tool, tmp_path, capsys):
    assert tool.main([str(tmp_path)]) == 1
    assert str(tmp_path) in capsys.readouterr().err
