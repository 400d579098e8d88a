"""What is wrong with a command line, found without torch."""

from __future__ import annotations

import argparse
import os
import runpy
from importlib.util import find_spec
from pathlib import Path

from .messages import refuse

SOUNDS = ('matched', 'silence', 'noise')


def check_files(args: argparse.Namespace) -> None:
    """Refuse what cannot work whatever the inputs are."""
    check_model(args.config, args.checkpoint)
    if args.sound not in SOUNDS and not os.path.isfile(args.sound):
        refuse(
            f'--sound must be one of {", ".join(SOUNDS)} or a file, got '
            f'{args.sound!r}'
        )
    check_folder(args.out)
    for option in args.cfg_options:
        if '=' not in option:
            refuse(f'--cfg-options must be KEY=VALUE, got {option!r}')


def check_model(config: str, weights: str | None) -> None:
    """Refuse a config or a checkpoint that is not there."""
    try:
        find_config(config)
    except FileNotFoundError as error:
        refuse(str(error))
    # An address is for the library to look at.
    if weights and '://' not in weights and not os.path.isfile(weights):
        refuse(f'--checkpoint {weights} is not a file')


def check_folder(out: str) -> None:
    """Refuse a folder for the results that is none, or cannot be made."""
    if os.path.lexists(out) and not os.path.isdir(out):
        refuse(f'--out {out} is not a folder')
    folder = Path(os.path.abspath(out))
    while True:
        try:
            folder.stat()
            break
        except FileNotFoundError:
            folder = folder.parent
        except OSError as error:
            refuse(f'--out {out} cannot be made: {error.strerror}')
    if not os.access(folder, os.W_OK | os.X_OK):
        refuse(f'--out {out} cannot be written: {folder} is not writable')


def find_config(config: str) -> str:
    """Do what the library does to find a config, without importing it all."""
    spec = find_spec('mmavs')
    if spec is None:
        refuse('mmavs is not installed: pip install -e . in its checkout')
    package = Path(spec.submodule_search_locations[0])
    module = runpy.run_path(str(package / 'inference' / 'shipped_configs.py'))
    return module['find_config'](config)
