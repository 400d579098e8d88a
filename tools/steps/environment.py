"""What the numbers of a benchmark depend on: machine and packages."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version

import torch

import mmavs

PACKAGES = ('mmsegmentation', 'mmengine', 'numpy', 'av')


def describe_environment() -> dict[str, dict]:
    """The ``versions`` of Python and packages, and the ``machine``."""
    return dict(versions=_versions(), machine=_machine())


def _machine() -> dict:
    cores = os.cpu_count()
    if hasattr(os, 'sched_getaffinity'):
        cores = len(os.sched_getaffinity(0))
    return dict(
        system=platform.system(),
        processor=platform.machine(),
        cpu_count=os.cpu_count(),
        usable_cores=cores,
        omp_num_threads=os.environ.get('OMP_NUM_THREADS'),
        gpu=torch.cuda.get_device_name()
        if torch.cuda.is_available()
        else None,
    )


def _versions() -> dict[str, str | None]:
    versions: dict[str, str | None] = dict(
        python=platform.python_version(),
        mmavs=mmavs.__version__,
        torch=torch.__version__,
    )
    for package in PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            versions[package] = None
    return versions
