"""Convert the log-mel pickles below a folder to safetensors or npy, once.

AVSBench publishes its audio features as pickles, which run whatever code is
in them when opened with pickle.load. This reads them without running
anything, and writes beside each X.pkl an X.safetensors (or X.npy), which the
data sets of mmavs, and others, read from then on. The pickles stay.
Interrupted, it goes on where it stopped. Example::

    python tools/dataset_converters/convert_log_mel.py data/AVSBench
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from pathlib import Path

from mmavs.datasets.errors import DataError
from mmavs.datasets.files import printable
from mmavs.datasets.log_mel_files import (
    CONVERTED,
    PICKLE,
    load_log_mel_file,
    save_log_mel,
)

# What the scripts share lies a folder above them.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from steps.progress import progress_bar  # noqa: E402


@dataclass
class Report:
    """What became of the pickles.

    Attributes:
        num_converted: written now.
        num_complete: converted before.
        refused: path to reason.
        links: links to folders, which are not followed.
    """

    num_converted: int = 0
    num_complete: int = 0
    refused: dict[Path, str] = field(default_factory=dict)
    links: list[Path] = field(default_factory=list)


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument(
        'root',
        metavar='ROOT',
        type=Path,
        help='folder, searched with all below it',
    )
    parser.add_argument(
        '--format',
        choices=[suffix[1:] for suffix in CONVERTED],
        default=CONVERTED[0][1:],
        help='default: %(default)s',
    )
    parser.add_argument(
        '--workers',
        type=int,
        default=4,
        help='threads, for slow disks; default: %(default)s',
    )
    args = parser.parse_args(argv)
    if args.workers < 1:
        parser.error(f'--workers must be at least 1, got {args.workers}')
    if not args.root.is_dir():
        parser.error(f'ROOT must be a folder, got {args.root}')
    return args


def find_pickles(root: Path, report: Report) -> list[Path]:
    """List the pickles below a folder.

    Links to folders are put on the report and not followed, nor are links
    to files outside of the folder.
    """

    def refuse(error: OSError) -> None:
        report.refused[Path(error.filename)] = str(error)

    real_root = os.path.realpath(root)
    pickles = []
    for folder, folders, names in os.walk(root, onerror=refuse):
        folders.sort()
        report.links += [
            path
            for name in folders
            if (path := Path(folder, name)).is_symlink()
        ]
        for name in sorted(names):
            path = Path(folder, name)
            if path.suffix != PICKLE:
                continue
            if Path(os.path.realpath(path)).is_relative_to(real_root):
                pickles.append(path)
            else:
                report.refused[path] = 'it is a link that leads out of ROOT'
    return pickles


def is_converted(source: Path, target: Path) -> bool:
    """Whether the target is complete, and not older than its source."""
    if target.is_symlink():
        raise DataError(f'{target} is a link, which is not written through')
    try:
        if target.stat().st_mtime_ns < source.stat().st_mtime_ns:
            return False
        load_log_mel_file(str(target))
    except (DataError, FileNotFoundError):
        return False
    return True


def convert_file(source: Path, suffix: str) -> bool:
    """Convert one pickle, unless it was done before.

    Returns:
        bool: Whether a file was written.

    Raises:
        DataError: if the pickle holds no log-mel patches.
        OSError: if the file cannot be written.
    """
    target = source.with_suffix(suffix)
    if is_converted(source, target):
        return False
    save_log_mel(str(target), load_log_mel_file(str(source)))
    # Not older than a pickle that claims to be of tomorrow.
    times_ns = source.stat().st_mtime_ns, target.stat().st_mtime_ns
    os.utime(target, ns=(max(times_ns),) * 2)
    return True


def convert_all(
    pickles: Sequence[Path],
    suffix: str,
    num_workers: int,
    report: Report,
    progress: Callable[[int, int], None],
) -> None:
    """Convert pickles, and put what becomes of them on the report."""
    progress(0, len(pickles))
    with ThreadPoolExecutor(num_workers) as pool:
        paths = {
            pool.submit(convert_file, path, suffix): path for path in pickles
        }
        try:
            for number, future in enumerate(as_completed(paths), 1):
                try:
                    if future.result():
                        report.num_converted += 1
                    else:
                        report.num_complete += 1
                except (DataError, OSError) as error:
                    report.refused[paths[future]] = str(error)
                progress(number, len(pickles))
        finally:
            # Interrupted: what has not begun is left.
            pool.shutdown(cancel_futures=True)


def print_report(report: Report) -> None:
    """Say what was done, and name what was not."""
    print(
        f'converted {report.num_converted}, complete already '
        f'{report.num_complete}, refused {len(report.refused)}'
    )
    for path in report.links:
        print(printable(f'not followed: {path} -> {os.readlink(path)}'))
    for path, reason in sorted(report.refused.items()):
        print(printable(f'refused: {path}: {reason}'))


def main(argv: Sequence[str] | None = None) -> int:
    """Convert a tree; 1 if anything in it was refused, or nothing found."""
    args = parse_args(argv)
    report = Report()
    pickles = find_pickles(args.root, report)
    with progress_bar('pickles') as progress:
        convert_all(pickles, f'.{args.format}', args.workers, report, progress)
    print_report(report)
    if not pickles and not report.refused:
        print(f'no {PICKLE} file below {args.root}', file=sys.stderr)
        return 1
    return 1 if report.refused else 0


if __name__ == '__main__':
    sys.exit(main())
