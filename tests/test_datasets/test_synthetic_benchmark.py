"""The synthetic benchmark: its sets, its command, its configs."""

import importlib.util
import json
import sys
from pathlib import Path

import numpy as np
import pytest
from mmengine.config import Config

from mmavs.datasets.synthetic import (
    BENCHMARK_VERSION,
    benchmark_options,
    find_sound_pairs,
    plan_clips,
    write_synthetic_avsbench,
)
from mmavs.datasets.synthetic import benchmark as benchmark_module

REPO = Path(__file__).resolve().parents[2]
TOOL = REPO / 'tools' / 'dataset_converters' / 'synthetic_avsbench.py'
ROOTS = {'s4': 'Single-source', 'ms3': 'Multi-sources'}


@pytest.fixture(scope='module')
def plans():
    """Subset -> the plans of its set."""
    made = {}
    for subset in ROOTS:
        options = benchmark_options(subset)
        del options['benchmark']
        made[subset] = plan_clips(**options)
    return made


@pytest.fixture
def tool():
    spec = importlib.util.spec_from_file_location('synthetic_tool', TOOL)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def read_json(path):
    return json.loads(path.read_text(encoding='utf-8'))


def empty_share(plans):
    return np.mean(
        [not names for plan in plans for names in plan.sounding_species()]
    )


class TestSets:
    def test_version_1_0(self):
        # What published scores are of: with other numbers, another version.
        assert BENCHMARK_VERSION == '1.0'
        common = dict(
            num_clips=dict(train=800, val=40, test=120),
            seed=2026,
            benchmark='1.0',
        )
        assert benchmark_options('s4') == dict(
            subset='s4', off_screen='also', **common
        )
        assert benchmark_options('ms3') == dict(
            subset='ms3', off_screen='only', silent_share=0.15, **common
        )

    def test_no_semantic_set(self):
        with pytest.raises(ValueError, match="'s4', 'ms3'.*got 'avss'"):
            benchmark_options('avss')

    def test_options_are_not_shared(self):
        benchmark_options('s4')['num_clips']['train'] = 1
        assert benchmark_options('s4')['num_clips']['train'] == 800

    @pytest.mark.parametrize('split', ['train', 'val', 'test'])
    def test_vision_cannot_tell(self, plans, split):
        for subset, every in plans.items():
            clips = [plan for plan in every if plan.split == split]
            assert min(len(plan.species) for plan in clips) == 2
            unseen = np.mean([bool(plan.off_screen) for plan in clips])
            # an eighth of the scenes, or two, up to a scene
            expected = 0.125 if subset == 's4' else 0.25
            assert unseen == pytest.approx(expected, abs=0.051)
        assert empty_share([p for p in plans['s4'] if p.split == split]) == 0
        # 0.15 of the seconds and an eighth of the clips
        share = empty_share([p for p in plans['ms3'] if p.split == split])
        assert share == pytest.approx(1 - 0.85 * 0.875, abs=0.06)

    def test_pairs(self, plans):
        for every in plans.values():
            pairs = find_sound_pairs(every)
            for split, count in (('val', 40), ('test', 120)):
                names = {p.video_id for p in every if p.split == split}
                assert len(names) == count
                assert all(
                    {pairs[name]['twin'], pairs[name]['swapped']} <= names
                    for name in names
                )


class TestTool:
    @pytest.fixture
    def run(self, tool, monkeypatch, capsys):
        def call(*arguments):
            monkeypatch.setattr(sys, 'argv', [str(TOOL), *arguments])
            code = None
            try:
                tool.main()
            except SystemExit as stop:
                code = stop.code
            return code, capsys.readouterr()

        return call

    @pytest.mark.parametrize(
        'given',
        [
            ('--seed', '0'),
            ('--clips', '1', '0', '0'),
            ('--silent-share', '0.1'),
            ('--off-screen', 'none'),
            ('--log-mel',),
            ('--subset', 'avss'),
        ],
    )
    def test_contradictions(self, tmp_path, run, given):
        code, output = run(str(tmp_path), '--benchmark', *given)
        assert code == 2
        assert f'does not go with {given[0]}' in output.err
        assert not list(tmp_path.iterdir())

    def test_writes_both_sets(self, tmp_path, run, monkeypatch):
        small = dict(train=4, val=4, test=4)
        monkeypatch.setattr(benchmark_module, '_NUM_CLIPS', small)
        code, output = run(str(tmp_path / 'out'), '--benchmark')
        assert code is None
        assert len(output.out.splitlines()) == 1
        for subset, root in ROOTS.items():
            assert f'{subset}: 12 clips written' in output.out
            marker = read_json(tmp_path / 'out' / root / 'generator.json')
            assert marker['benchmark'] == BENCHMARK_VERSION
            assert (marker['seed'], marker['num_clips']) == (2026, small)
        # the marker is all in which it differs from a set with its options
        options = {**benchmark_options('ms3'), 'benchmark': None}
        plain, _ = write_synthetic_avsbench(tmp_path, **options)
        for path in plain.rglob('*.*'):
            other = tmp_path / 'out' / path.relative_to(tmp_path)
            is_same = path.read_bytes() == other.read_bytes()
            assert is_same == (path.name != 'generator.json')


class TestConfigs:
    @pytest.mark.parametrize('subset', ROOTS)
    def test_differ_from_the_synthetic_sets_in_root_and_size(self, subset):
        folder = REPO / 'configs' / '_base_' / 'datasets'
        text = [
            Config.fromfile(folder / f'{kind}_{subset}.py').pretty_text
            for kind in ('synthetic', 'benchmark')
        ]
        assert text[0] != text[1]
        assert text[1] == text[0].replace(
            'data/synthetic/', 'data/benchmark/'
        ).replace('96,', '64,')
