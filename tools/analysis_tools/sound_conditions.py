"""Test a checkpoint with the right sound, and with wrong ones.

Prints a table and writes it as JSON. Every score is against the mask of the
matched sound: a model that listens falls when the sound is another one. The
conditions twin and swapped need a test set with pairs, as the synthetic ones
are; on AVSBench give --conditions matched silence noise.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from mmengine.config import Config, DictAction
from rich.console import Console
from rich.table import Table

from mmavs.apis import evaluate_sound_conditions
from mmavs.datasets.transforms.sound_condition import SOUND_CONDITIONS


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config')
    parser.add_argument('checkpoint')
    parser.add_argument(
        '--conditions',
        nargs='+',
        default=['matched', 'twin', 'swapped', 'silence'],
        choices=sorted(SOUND_CONDITIONS),
        metavar='NAME',
        help=f'among {", ".join(sorted(SOUND_CONDITIONS))}; default: '
        'matched twin swapped silence',
    )
    parser.add_argument('--out', help='JSON file to write the scores to')
    parser.add_argument('--work-dir', help='where the logs go')
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=DictAction,
        help='override settings of the config, as key=value',
    )
    return parser.parse_args()


def main() -> None:
    """Run the test once per condition."""
    args = parse_args()
    config = Config.fromfile(args.config)
    if args.cfg_options:
        config.merge_from_dict(args.cfg_options)
    config.work_dir = args.work_dir or config.get(
        'work_dir', f'work_dirs/{Path(args.config).stem}'
    )
    scores = evaluate_sound_conditions(
        config, args.checkpoint, args.conditions
    )
    table = Table(title='scores against the mask of the matched sound')
    names = list(next(iter(scores.values())))
    for column in ('sound', *names):
        justify = 'left' if column == 'sound' else 'right'
        table.add_column(column, justify=justify)
    for condition, values in scores.items():
        table.add_row(condition, *(f'{values[name]:.3f}' for name in names))
    Console().print(table)
    if args.out:
        out = Path(args.out)
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(json.dumps(scores, indent=2) + '\n')


if __name__ == '__main__':
    main()
