"""The shims but that of several processes, which is in test_dist_cpu."""

import importlib
import io
import os
import pickle
import subprocess
import sys
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.dataset import BaseDataset
from mmengine.evaluator import BaseMetric
from mmengine.hooks import EMAHook
from mmengine.logging import HistoryBuffer
from mmengine.model import BaseModel
from mmengine.optim import OneCycleLR
from mmengine.runner import CheckpointLoader, FlexibleRunner, Runner
from mmengine.runner import checkpoint as stock
from mmengine.utils.dl_utils import mmcv_full_available
from safetensors.torch import save_file
from torch import nn

from mmavs import compat
from mmavs.compat.checkpoints import cached_path, load_checkpoint_safely
from mmavs.compat.safe_unpickling import (
    ALLOWED_GLOBALS,
    UnsafeCheckpointError,
    load_trusted_types,
)

no_ops = pytest.mark.skipif(
    find_spec('mmcv._ext') is not None, reason='mmcv has its operators'
)


# Shim 1: operators


@no_ops
def test_a_missing_operator_is_named_when_it_is_called():
    ops = importlib.import_module('mmcv.ops')
    with pytest.raises(RuntimeError, match=r'mmcv\.ops\.point_sample needs'):
        ops.point_sample(torch.zeros(1), torch.zeros(1))
    with pytest.raises(RuntimeError, match=r'mmcv\.ops\.DeformConv2d needs'):
        ops.DeformConv2d(3, 3, 1)


@no_ops
def test_a_missing_operator_can_be_subclassed_and_asked_for():
    ops = importlib.import_module('mmcv.ops')

    class Attention(ops.CrissCrossAttention, nn.Module):
        pass

    assert not isinstance(nn.Linear(1, 1), ops.DeformConv2d)
    assert ops.CrissCrossAttention is ops.CrissCrossAttention
    with pytest.raises(RuntimeError, match='CrissCrossAttention'):
        Attention(8)


@no_ops
def test_the_stand_in_looks_like_a_module_without_extension():
    ops = importlib.import_module('mmcv.ops')
    assert ops.__spec__.loader is None
    assert not hasattr(ops, '__path__')
    assert not hasattr(ops, '__wrapped__')
    assert not mmcv_full_available()
    # mmcv's environment report calls these.
    assert ops.get_compiler_version() == 'n/a'
    before = dict(vars(ops))
    compat.install()
    assert importlib.import_module('mmcv.ops') is ops
    assert dict(vars(ops)) == before


def test_every_user_of_operators_can_be_imported():
    """In a fresh process, with the warning of mmcv.cnn made an error."""
    code = (
        'import warnings\n'
        "warnings.filterwarnings('error', message='Fail to import')\n"
        'import mmavs, mmseg.models, mmpretrain.models\n'
        'from mmseg.models import CCHead, PointHead, PSAHead, FocalLoss\n'
    )
    result = subprocess.run(
        [sys.executable, '-c', code], capture_output=True, text=True
    )
    assert result.returncode == 0, result.stderr


def test_compat_imports_nothing_of_the_stack():
    """The version check must be able to run before anything else fails."""
    code = (
        'import sys, types\n'
        f'sys.path.insert(0, {os.getcwd()!r})\n'
        "package = types.ModuleType('mmavs')\n"
        f'package.__path__ = [{os.path.dirname(compat.__path__[0])!r}]\n'
        "sys.modules['mmavs'] = package\n"
        'import mmavs.compat\n'
        "loaded = {'torch', 'mmcv', 'mmengine', 'mmseg'} & set(sys.modules)\n"
        'sys.exit(str(loaded) if loaded else 0)\n'
    )
    result = subprocess.run(
        [sys.executable, '-c', code], capture_output=True, text=True
    )
    assert result.returncode == 0, result.stderr


# Shim 2: checkpoints


class _Clips(BaseDataset):
    METAINFO = dict(classes=('background', 'sounding'))

    def load_data_list(self):
        return [dict(x=torch.full((2,), float(i))) for i in range(8)]


class _Net(BaseModel):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)  # runners are compared with one another
        self.linear = nn.Linear(2, 1)
        self.norm = nn.BatchNorm1d(1)

    def forward(self, x, mode='tensor', **kwargs):
        y = self.norm(self.linear(x))
        return dict(loss=(y - 1).square().mean()) if mode == 'loss' else y


class _Score(BaseMetric):
    def process(self, data_batch, data_samples):
        self.results.append(len(data_batch['x']))

    def compute_metrics(self, results):
        # What metrics return in practice: NumPy scalars.
        return dict(mIoU=np.float32(0.25), count=np.int64(sum(results)))


def _runner(work_dir, max_iters, kind=Runner, **kwargs):
    loader = dict(
        batch_size=4,
        num_workers=0,
        sampler=dict(type='DefaultSampler', shuffle=False),
        collate_fn=dict(type='default_collate'),
    )
    return kind(
        model=_Net(),
        work_dir=str(work_dir),
        train_dataloader=dict(dataset=_Clips(), **loader),
        val_dataloader=dict(dataset=_Clips(), **loader),
        train_cfg=dict(by_epoch=False, max_iters=max_iters, val_interval=2),
        val_cfg=dict(),
        val_evaluator=[_Score()],
        optim_wrapper=dict(
            optimizer=dict(type='AdamW', lr=0.1, weight_decay=0.01),
            paramwise_cfg=dict(norm_decay_mult=0.0),
        ),
        param_scheduler=[
            dict(type='LinearLR', start_factor=0.1, end=2, by_epoch=False),
            dict(type='CosineAnnealingLR', begin=2, end=6, by_epoch=False),
        ],
        # FlexibleRunner reads a checkpoint before this hook is ready.
        custom_hooks=[EMAHook()] if kind is Runner else [],
        default_hooks=dict(
            logger=dict(type='LoggerHook', interval=1),
            checkpoint=dict(
                type='CheckpointHook',
                interval=2,
                by_epoch=False,
                save_best='mIoU',
                rule='greater',
            ),
        ),
        log_level='ERROR',
        default_scope='mmseg',
        randomness=dict(seed=0),
        experiment_name=f'{work_dir.name}_{max_iters}',
        **kwargs,
    )


def test_a_training_checkpoint_is_read_and_resumed(tmp_path):
    """Optimizer, schedulers, EMA, log history, best score: a real file."""
    runner = _runner(tmp_path, 4)
    runner.train()
    path = tmp_path / 'iter_4.pth'
    with pytest.raises(pickle.UnpicklingError):
        torch.load(path)  # what torch does without the shim

    content = load_checkpoint_safely(path)
    for name, tensor in runner.model.state_dict().items():
        # The EMA hook swaps what it saves: the averaged weights come first.
        assert name in content['state_dict'], name
        assert torch.equal(
            content['ema_state_dict']['module.' + name], tensor
        ), name
    history = content['message_hub']['log_scalars']['train/loss']
    assert isinstance(history, HistoryBuffer)
    assert len(history.data[0]) == 4 and history.statistics('mean') > 0
    best = content['message_hub']['runtime_info']['best_score']
    assert isinstance(best, np.floating) and best == 0.25

    resumed = _runner(tmp_path, 6, load_from=str(path), resume=True)
    resumed.train()
    losses = resumed.message_hub.log_scalars['train/loss'].data[0]
    assert resumed.iter == 6 and len(losses) == 6

    straight = _runner(tmp_path / 'straight', 6)
    straight.train()
    expected = straight.message_hub.log_scalars['train/loss'].data[0]
    np.testing.assert_allclose(losses, expected, rtol=1e-5)


def test_schedulers_that_hold_a_function_are_read(tmp_path):
    optimizer = torch.optim.SGD(nn.Linear(1, 1).parameters(), lr=0.1)
    scheduler = OneCycleLR(optimizer, eta_max=0.1, total_steps=9)
    path = tmp_path / 'scheduler.pth'
    torch.save(scheduler.state_dict(), path)
    anneal = load_checkpoint_safely(path)['anneal_func']
    assert anneal(2.0, 1.0, 1.0) == pytest.approx(1.0)


@pytest.mark.parametrize('module', [b'numpy._core', b'numpy.core'])
def test_numpy_values_of_both_numpy_generations_are_read(tmp_path, module):
    path = tmp_path / 'scalar.pth'
    # The legacy format is a bare pickle, in which the name can be exchanged.
    torch.save(
        dict(score=np.float64(0.5), history=np.arange(3)),
        path,
        _use_new_zipfile_serialization=False,
    )
    written = path.read_bytes()
    name = b'numpy._core' if b'numpy._core' in written else b'numpy.core'
    path.write_bytes(written.replace(name, module))
    assert module + b'.multiarray' in path.read_bytes()
    content = load_checkpoint_safely(path)
    assert content['score'] == 0.5
    np.testing.assert_array_equal(content['history'], np.arange(3))


class _Hostile:
    """Creates a file when it is unpickled by an unsafe loader."""

    def __init__(self, witness):
        self.witness = witness

    def __reduce__(self):
        return os.mkdir, (str(self.witness),)


class _Reaching:
    """Gets hold of something that is not among the allowed methods."""

    def __reduce__(self):
        return getattr, (HistoryBuffer, '__init__')


def _serve(directory):
    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *args):
            pass

    server = ThreadingHTTPServer(
        ('127.0.0.1', 0), partial(Quiet, directory=str(directory))
    )
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server, f'http://127.0.0.1:{server.server_port}'


@pytest.fixture
def web(tmp_path, monkeypatch):
    """A directory, its address, and a cache of its own for downloads."""
    monkeypatch.setenv('TORCH_HOME', str(tmp_path / 'cache'))
    monkeypatch.setattr(torch.hub, '_hub_dir', None)
    monkeypatch.setenv('no_proxy', '127.0.0.1')
    directory = tmp_path / 'web'
    directory.mkdir()
    server, address = _serve(directory)
    yield directory, address
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize('zipped', [True, False])
def test_a_hostile_file_is_refused_and_not_run(tmp_path, zipped):
    path, witness = tmp_path / 'hostile.pth', tmp_path / 'witness'
    content = dict(state_dict={}, meta=_Hostile(witness))
    torch.save(content, path, _use_new_zipfile_serialization=zipped)
    for load in (load_checkpoint_safely, CheckpointLoader.load_checkpoint):
        with pytest.raises(UnsafeCheckpointError) as error:
            load(str(path))
        assert str(path) in str(error.value)
        assert 'mkdir' in str(error.value)
    assert not witness.exists()
    # The file does what it is meant to where nothing stops it.
    torch.load(path, weights_only=False)
    assert witness.exists()


def test_a_hostile_download_is_refused_and_not_run(tmp_path, web):
    directory, address = web
    witness = tmp_path / 'witness'
    torch.save(dict(meta=_Hostile(witness)), directory / 'hostile.pth')
    with pytest.raises(UnsafeCheckpointError, match='mkdir') as error:
        CheckpointLoader.load_checkpoint(f'{address}/hostile.pth')
    assert 'hostile.pth' in str(error.value)
    assert not witness.exists()


def test_getattr_reaches_the_methods_of_the_log_history_only(tmp_path):
    path = tmp_path / 'reaching.pth'
    torch.save(dict(meta=_Reaching()), path)
    with pytest.raises(UnsafeCheckpointError, match='__init__'):
        load_checkpoint_safely(path)


def test_the_list_of_allowed_globals_of_the_user_is_kept(tmp_path):
    path = tmp_path / 'plain.pth'
    torch.save(dict(score=np.float64(1.0)), path)
    torch.serialization.add_safe_globals([np.ndarray])
    try:
        load_checkpoint_safely(path)
        assert np.ndarray in torch.serialization.get_safe_globals()
        left = set(torch.serialization.get_safe_globals()) - {np.ndarray}
        assert not left & set(ALLOWED_GLOBALS)
    finally:
        torch.serialization.clear_safe_globals()


def test_a_download_is_cached(web):
    directory, address = web
    torch.save(dict(state_dict=dict(w=torch.ones(2))), directory / 'a.pth')
    url = f'{address}/a.pth'
    first = CheckpointLoader.load_checkpoint(url)
    assert os.path.isfile(cached_path(url))
    (directory / 'a.pth').unlink()
    second = CheckpointLoader.load_checkpoint(url)
    assert torch.equal(second['state_dict']['w'], first['state_dict']['w'])


def test_a_failing_download_says_what_to_do(web):
    _, address = web
    url = f'{address}/pvt_v2_b5.pth'
    with pytest.raises(RuntimeError) as error:
        CheckpointLoader.load_checkpoint(url)
    for part in (
        url,
        cached_path(url),
        '404',
        'model.backbone.init_cfg.checkpoint=PATH',
        'model.backbone.init_cfg=None',
    ):
        assert part in str(error.value), part
    # Nothing half-written stays behind.
    assert os.listdir(os.path.dirname(cached_path(url))) == []


def test_a_broken_download_says_where_it_lies(web):
    directory, address = web
    (directory / 'page.pth').write_text('<html>Please log in</html>')
    url = f'{address}/page.pth'
    with pytest.raises(RuntimeError, match='delete it') as error:
        CheckpointLoader.load_checkpoint(url)
    assert cached_path(url) in str(error.value) and url in str(error.value)


@pytest.mark.parametrize(
    ('scheme', 'table'),
    [
        ('torchvision://', 'get_torchvision_models'),
        ('modelzoo://', 'get_torchvision_models'),
        ('open-mmlab://', 'get_external_models'),
        ('openmmlab://', 'get_external_models'),
        ('mmcls://', 'get_mmcls_models'),
    ],
)
def test_named_models_are_loaded_safely(
    tmp_path, web, monkeypatch, scheme, table
):
    directory, address = web
    state = {'backbone.w': torch.ones(1), 'head.w': torch.zeros(1)}
    torch.save(dict(state_dict=state), directory / 'good.pth')
    torch.save(_Hostile(tmp_path / 'witness'), directory / 'bad.pth')
    known = {name: f'{address}/{name}.pth' for name in ('good', 'bad')}
    monkeypatch.setattr(stock, table, lambda: known)

    loaded = CheckpointLoader.load_checkpoint(scheme + 'good')['state_dict']
    expected = {'w'} if scheme == 'mmcls://' else set(state)
    assert set(loaded) == expected
    with pytest.raises(UnsafeCheckpointError):
        CheckpointLoader.load_checkpoint(scheme + 'bad')
    assert not (tmp_path / 'witness').exists()
    with pytest.raises(KeyError, match='nothing'):
        CheckpointLoader.load_checkpoint(scheme + 'nothing')


def test_every_stock_loader_is_replaced():
    for prefix, loader in CheckpointLoader._schemes.items():
        assert loader.__module__ == 'mmavs.compat.checkpoints', prefix


def test_a_missing_file_is_named(tmp_path):
    path = tmp_path / 'missing.pth'
    with pytest.raises(FileNotFoundError, match='missing.pth does not exist'):
        CheckpointLoader.load_checkpoint(str(path))
    with pytest.raises(FileNotFoundError, match='is a directory'):
        load_checkpoint_safely(tmp_path)


@pytest.mark.parametrize('content', [b'', b'text', b'PK\x03\x04cut'])
def test_a_damaged_file_is_named(tmp_path, content):
    path = tmp_path / 'damaged.pth'
    path.write_bytes(content)
    with pytest.raises(RuntimeError, match='damaged.pth'):
        load_checkpoint_safely(path)


def test_an_empty_file_is_called_empty(tmp_path):
    path = tmp_path / 'empty.pth'
    path.touch()
    with pytest.raises(RuntimeError, match='empty.pth is empty'):
        load_checkpoint_safely(path)
    with pytest.raises(RuntimeError, match='bytes is empty'):
        load_trusted_types(io.BytesIO(), 'cpu', 'bytes')


@pytest.mark.filterwarnings('error')
@pytest.mark.parametrize('hostile', [False, True])
@pytest.mark.parametrize('protocol', range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_plain_pickle_is_not_read(tmp_path, protocol, hostile):
    """Nor is it run, whatever its protocol; torch's warning is not shown."""
    path, witness = tmp_path / 'plain.pkl', tmp_path / 'witness'
    content = dict(a=_Hostile(witness) if hostile else 1)
    path.write_bytes(pickle.dumps(content, protocol))
    with pytest.raises((RuntimeError, UnsafeCheckpointError)) as error:
        load_checkpoint_safely(path)
    message = str(error.value)
    assert message.startswith(str(path))
    if isinstance(error.value, UnsafeCheckpointError):
        assert hostile and 'mkdir' in message
        assert message.endswith('save only the state dict in it.')
    else:
        assert 'a file of another kind, or a plain pickle' in message
        assert 'nothing in it was run' in message
    assert not witness.exists()
    # The file does what it is meant to where nothing stops it.
    pickle.loads(path.read_bytes())
    assert witness.exists() == hostile


def test_safetensors(tmp_path):
    path = tmp_path / 'weights.safetensors'
    save_file(dict(w=torch.arange(3.0)), path)
    loaded = CheckpointLoader.load_checkpoint(str(path), map_location='cpu')
    assert torch.equal(loaded['w'], torch.arange(3.0))
    path.write_bytes(b'no')
    with pytest.raises(RuntimeError, match='weights.safetensors'):
        load_checkpoint_safely(path)


# Shim 4: resuming


@pytest.mark.parametrize('kind', [Runner, FlexibleRunner])
def test_the_config_in_a_checkpoint_is_not_run(tmp_path, kind):
    """It is a text, and no loader can tell what it is for."""
    witness = tmp_path / 'witness'
    program = f'__import__("os").mkdir({str(witness)!r})'
    _runner(tmp_path, 2).train()
    path = tmp_path / 'iter_2.pth'
    content = load_checkpoint_safely(path)
    content['meta']['config'] = program
    torch.save(content, path)

    resumed = _runner(
        tmp_path / 'on', 3, kind, load_from=str(path), resume=True
    )
    resumed.train()
    assert resumed.iter == 3
    assert not witness.exists()
    # The text does what it is meant to where something runs it.
    Config.fromstring(program, '.py')
    assert witness.exists()


def test_installing_twice_wraps_once():
    before = Runner.resume, FlexibleRunner.resume
    compat.install()
    assert (Runner.resume, FlexibleRunner.resume) == before
