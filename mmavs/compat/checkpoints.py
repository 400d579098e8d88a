"""Shim 2: reading checkpoints without running code.

torch refuses mmengine's checkpoints by default, because they hold more than
tensors, and mmengine's loader for URLs asks torch to run whatever a file
contains (so do the forks, for local files too, when the safe way fails).
Every loader of ``CheckpointLoader`` that reads a pickle is replaced here by
one that goes through :func:`load_checkpoint_safely`. There is no fallback.
"""

import io
import os
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlparse

import torch
from mmengine.dist import get_dist_info
from mmengine.fileio import get_file_backend
from mmengine.runner import checkpoint as stock
from mmengine.runner.checkpoint import CheckpointLoader

from mmavs.compat.safe_unpickling import (
    UnsafeCheckpointError,
    load_trusted_types,
)

_HELP = (
    'For the weights that a training starts from, train their config first '
    'or give --cfg-options load_from=PATH. '
    'For pretrained weights, give the path of a local copy with '
    '--cfg-options model.backbone.init_cfg.checkpoint=PATH '
    '(model.audio_backbone for the audio network), or train from scratch '
    'with --cfg-options model.backbone.init_cfg=None; the audio network with '
    'model.audio_backbone.init_cfg=None model.audio_backbone.frozen=False.'
)


def load_checkpoint_safely(
    path: str | os.PathLike[str], map_location: Any = 'cpu'
) -> Any:
    """Load a local checkpoint; code in it is refused, never run.

    Args:
        path: A ``.pth`` file, as torch and mmengine write it, or a
            ``.safetensors`` file. ``~`` is expanded.
        map_location: As in :func:`torch.load`.

    Returns:
        The content of the file, for a training checkpoint of mmengine a
        dict with the key ``state_dict``.

    Raises:
        FileNotFoundError: If there is no such file.
        UnsafeCheckpointError: If the file holds anything but tensors, plain
            values, NumPy arrays and numbers and mmengine's log history.
        RuntimeError: If it cannot be read as a checkpoint.
    """
    path = os.path.expanduser(os.fspath(path))
    if not os.path.isfile(path):
        what = 'is a directory' if os.path.isdir(path) else 'does not exist'
        raise FileNotFoundError(
            f'checkpoint {path} {what} (working directory {os.getcwd()}). '
            f'{_HELP}'
        )
    if path.endswith('.safetensors'):
        return _load_safetensors(path, map_location)
    return load_trusted_types(path, map_location, path)


def _load_safetensors(path: str, map_location: Any) -> dict[str, Any]:
    """Load a ``.safetensors`` file, which can hold nothing but tensors."""
    try:
        from safetensors import SafetensorError
        from safetensors.torch import load_file
    except ModuleNotFoundError as error:
        raise ImportError(
            f'{path} needs the package safetensors: pip install safetensors'
        ) from error
    # torch also takes functions and dicts here; those only make sense for
    # storages that were saved on a device.
    on_device = isinstance(map_location, str | torch.device)
    device = str(map_location) if on_device else 'cpu'
    try:
        return load_file(path, device=device)
    except SafetensorError as error:
        raise RuntimeError(
            f'{path} is not a safetensors file, or it was cut short: {error}'
        ) from error


def cached_path(url: str, model_dir: str | None = None) -> str:
    """Tell where the file behind a URL is kept, which is where torch does.

    Args:
        url: An http or https URL.
        model_dir: Another directory than ``checkpoints`` in torch's hub
            directory (which ``TORCH_HOME`` moves).

    Raises:
        ValueError: If the URL does not end with a file name.
    """
    name = os.path.basename(unquote(urlparse(url).path))
    if not name:
        raise ValueError(f'{url} does not end with the name of a file')
    if model_dir is None:
        model_dir = os.path.join(torch.hub.get_dir(), 'checkpoints')
    return os.path.join(model_dir, name)


def _fetch(url: str, path: str, progress: bool) -> None:
    """Download a file unless it is there; never leaves half a file."""
    if os.path.exists(path):
        return
    os.makedirs(os.path.dirname(path), exist_ok=True)
    try:
        # Writes to a temporary file next to ``path`` and renames it.
        torch.hub.download_url_to_file(url, path, progress=progress)
    except OSError as error:  # URLError, HTTPError and timeouts are OSErrors
        raise RuntimeError(
            f'cannot download {os.path.basename(path)} from {url} to {path}: '
            f'{error}. If you have the file, put it at that path. {_HELP}'
        ) from error


def load_from_http(
    filename: str,
    map_location: Any = None,
    model_dir: str | None = None,
    progress: bool = os.isatty(0),
) -> Any:
    """Load a checkpoint from a URL, downloading it once.

    In distributed training the first process downloads and the others wait.

    Args:
        filename: The URL.
        map_location: As in :func:`torch.load`.
        model_dir: Where to keep the file, see :func:`cached_path`.
        progress: Whether to show a progress bar.

    Raises:
        RuntimeError: If the file cannot be downloaded; names the file, the
            URL and the ways to do without.
        UnsafeCheckpointError: See :func:`load_checkpoint_safely`.
    """
    path = cached_path(filename, model_dir)
    rank, world_size = get_dist_info()
    if rank == 0:
        _fetch(filename, path, progress)
    if world_size > 1:
        torch.distributed.barrier()
        # On other machines, whose disk may be another one.
        _fetch(filename, path, progress=False)
    try:
        return load_checkpoint_safely(path, map_location)
    except UnsafeCheckpointError:
        raise
    except RuntimeError as error:
        raise RuntimeError(
            f'{error}. It came from {filename}: delete it to download it '
            'again.'
        ) from error


def load_from_local(filename: str, map_location: Any = None) -> Any:
    """Load a local checkpoint, see :func:`load_checkpoint_safely`."""
    return load_checkpoint_safely(filename, map_location)


def load_from_ceph(
    filename: str, map_location: Any = None, backend: str = 'petrel'
) -> Any:
    """Load a checkpoint from a Ceph store through mmengine's file backend."""
    store = get_file_backend(filename, backend_args={'backend': backend})
    content = io.BytesIO(store.get(filename))
    return load_trusted_types(content, map_location, filename)


def load_from_pavi(filename: str, map_location: Any = None) -> Any:
    """Refuse ``pavi://``: its client cannot be had to test a safe way.

    Raises:
        NotImplementedError: Always.
    """
    raise NotImplementedError(
        f'{filename}: mmavs does not read pavi:// addresses, download the '
        'file and give its path'
    )


def _look_up(table: dict[str, str], address: str) -> str:
    """Find an address of the form ``scheme://name`` in mmengine's table."""
    name = address.partition('://')[2]
    if name not in table:
        raise KeyError(
            f'{address}: mmengine knows no model {name!r} under this scheme'
        )
    return table[name]


def load_from_torchvision(filename: str, map_location: Any = None) -> Any:
    """Load ``torchvision://NAME`` (or its old name ``modelzoo://NAME``)."""
    url = _look_up(stock.get_torchvision_models(), filename)
    return load_from_http(url, map_location)


def load_from_openmmlab(filename: str, map_location: Any = None) -> Any:
    """Load ``open-mmlab://NAME`` or ``openmmlab://NAME``."""
    scheme, _, name = filename.partition('://')
    # Some names were replaced; the table has the new ones only.
    name = stock.get_deprecated_model_names().get(name, name)
    url = _look_up(stock.get_external_models(), f'{scheme}://{name}')
    if url.startswith(('http://', 'https://')):
        return load_from_http(url, map_location)
    # A user's own table (``open_mmlab.json``) may list local files, relative
    # to its directory.
    home = Path(
        os.getenv('MMENGINE_HOME')
        or os.path.join(os.getenv('XDG_CACHE_HOME', '~/.cache'), 'mmengine')
    )
    return load_checkpoint_safely(home / url, map_location)


def load_from_mmcls(filename: str, map_location: Any = None) -> Any:
    """Load the backbone of ``mmcls://NAME``, a classifier."""
    url = _look_up(stock.get_mmcls_models(), filename)
    content = load_from_http(url, map_location)
    state_dict = content.get('state_dict', content)
    prefix = 'backbone.'
    return {
        'state_dict': OrderedDict(
            (key.removeprefix(prefix), value)
            for key, value in state_dict.items()
            if key.startswith(prefix)
        )
    }


# The keys are those mmengine registers, regular expressions included: only
# the same key replaces a loader.
_LOADERS: dict[str, Callable[..., Any]] = {
    '': load_from_local,
    'http://': load_from_http,
    'https://': load_from_http,
    'modelzoo://': load_from_torchvision,
    'torchvision://': load_from_torchvision,
    'open-mmlab://': load_from_openmmlab,
    'openmmlab://': load_from_openmmlab,
    'mmcls://': load_from_mmcls,
    r'(\S+\:)?s3://': load_from_ceph,
    r'(\S+\:)?petrel://': load_from_ceph,
    'pavi://': load_from_pavi,
}


def register_safe_loaders() -> None:
    """Replace every loader of mmengine's ``CheckpointLoader``.

    The loaders act on the whole process, and so for checkpoints of other
    models as well. Calling it again changes nothing.
    """
    for prefix, loader in _LOADERS.items():
        CheckpointLoader.register_scheme(prefix, loader, force=True)
