"""The table of ceilings and floors."""

import importlib.util
import json
from pathlib import Path

import pytest

from mmavs.datasets.synthetic import write_synthetic_avsbench
from mmavs.datasets.synthetic.references import REFERENCES, reference_scores
from mmavs.evaluation import dataset_scores

TOOL = (
    Path(__file__).resolve().parents[2]
    / 'tools'
    / 'analysis_tools'
    / 'benchmark_references.py'
)


@pytest.fixture(scope='module')
def tool():
    spec = importlib.util.spec_from_file_location('references_tool', TOOL)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope='module')
def root(tmp_path_factory):
    out = tmp_path_factory.mktemp('set')
    # the only clip of the fourth scene is silent
    return write_synthetic_avsbench(
        out, 'ms3', {'train': 4}, off_screen='only'
    )[0]


def test_table_and_numbers(tool, root, tmp_path, capsys):
    out = tmp_path / 'new' / 'references.json'
    tool.main(
        [
            str(root),
            *('--split', 'train', '--out', str(out)),
            *('--input-size', '64', '48'),
        ]
    )
    content = json.loads(out.read_text())
    assert content['num_clips'] == 4 and content['num_frames'] == 20
    assert content['input_size'] == [64, 48]
    assert content['num_empty'] >= 5
    shown = capsys.readouterr().out
    assert 'masks at 64 x 48' in shown
    expected = reference_scores(root, 'train', (64, 48))
    assert list(content['references']) == list(REFERENCES)
    for name, clips in expected.items():
        miou, f_score = dataset_scores(clips)
        assert content['references'][name] == dict(mIoU=miou, F=f_score)
        line = next(one for one in shown.splitlines() if f' {name} ' in one)
        assert f'{miou:.4f}' in line and f'{f_score:.4f}' in line


def test_no_frame_with_sound(tool, root):
    silent = {
        name: clips[3:]
        for name, clips in reference_scores(root, 'train').items()
    }
    assert tool.summarise(silent)['oracle'] == dict(
        mIoU=pytest.approx(1.0), F=None
    )
    assert tool.make_table(tool.summarise(silent)).row_count == 5


def test_errors_are_one_line(tool, root, tmp_path):
    with pytest.raises(SystemExit, match='error: .*no complete synthetic'):
        tool.main([str(tmp_path)])
    with pytest.raises(SystemExit, match="error: .*got 'test'"):
        tool.main([str(root)])
    with pytest.raises(SystemExit) as stop:
        tool.main([str(root), '--input-size', '0', '64'])
    assert stop.value.code == 2
