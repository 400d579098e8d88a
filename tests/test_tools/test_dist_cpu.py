"""Two processes on the CPU, through the launcher users call."""

import json
import os
import shutil
import socket
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch

ROOT = Path(__file__).resolve().parents[2]
MMSEG_TRAIN = Path(find_spec('mmseg').origin).parent / '.mim/tools/train.py'

# Loaded by the config: a model and data so small that the time goes into
# starting the processes. It writes what each rank saw.
MODULE = """
import json, os
import torch
import torch.distributed as dist
from mmengine.dataset import BaseDataset
from mmengine.hooks import Hook
from mmengine.model import BaseModel
from mmseg.registry import DATASETS, HOOKS, MODELS


@DATASETS.register_module()
class CountingDataset(BaseDataset):
    def load_data_list(self):
        return [dict(x=torch.full((2,), float(i))) for i in range(8)]


@MODELS.register_module()
class LinearModel(BaseModel):
    def __init__(self):
        super().__init__()
        self.linear = torch.nn.Linear(2, 1)

    def forward(self, x, mode='tensor', **kwargs):
        return dict(loss=self.linear(x).square().mean())


@HOOKS.register_module()
class ReportHook(Hook):
    def after_train(self, runner):
        report = dict(
            backend=dist.get_backend(), world_size=dist.get_world_size(),
            wrapper=type(runner.model).__name__,
            device_ids=runner.model.device_ids,
            weight=runner.model.module.linear.weight.tolist(),
            iters=runner.iter)
        path = os.path.join(runner.work_dir, f'rank{dist.get_rank()}.json')
        with open(path, 'w') as file:
            json.dump(report, file)
"""

CONFIG = """
custom_imports = dict(
    imports=['mmavs', 'tiny_model'], allow_failed_imports=False)
default_scope = 'mmseg'
model = dict(type='LinearModel')
train_dataloader = dict(
    batch_size=2, num_workers=0, dataset=dict(type='CountingDataset'),
    sampler=dict(type='DefaultSampler', shuffle=False),
    collate_fn=dict(type='default_collate'))
train_cfg = dict(by_epoch=False, max_iters=2)
optim_wrapper = dict(
    type='OptimWrapper', optimizer=dict(type='SGD', lr=0.001))
custom_hooks = [dict(type='ReportHook')]
# As in every config written for GPUs.
env_cfg = dict(dist_cfg=dict(backend='nccl'))
"""

pytestmark = pytest.mark.skipif(
    torch.cuda.is_available(), reason='for machines without CUDA'
)


def _free_port():
    with socket.socket() as sock:
        sock.bind(('127.0.0.1', 0))
        return sock.getsockname()[1]


@pytest.mark.parametrize('script', ['ours', 'mmseg'])
def test_two_processes_train_on_gloo(tmp_path, script):
    # A space: the shell script must quote what it is given.
    folder = tmp_path / 'with space'
    folder.mkdir()
    (folder / 'tiny_model.py').write_text(MODULE)
    config = folder / 'tiny config.py'
    config.write_text(CONFIG)
    work_dir = folder / 'work dir'
    env = {
        **os.environ,
        'PORT': str(_free_port()),
        'PYTHON': sys.executable,
        'PYTHONPATH': str(folder),
        'OMP_NUM_THREADS': '1',
    }
    launcher = ROOT / 'tools' / 'dist_train.sh'
    if script == 'mmseg':
        # The launcher starts the train.py it lies next to.
        copied = folder / 'tools'
        copied.mkdir()
        launcher = Path(shutil.copy(launcher, copied))
        shutil.copy(MMSEG_TRAIN, copied)
        env['PYTHONPATH'] = f'{folder}{os.pathsep}{ROOT}'
    result = subprocess.run(
        ['bash', launcher, config, '2', '--work-dir', work_dir],
        env=env,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert result.returncode == 0, result.stderr[-3000:]
    reports = [
        json.loads((work_dir / f'rank{rank}.json').read_text())
        for rank in range(2)
    ]
    for report in reports:
        assert report['backend'] == 'gloo'
        assert report['world_size'] == 2
        assert report['wrapper'] == 'MMDistributedDataParallel'
        assert report['device_ids'] is None
        assert report['iters'] == 2
    # The gradients were averaged: both ranks saw other data.
    assert reports[0]['weight'] == reports[1]['weight']


def test_scripts_say_how_they_are_used():
    for name, arguments in {
        'dist_train.sh': 'CONFIG GPUS',
        'dist_test.sh': 'CONFIG CHECKPOINT GPUS',
        'slurm_train.sh': 'PARTITION JOB_NAME CONFIG',
        'slurm_test.sh': 'PARTITION JOB_NAME CONFIG CHECKPOINT',
    }.items():
        result = subprocess.run(
            ['bash', ROOT / 'tools' / name], capture_output=True, text=True
        )
        assert result.returncode == 2
        assert arguments in result.stderr
