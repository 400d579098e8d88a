"""The configs that come with mmavs, by their names."""

from __future__ import annotations

import difflib
import os
from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent.parent


def config_folder() -> Path:
    """The folder ``configs``: of an installed package or of a checkout."""
    installed = _PACKAGE / '.mim' / 'configs'
    return installed if installed.is_dir() else _PACKAGE.parent / 'configs'


def shipped_configs() -> list[str]:
    """Names of all configs but those that others are made of, sorted.

    A name is the path in ``configs`` without its ending, such as
    ``mmvae_pvt_s4`` and ``ablations/mmvae_pvt_s4_tpavi``.
    """
    folder = config_folder()
    paths = (path.relative_to(folder) for path in folder.rglob('*.py'))
    return sorted(
        path.with_suffix('').as_posix()
        for path in paths
        if path.parts[0] != '_base_'
    )


def find_config(config: str | os.PathLike) -> str:
    """Find a config.

    Args:
        config: path of a file, or the name of a config that comes with
            mmavs.

    Returns:
        Its path.

    Raises:
        FileNotFoundError: if it is neither; names the nearest.
    """
    path = os.path.expanduser(config)
    if os.path.isfile(path):
        return path
    names = shipped_configs()
    name = Path(config).as_posix().removesuffix('.py')
    if name in names:
        return str(config_folder() / f'{name}.py')
    # The folder is what is forgotten most easily.
    near = [n for n in names if n.endswith(f'/{Path(name).name}')]
    near += difflib.get_close_matches(name, names, n=4, cutoff=0.5)
    near = list(dict.fromkeys(near)) or [n for n in names if '/' not in n]
    raise FileNotFoundError(
        f'config {os.fspath(config)!r} is neither a file nor the name of a '
        f'config of mmavs; the nearest are {", ".join(near)}'
    )
