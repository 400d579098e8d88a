"""Test whether a model listens: the right sound, and wrong ones.

Prints a table and writes listening.json, listening.md, listening.png, the
sounds that were paired (pairs.json) and the numbers of every clip (clips.npz).
A sound is NAME or NAME@PARAMETER; those the set has no pairs for are left out,
with a line that says so. Example::

    python tools/analysis_tools/listen.py CONFIG CHECKPOINT --out DIR \\
        --conditions matched swapped silence white_noise@10dB shift@+1s
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from mmengine.config import DictAction
from rich import box
from rich.console import Console
from rich.table import Table

# What the scripts share lies a folder above them.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from steps.arguments import positive  # noqa: E402
from steps.progress import progress_bar  # noqa: E402

from mmavs.apis.listening import (  # noqa: E402
    DEFAULT_CONDITIONS,
    evaluate_listening,
)
from mmavs.apis.sound_predictions import SPLITS  # noqa: E402
from mmavs.datasets.sound_conditions import (  # noqa: E402
    parse_condition,
)
from mmavs.datasets.sound_pairs import write_sound_pairs  # noqa: E402
from mmavs.evaluation.listening import (  # noqa: E402
    ListeningReport,
    save_records,
)
from mmavs.evaluation.listening.tables import (  # noqa: E402
    HEADER,
    NOTE,
    summary_lines,
    table_rows,
    to_markdown,
)
from mmavs.inference.loading import read_config  # noqa: E402
from mmavs.visualization.listening_figure import draw_listening  # noqa: E402


def condition(text: str) -> str:
    """The one form of a condition, for argparse."""
    try:
        return parse_condition(text).text
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument('config')
    parser.add_argument('checkpoint')
    parser.add_argument(
        '--out',
        type=Path,
        metavar='DIR',
        help='where the results go; default: listening/ and the name of the\n'
        'checkpoint in the work folder',
    )
    parser.add_argument(
        '--conditions',
        nargs='+',
        type=condition,
        default=DEFAULT_CONDITIONS,
        metavar='SOUND',
        help=f'default: {" ".join(DEFAULT_CONDITIONS)}',
    )
    parser.add_argument(
        '--split', choices=SPLITS, default='test', help='default: %(default)s'
    )
    parser.add_argument(
        '--seed',
        type=int,
        default=0,
        help='of noises, orders, pairs that are made and the bootstrap; '
        'default: %(default)s',
    )
    parser.add_argument(
        '--bootstrap',
        type=positive,
        default=2000,
        metavar='N',
        help='resampled sets of clips; default: %(default)s',
    )
    parser.add_argument(
        '--work-dir',
        help="default: that of the config, or work_dirs/ and the config's "
        'name',
    )
    parser.add_argument(
        '--device', help='cpu, cuda, cuda:1, ...; default: a GPU if there is'
    )
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=DictAction,
        default={},
        metavar='KEY=VALUE',
        help='override settings of the config',
    )
    return parser.parse_args()


def write(report: ListeningReport, out: Path, about: dict) -> None:
    """Write all files of a report.

    Args:
        report: what was measured.
        out: the folder.
        about: what was tested, for the head of the files.
    """
    out.mkdir(parents=True, exist_ok=True)
    content = dict(about, **report.to_dict())
    (out / 'listening.json').write_text(
        json.dumps(content, indent=2, allow_nan=False, default=str) + '\n'
    )
    title = f'{Path(about["config"]).stem}, {about["split"]} set'
    (out / 'listening.md').write_text(to_markdown(report, title))
    draw_listening(report, out / 'listening.png', title)
    save_records(out / 'clips.npz', report.records)
    write_sound_pairs(out / 'pairs.json', report.pairs)


def main() -> None:
    """Measure, show and write."""
    args = parse_args()
    try:
        config = read_config(args.config, args.cfg_options)
        with progress_bar('clips', transient=True) as progress:
            report = evaluate_listening(
                config,
                args.checkpoint,
                args.conditions,
                split=args.split,
                seed=args.seed,
                num_bootstrap=args.bootstrap,
                device=args.device,
                progress=progress,
            )
    except (OSError, ValueError) as error:
        raise SystemExit(f'error: {error}') from error
    work = args.work_dir or config.get('work_dir')
    work = work or Path('work_dirs', Path(args.config).stem)
    out = args.out or Path(work, 'listening', Path(args.checkpoint).stem)
    about = dict(
        config=args.config,
        checkpoint=args.checkpoint,
        split=args.split,
        cfg_options=args.cfg_options,
    )
    write(report, out, about)
    console = Console(highlight=False)
    table = Table(caption=NOTE, box=box.SIMPLE_HEAD)
    for column in HEADER:
        left = column == HEADER[0]
        table.add_column(
            column, justify='left' if left else 'right', no_wrap=True
        )
    for row in table_rows(report, intervals=False):
        table.add_row(*row)
    console.print(table)
    for line in summary_lines(report):
        console.print(line, markup=False, soft_wrap=True)
    console.print(f'intervals and figure: {out}', markup=False, soft_wrap=True)


if __name__ == '__main__':
    main()
