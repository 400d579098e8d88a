"""Shim 3: several processes on CPUs (gloo).

mmengine selects a CUDA device in every process before it joins the process
group, asks for the NCCL backend and hands a device to DDP: three things that
fail where there is no accelerator. With this shim ``--launcher pytorch``,
``slurm`` and ``mpi`` work on such a machine too, with any config and with
the training script of mmsegmentation as well. Nothing is decided at import:
each wrapper looks at the device when it is called.
"""

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import mmengine.dist.utils as dist_utils
import torch
from mmengine.device import get_device
from mmengine.model import MMDistributedDataParallel

_LAUNCHERS = ('_init_dist_pytorch', '_init_dist_slurm', '_init_dist_mpi')


@contextmanager
def _without_cuda_device() -> Iterator[None]:
    """Make ``torch.cuda.set_device`` do nothing, as there is no device."""
    original = torch.cuda.set_device
    torch.cuda.set_device = lambda device: None
    try:
        yield
    finally:
        torch.cuda.set_device = original


def _join_on_cpu(launch: Callable[..., None]) -> Callable[..., None]:
    """Wrap one of mmengine's launchers for machines without accelerator.

    Args:
        launch: mmengine's function, which reads the environment of its
            launcher and joins the process group.
    """

    @functools.wraps(launch)
    def wrapper(backend: str, **kwargs: Any) -> None:
        if get_device() != 'cpu':
            launch(backend, **kwargs)
            return
        # NCCL is the default of every config, and cannot work here. MPI can.
        with _without_cuda_device():
            launch('gloo' if backend == 'nccl' else backend, **kwargs)

    wrapper.runs_on_cpu = True  # type: ignore[attr-defined]
    return wrapper


def _drop_devices_on_cpu(init: Callable[..., None]) -> Callable[..., None]:
    """Wrap ``MMDistributedDataParallel.__init__`` for modules on the CPU.

    Args:
        init: The constructor. DDP wants ``device_ids=None`` there, and
            mmengine always passes the local rank.
    """

    @functools.wraps(init)
    def wrapper(self, module, *args: Any, **kwargs: Any) -> None:
        if all(p.device.type == 'cpu' for p in module.parameters()):
            kwargs.pop('device_ids', None)
        init(self, module, *args, **kwargs)

    wrapper.runs_on_cpu = True  # type: ignore[attr-defined]
    return wrapper


def enable_cpu_distributed() -> None:
    """Let mmengine's launchers and DDP wrapper run without accelerator.

    With one they do exactly what they did. Calling it again changes nothing.
    SyncBN of torch needs GPUs: leave ``sync_bn`` out of the config.
    """
    for name in _LAUNCHERS:
        launch = getattr(dist_utils, name)
        if not hasattr(launch, 'runs_on_cpu'):
            setattr(dist_utils, name, _join_on_cpu(launch))
    init = MMDistributedDataParallel.__init__
    if not hasattr(init, 'runs_on_cpu'):
        MMDistributedDataParallel.__init__ = _drop_devices_on_cpu(init)
