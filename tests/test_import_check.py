"""The version check that comes before everything else."""

import importlib
import sys
from types import ModuleType

import pytest

from mmavs.compat.dependencies import (
    REQUIREMENTS,
    check_dependencies,
    check_version,
)

COMMAND = 'pip install -r requirements/stack.txt'


def _versions(monkeypatch, **versions):
    """Put modules with these versions in the place of the real ones."""
    for name in REQUIREMENTS:
        module = ModuleType(name)
        module.__version__ = versions[name]
        monkeypatch.setitem(sys.modules, name, module)


SUPPORTED = {
    'default': dict(
        torch='2.11.0+cpu', mmengine='0.10.7', mmcv='2.1.0', mmseg='1.2.2'
    ),
    'forks': dict(
        torch='2.11.0', mmengine='0.10.12', mmcv='2.3.6', mmseg='1.4.2'
    ),
    'candidates': dict(
        torch='2.12.0a0', mmengine='0.10.8rc1', mmcv='2.2.0', mmseg='1.3.0'
    ),
}


@pytest.mark.parametrize('stack', SUPPORTED)
def test_supported_stacks_pass(monkeypatch, stack):
    _versions(monkeypatch, **SUPPORTED[stack])
    check_dependencies()


@pytest.mark.parametrize(
    ('package', 'version'),
    [
        ('torch', '2.5.1'),
        ('mmengine', '0.9.1'),
        ('mmengine', '1.0.0'),
        ('mmcv', '1.7.2'),
        ('mmcv', '3.0.0'),
        ('mmseg', '1.1.2'),
        ('mmseg', '0.30.0'),
        ('mmseg', 'unknown'),
    ],
)
def test_out_of_range(monkeypatch, package, version):
    _versions(monkeypatch, **{**SUPPORTED['default'], package: version})
    with pytest.raises(ImportError) as error:
        check_dependencies()
    message = str(error.value)
    allowed = REQUIREMENTS[package][1]
    assert f'needs {package} {allowed}' in message
    assert f'found {package} {version}' in message
    assert COMMAND in message


@pytest.mark.parametrize('package', REQUIREMENTS)
def test_missing(monkeypatch, package):
    _versions(monkeypatch, **SUPPORTED['default'])
    # None makes the import system say that there is no such module.
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ImportError) as error:
        check_dependencies()
    message = str(error.value)
    distribution, allowed = REQUIREMENTS[package]
    assert f'{package} ({distribution} {allowed}) is missing' in message
    assert COMMAND in message


def _import_failing(monkeypatch, package, error):
    real = importlib.import_module

    def import_module(name, *args):
        if name == package:
            raise error
        return real(name, *args)

    monkeypatch.setattr(importlib, 'import_module', import_module)


def test_what_a_package_itself_misses_is_named(monkeypatch):
    _versions(monkeypatch, **SUPPORTED['default'])
    missing = ModuleNotFoundError(
        "No module named 'pkg_resources'", name='pkg_resources'
    )
    _import_failing(monkeypatch, 'mmengine', missing)
    with pytest.raises(ImportError, match='pkg_resources') as error:
        check_dependencies()
    assert COMMAND in str(error.value)


def test_the_narrower_range_of_mmsegmentation_is_explained(monkeypatch):
    """Released mmseg asserts mmcv < 2.2.0, in words that do not say so."""
    _versions(monkeypatch, **SUPPORTED['default'])
    _import_failing(
        monkeypatch,
        'mmseg',
        AssertionError('MMCV==2.2.0 is used but incompatible.'),
    )
    with pytest.raises(ImportError) as error:
        check_dependencies()
    message = str(error.value)
    assert 'MMCV==2.2.0' in message and '<2.2.0' in message
    assert COMMAND in message


def test_check_version_is_inclusive_below_and_exclusive_above():
    check_version('x', '1.0', '>=1.0,<2.0')
    for version in ('0.9', '2.0', '2.0.1'):
        with pytest.raises(ImportError):
            check_version('x', version, '>=1.0,<2.0')
