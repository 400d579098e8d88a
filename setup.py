"""Installation of mmavs.

Beside the package it ships what mim looks for: ``configs/``, ``tools/`` and
``model-index.yml`` as ``mmavs/.mim``, copied into wheels, linked to the
checkout in editable installations.
"""

import shutil
from pathlib import Path

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).resolve().parent
MIM_ENTRIES = ('configs', 'tools', 'model-index.yml')


def read_requirements(name: str) -> list[str]:
    """Read the requirements of ``requirements/NAME.txt``."""
    text = (ROOT / 'requirements' / f'{name}.txt').read_text(encoding='utf-8')
    lines = (line.partition('#')[0].strip() for line in text.splitlines())
    return [line for line in lines if line]


def read_version() -> str:
    """Read the version without importing the package."""
    scope: dict[str, str] = {}
    exec((ROOT / 'mmavs' / 'version.py').read_text(encoding='utf-8'), scope)
    return scope['__version__']


def remove(path: Path) -> None:
    """Remove a file, link or directory if it is there."""
    if path.is_symlink() or path.is_file():
        path.unlink()
    elif path.is_dir():
        shutil.rmtree(path)


def copy(source: Path, target: Path) -> None:
    """Copy a file or directory, without what Python leaves behind."""
    if source.is_dir():
        ignore = shutil.ignore_patterns('__pycache__', '*.pyc')
        shutil.copytree(source, target, ignore=ignore)
    else:
        shutil.copy2(source, target)


class BuildWithMim(build_py):
    """Build the package and its mim extension."""

    def run(self) -> None:
        """Build the modules, then add ``mmavs/.mim``."""
        super().run()
        base = ROOT if self.editable_mode else Path(self.build_lib)
        mim = base / 'mmavs' / '.mim'
        remove(mim)
        mim.mkdir(parents=True)
        for name in MIM_ENTRIES:
            source, target = ROOT / name, mim / name
            if self.editable_mode:
                try:
                    target.symlink_to(Path('..', '..', name))
                    continue
                except OSError:
                    # Windows without the privilege: a copy serves, until
                    # the configs change.
                    pass
            copy(source, target)


setup(
    name='mmavs',
    version=read_version(),
    description='Audio-visual segmentation with MMSegmentation',
    long_description=(ROOT / 'README.md').read_text(encoding='utf-8'),
    long_description_content_type='text/markdown',
    author='mmavs contributors',
    license='Apache-2.0',
    keywords='audio-visual segmentation, variational auto-encoder, pytorch',
    classifiers=[
        'Development Status :: 4 - Beta',
        'Operating System :: OS Independent',
        'Programming Language :: Python :: 3',
        'Programming Language :: Python :: 3.10',
        'Programming Language :: Python :: 3.11',
        'Topic :: Scientific/Engineering :: Artificial Intelligence',
    ],
    python_requires='>=3.10',
    packages=find_packages(include=['mmavs', 'mmavs.*']),
    include_package_data=True,
    # The mm* packages are left to the user, who may have the full mmcv or
    # the forks: importing mmavs checks them and says what to install.
    install_requires=read_requirements('runtime'),
    extras_require={
        'export': read_requirements('export'),
        'lite': read_requirements('lite'),
        'mim': read_requirements('mminstall'),
        'tensorboard': ['tensorboard'],
        'tests': read_requirements('tests'),
        'web': read_requirements('web'),
    },
    cmdclass={'build_py': BuildWithMim},
    zip_safe=False,
)
