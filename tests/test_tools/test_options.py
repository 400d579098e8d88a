"""What the options of tools/train.py and tools/test.py do to a config."""

import importlib.util
import sys
from pathlib import Path

import pytest
from mmengine.runner import Runner

TOOLS = Path(__file__).resolve().parents[2] / 'tools'

CONFIG = """
model = dict(type='Model')
optim_wrapper = dict(type='OptimWrapper', optimizer=dict(type='SGD', lr=1.))
test_dataloader = dict(dataset=dict(pipeline=[]))
test_evaluator = [dict(type='A'), dict(type='B')]
visualizer = dict(type='AVSLocalVisualizer')
default_hooks = dict(visualization=dict(type='AVSVisualizationHook'))
"""


class _Built(Exception):
    """Raised in the place of building a runner."""


@pytest.fixture
def call(tmp_path, monkeypatch):
    """Run a script up to the runner and return the config it would get."""
    config = tmp_path / 'small.py'
    config.write_text(CONFIG)
    monkeypatch.setenv('LOCAL_RANK', '0')

    def refuse(cfg):
        raise _Built(cfg)

    monkeypatch.setattr(Runner, 'from_cfg', refuse)

    def run(script, *arguments):
        spec = importlib.util.spec_from_file_location(
            f'tools_{script}', TOOLS / f'{script}.py'
        )
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        monkeypatch.setattr(module, 'get_device', lambda: device, False)
        monkeypatch.setattr(sys, 'argv', [script, str(config), *arguments])
        with pytest.raises(_Built) as built:
            module.main()
        return built.value.args[0]

    device = 'cpu'
    return run


def test_plain_training(call):
    cfg = call('train')
    assert cfg.work_dir == str(Path('work_dirs', 'small'))
    assert cfg.launcher == 'none'
    assert not cfg.get('resume') and cfg.get('load_from') is None
    assert cfg.optim_wrapper.type == 'OptimWrapper'


def test_training_options(call):
    cfg = call(
        'train',
        '--work-dir',
        'here',
        '--cfg-options',
        'model.type=Other',
        'optim_wrapper.optimizer=None',
        '--launcher',
        'pytorch',
        '--local-rank',
        '1',
    )
    assert cfg.work_dir == 'here' and cfg.launcher == 'pytorch'
    assert cfg.model.type == 'Other'
    assert cfg.optim_wrapper.optimizer is None


START = ('--cfg-options', 'load_from=s4.pth')


@pytest.mark.parametrize('arguments', [['--resume'], ['--resume', 'auto']])
def test_resume_from_the_latest_checkpoint(call, arguments, tmp_path):
    work = tmp_path / 'work'
    work.mkdir()
    (work / 'last_checkpoint').write_text(str(work / 'iter_2.pth'))
    cfg = call('train', *arguments, '--work-dir', str(work), *START)
    assert cfg.resume is True and cfg.load_from is None


@pytest.mark.parametrize('arguments', [['--resume'], ['--resume', 'auto']])
def test_resume_before_the_first_checkpoint(call, arguments, tmp_path):
    """A run killed early starts again from the weights it was given."""
    work = str(tmp_path / 'work')
    cfg = call('train', *arguments, '--work-dir', work, *START)
    assert cfg.resume is False and cfg.load_from == 's4.pth'


def test_resume_from_a_file(call):
    cfg = call('train', '--resume', 'epoch_3.pth')
    assert cfg.resume is True and cfg.load_from == 'epoch_3.pth'


def test_amp_is_bf16_on_the_cpu_and_leaves_it_be(call):
    assert call('train', '--amp').optim_wrapper.type == 'BF16OptimWrapper'
    cfg = call(
        'train',
        '--amp',
        '--cfg-options',
        'optim_wrapper.type=AmpOptimWrapper',
    )
    assert cfg.optim_wrapper.type == 'AmpOptimWrapper'
    assert 'loss_scale' not in cfg.optim_wrapper


def test_plain_test(call):
    cfg = call('test', 'best.pth')
    assert cfg.load_from == 'best.pth'
    assert cfg.work_dir == str(Path('work_dirs', 'small'))
    assert 'draw' not in cfg.default_hooks.visualization


def test_pictures_and_masks(call):
    cfg = call(
        'test',
        'best.pth',
        '--show',
        '--wait-time',
        '0.5',
        '--show-dir',
        'sheets',
        '--out',
        'masks',
    )
    hook = cfg.default_hooks.visualization
    assert hook.draw and hook.show and hook.wait_time == 0.5
    assert cfg.visualizer.save_dir == 'sheets'
    for evaluator in cfg.test_evaluator:
        assert evaluator.output_dir == 'masks' and evaluator.keep_results


def test_tta_wraps_the_model(call, tmp_path):
    with pytest.raises(ValueError, match='--tta needs tta_pipeline'):
        call('test', 'best.pth', '--tta')
    config = tmp_path / 'small.py'
    config.write_text(
        CONFIG + "tta_pipeline = [dict(type='T')]\n"
        "tta_model = dict(type='SegTTAModel')\n"
    )
    cfg = call('test', 'best.pth', '--tta')
    assert cfg.model.type == 'SegTTAModel'
    assert cfg.model.module.type == 'Model'
    assert cfg.test_dataloader.dataset.pipeline[0].type == 'T'
    assert 'module' not in cfg.tta_model
