"""Two processes on the CPU, through the launcher users call."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
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


def environment(folder):
    """Of a launcher that finds the modules in ``folder``."""
    left_out = ('PORT', 'NNODES', 'NODE_RANK', 'MASTER_ADDR')
    return {
        **{k: v for k, v in os.environ.items() if k not in left_out},
        'PYTHON': sys.executable,
        'PYTHONPATH': str(folder),
        'OMP_NUM_THREADS': '1',
    }


@pytest.mark.parametrize('script', ['ours', 'mmseg'])
def test_two_processes_train_on_gloo(tmp_path, script):
    # A space and a dash: the shell script must quote what it is given.
    folder = tmp_path / 'with space'
    folder.mkdir()
    (folder / 'tiny_model.py').write_text(MODULE)
    config = folder / '-tiny config.py'
    config.write_text(CONFIG)
    work_dir = folder / 'work dir'
    env = environment(folder)
    launcher = ROOT / 'tools' / 'dist_train.sh'
    if script == 'mmseg':
        # The launcher starts the train.py it lies next to.
        copied = folder / 'tools'
        copied.mkdir()
        launcher = Path(shutil.copy(launcher, copied))
        shutil.copy(MMSEG_TRAIN, copied)
        env['PYTHONPATH'] = f'{folder}{os.pathsep}{ROOT}'
        env['PORT'] = str(_free_port())
    result = subprocess.run(
        ['bash', launcher, config.name, '2', '--work-dir', work_dir],
        cwd=folder,
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


# Writes the process of a rank once both train, and never ends.
ENDLESS = """
@HOOKS.register_module()
class PidHook(Hook):
    def after_train_iter(self, runner, batch_idx, **kwargs):
        if batch_idx == 1:
            name = f'rank{dist.get_rank()}.tmp'
            path = os.path.join(runner.work_dir, name)
            with open(path, 'w') as file:
                file.write(str(os.getpid()))
            os.replace(path, path.replace('.tmp', '.pid'))
"""


def is_running(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@contextmanager
def endless_job(folder, *options):
    """A training of two processes, and their ids; what it says is in log."""
    (folder / 'tiny_model.py').write_text(MODULE + ENDLESS)
    config = folder / 'tiny.py'
    config.write_text(CONFIG.replace('ReportHook', 'PidHook'))
    work_dir = folder / 'work'
    pid_files = [work_dir / f'rank{i}.pid' for i in range(2)]
    with (folder / 'log').open('w') as log:
        job = subprocess.Popen(
            ['bash', ROOT / 'tools/dist_train.sh', config, '2']
            + ['--work-dir', work_dir, '--cfg-options']
            + ['train_cfg.max_iters=100000000', *options],
            env=environment(folder),
            stdout=log,
            stderr=log,
        )
        try:
            deadline = time.monotonic() + 120
            while not all(path.exists() for path in pid_files):
                assert job.poll() is None, 'it never trained'
                assert time.monotonic() < deadline
                time.sleep(0.1)
            yield job, [int(path.read_text()) for path in pid_files]
        finally:
            if job.poll() is None:
                job.terminate()  # the launcher ends its processes
                job.wait(60)


@pytest.mark.parametrize('rank', [pytest.param(0, marks=pytest.mark.slow), 1])
def test_killed_process_ends_the_others(tmp_path, rank):
    with endless_job(tmp_path) as (job, pids):
        os.kill(pids[rank], signal.SIGKILL)
        assert job.wait(timeout=60) not in (0, None)
    text = (tmp_path / 'log').read_text()
    assert 'SIGKILL' in text and f'rank      : {rank}' in text, text[-3000:]
    assert not any(map(is_running, pids))


@pytest.mark.slow  # the launcher waits half a minute before it kills
def test_process_that_hangs_is_not_waited_for(tmp_path):
    timeout = 'env_cfg.dist_cfg.timeout=10'
    with endless_job(tmp_path, timeout) as (job, pids):
        os.kill(pids[1], signal.SIGSTOP)
        try:
            assert job.wait(timeout=100) not in (0, None)
        finally:
            if is_running(pids[1]):
                os.kill(pids[1], signal.SIGKILL)
    text = (tmp_path / 'log').read_text()
    assert 'Timed out' in text, text[-3000:]
    assert not any(map(is_running, pids))


FAKE_SRUN = """#!/bin/bash
{ echo "$MASTER_PORT"; printf '%s\\n' "$@"; } > "$SEEN"
"""


@pytest.mark.parametrize('kind', ['train', 'test'])
def test_slurm_gets_every_word_as_it_was(tmp_path, kind):
    srun = tmp_path / 'srun'
    srun.write_text(FAKE_SRUN)
    srun.chmod(0o755)
    env = {
        **os.environ,
        'PATH': f'{tmp_path}{os.pathsep}{os.environ["PATH"]}',
        'SEEN': str(tmp_path / 'seen'),
        'PYTHON': sys.executable,
        'GPUS': '2',
        'PORT': '29511',
        'SRUN_ARGS': '--time=1 --comment=*',
    }
    files = ['-my config.py', '$(touch ran).pth'][: 1 + (kind == 'test')]
    rest = ['--work-dir', 'a b', '--cfg-options', 'x="*"']
    script = ROOT / f'tools/slurm_{kind}.sh'
    subprocess.run(
        ['bash', script, 'gpu part', '-job', *files, *rest],
        env=env,
        cwd=tmp_path,
        check=True,
    )
    port, *words = (tmp_path / 'seen').read_text().splitlines()
    assert port == '29511'
    assert words == [
        '--partition=gpu part',
        '--job-name=-job',
        '--gres=gpu:2',
        '--ntasks=2',
        '--ntasks-per-node=2',
        '--cpus-per-task=5',
        '--kill-on-bad-exit=1',
        '--time=1',
        '--comment=*',
        sys.executable,
        '-u',
        str(ROOT / f'tools/{kind}.py'),
        './-my config.py',
        *files[1:],
        '--launcher',
        'slurm',
        *rest,
    ]
    assert not (tmp_path / 'ran').exists()


@pytest.mark.parametrize('kind', ['train', 'test'])
@pytest.mark.parametrize('place', ['here', 'here by port', 'two machines'])
def test_python_gets_every_word_as_it_was(tmp_path, kind, place):
    python = tmp_path / 'my python'
    python.write_text('#!/bin/bash\nprintf "%s\\n" "$@" > "$SEEN"\n')
    python.chmod(0o755)
    env = environment(tmp_path)
    env |= dict(PYTHON=str(python), SEEN=str(tmp_path / 'seen'))
    meeting = ['--nnodes=1', '--standalone', '--local_addr=127.0.0.1']
    if place == 'here by port':
        env |= dict(PORT='29511')
        meeting[1:] = ['--node_rank=0', '--master_addr=127.0.0.1']
        meeting += ['--master_port=29511']
    elif place == 'two machines':
        env |= dict(NNODES='2', NODE_RANK='1', MASTER_ADDR='first')
        meeting = ['--nnodes=2', '--node_rank=1', '--master_addr=first']
        meeting += ['--master_port=29500']
    files = ['-my config.py', '-$(touch ran).pth'][: 1 + (kind == 'test')]
    rest = ['--work-dir', 'a b', '--cfg-options', 'x="*"', '--resume']
    script = ROOT / f'tools/dist_{kind}.sh'
    subprocess.run(
        ['bash', script, *files, '2', *rest], env=env, cwd=tmp_path, check=True
    )
    assert (tmp_path / 'seen').read_text().splitlines() == [
        '-m',
        'torch.distributed.run',
        *meeting,
        '--nproc_per_node=2',
        str(ROOT / f'tools/{kind}.py'),
        *(f'./{name}' for name in files),
        '--launcher',
        'pytorch',
        *rest,
    ]
    assert not (tmp_path / 'ran').exists()


@pytest.mark.parametrize(
    'command', [['dist_train.sh', 'c.py'], ['dist_test.sh', 'c.py', 'c.pth']]
)
def test_several_machines_need_the_address_of_the_first(command):
    script, *files = command
    result = subprocess.run(
        ['bash', ROOT / 'tools' / script, *files, '2'],
        env={**environment(ROOT), 'NNODES': '2'},
        capture_output=True,
        text=True,
    )
    assert result.returncode == 2
    assert 'NNODES=2 needs MASTER_ADDR' in result.stderr


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
