"""Say whether a folder holds a complete AVSBench that loads.

Counts the clips against the published numbers, reads every file as training
reads it, and lists what is missing, broken, odd, or in two splits at once.

Exit status: 0 if training and testing have all they need, warnings or not;
1 if they have not; 2 if nothing could be checked; 130 if interrupted.
Examples::

    python tools/dataset_converters/check_avsbench.py data/AVSBench
    python tools/dataset_converters/check_avsbench.py data/AVSBench \\
        --subset s4 --json check.json
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from mmavs.datasets.checking import Report, check_avsbench, render
from mmavs.datasets.files import printable
from mmavs.datasets.layout import LAYOUTS

# What the scripts share lies a folder above them.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from steps.progress import progress_bar  # noqa: E402

COMPLETE, INCOMPLETE, NOTHING, INTERRUPTED = 0, 1, 2, 130
# Of a screen that is a file, or narrower: a name takes some 60 columns.
WIDTH = 100


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        'root',
        metavar='ROOT',
        help='folder with Single-source, Multi-sources or AVSBench-semantic, '
        'or one of these',
    )
    parser.add_argument(
        '--subset',
        nargs='+',
        choices=tuple(LAYOUTS),
        default=(),
        help='what must be there and is checked (default: what is there)',
    )
    parser.add_argument(
        '--quick',
        action='store_true',
        help='read headers only: what is missing, empty, cut short, of the '
        'wrong size or too short, not what is in the files',
    )
    parser.add_argument(
        '--workers',
        type=worker_count,
        default=num_cores(),
        metavar='N',
        help='processes (default: as many as cores, here %(default)s); 0 '
        'checks in this one, which a file that cannot be read may hold up',
    )
    parser.add_argument(
        '--time-limit',
        type=seconds,
        default=60.0,
        metavar='SECONDS',
        help='after which reading a clip is given up (default: %(default)g)',
    )
    parser.add_argument(
        '--json',
        nargs='?',
        const='-',
        metavar='FILE',
        help='write everything that was found as JSON to FILE, or to standard '
        'output in the place of the tables',
    )
    return parser.parse_args(argv)


def worker_count(text: str) -> int:
    """Read a number of processes."""
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f'must be 0 or more, got {text}')
    return int(text)


def seconds(text: str) -> float:
    """Read a time."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not value > 0:
        raise argparse.ArgumentTypeError(f'must be more than 0, got {text}')
    return value


def num_cores() -> int:
    """Count the cores that this process may use."""
    if hasattr(os, 'sched_getaffinity'):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def show(report: Report, target: str | None) -> None:
    """Print the tables, and write the JSON where it is wanted."""
    if target is not None:
        # In ASCII: a name that is not UTF-8 cannot be written in it.
        text = json.dumps(report.to_dict(), indent=1)
        if target == '-':
            print(text)
            return
        Path(target).write_text(text + '\n', encoding='ascii')
    console = Console(highlight=False)
    if not console.is_terminal or console.width < WIDTH:
        console.width = WIDTH
    console.print(render(report))
    if target is not None:
        console.print(f'all of it: {printable(target)}', markup=False)
    elif report.problems:
        # The tables show some of the files, and of most no message.
        console.print('--json FILE writes all of it, with the full messages')


def main(argv: Sequence[str] | None = None) -> int:
    """Check, and say how it went."""
    args = parse_args(argv)
    try:
        if args.json not in (None, '-'):
            # Before the minutes that the check takes.
            open(args.json, 'a').close()
        with progress_bar('clips', transient=True) as progress:
            report = check_avsbench(
                args.root,
                args.subset,
                is_quick=args.quick,
                num_workers=args.workers,
                time_limit_s=args.time_limit,
                progress=progress,
            )
        show(report, args.json)
    except (OSError, RuntimeError) as error:
        print(f'error: {printable(str(error))}', file=sys.stderr)
        return NOTHING
    except KeyboardInterrupt:
        print('interrupted: nothing was reported', file=sys.stderr)
        return INTERRUPTED
    return INCOMPLETE if report.num_errors else COMPLETE


if __name__ == '__main__':
    sys.exit(main())
