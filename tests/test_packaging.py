"""What a wheel holds, and what mim finds in it."""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import yaml

from mmavs.version import __version__

ROOT = Path(__file__).resolve().parents[1]
SHIPPED = ('configs', 'mmavs', 'requirements', 'tools')
FILES = (
    'CHANGELOG.md',
    'LICENSE',
    'MANIFEST.in',
    'README.md',
    'model-index.yml',
    'pyproject.toml',
    'setup.py',
)


@pytest.fixture(scope='module')
def checkout(tmp_path_factory):
    """A copy of the sources: building writes next to them."""
    target = tmp_path_factory.mktemp('packaging') / 'checkout'
    ignore = shutil.ignore_patterns('__pycache__', '.mim')
    for name in SHIPPED:
        shutil.copytree(ROOT / name, target / name, ignore=ignore)
    for name in FILES:
        shutil.copy2(ROOT / name, target / name)
    # Left behind by running a script, and nothing to ship.
    cache = target / 'tools' / '__pycache__'
    cache.mkdir()
    (cache / 'train.cpython-311.pyc').write_bytes(b'')
    return target


@pytest.fixture(scope='module')
def wheel(checkout, tmp_path_factory):
    """The wheel of the checkout."""
    target = tmp_path_factory.mktemp('wheels')
    _pip('wheel', '.', '-w', str(target), cwd=checkout)
    (path,) = target.glob('*.whl')
    return path


def _pip(*arguments, cwd):
    command = [sys.executable, '-m', 'pip', *arguments]
    command += ['--no-deps', '--no-build-isolation', '--no-index']
    result = subprocess.run(
        command,
        cwd=cwd,
        capture_output=True,
        text=True,
        env={**os.environ, 'PIP_DISABLE_PIP_VERSION_CHECK': '1'},
    )
    assert result.returncode == 0, result.stdout + result.stderr


def _tree(root):
    return {
        path.relative_to(root).as_posix()
        for path in root.rglob('*')
        if path.is_file() and '__pycache__' not in path.parts
    }


def test_the_wheel_holds_package_and_mim_extension(wheel):
    assert wheel.name == f'mmavs-{__version__}-py3-none-any.whl'
    names = set(zipfile.ZipFile(wheel).namelist())
    for folder in ('configs', 'tools'):
        expected = {
            f'mmavs/.mim/{folder}/{name}' for name in _tree(ROOT / folder)
        }
        assert expected <= names, expected - names
    assert 'mmavs/.mim/model-index.yml' in names
    modules = {
        f'mmavs/{name}'
        for name in _tree(ROOT / 'mmavs')
        if name.endswith('.py') and not name.startswith('.mim/')
    }
    assert modules <= names, modules - names
    assert not [name for name in names if '__pycache__' in name]
    assert {name.split('/')[0] for name in names} == {
        'mmavs',
        f'mmavs-{__version__}.dist-info',
    }


def test_the_wheel_requires_no_variant_of_the_stack(wheel):
    archive = zipfile.ZipFile(wheel)
    (name,) = (n for n in archive.namelist() if n.endswith('/METADATA'))
    lines = archive.read(name).decode().splitlines()
    required = [
        line.removeprefix('Requires-Dist: ')
        for line in lines
        if line.startswith('Requires-Dist: ') and 'extra ==' not in line
    ]
    assert any(line.startswith('torch>=2.6') for line in required)
    assert not [line for line in required if line.startswith('mm')]
    extras = {
        line.removeprefix('Provides-Extra: ')
        for line in lines
        if line.startswith('Provides-Extra: ')
    }
    expected = {'export', 'lite', 'mim', 'tensorboard', 'tests', 'web'}
    assert expected <= extras


def test_scripts_in_the_wheel_are_executable(wheel):
    archive = zipfile.ZipFile(wheel)
    info = archive.getinfo('mmavs/.mim/tools/dist_train.sh')
    assert info.external_attr >> 16 & 0o111


def test_an_editable_installation_links_the_checkout(
    checkout, tmp_path_factory
):
    target = tmp_path_factory.mktemp('editable')
    _pip('install', '-e', '.', '--target', str(target), cwd=checkout)
    mim = checkout / 'mmavs' / '.mim'
    for name in ('configs', 'tools', 'model-index.yml'):
        assert (mim / name).resolve() == checkout / name


def test_the_model_index_names_every_top_level_config():
    index = yaml.safe_load((ROOT / 'model-index.yml').read_text())
    collections = {item['Name'] for item in index['Collections']}
    listed = set()
    for model in index['Models']:
        assert model['In Collection'] in collections
        assert (ROOT / model['Config']).is_file(), model['Config']
        assert Path(model['Config']).stem == model['Name']
        listed.add(model['Config'])
    present = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / 'configs').glob('mmvae_*.py')
    }
    assert listed == present
