"""Segment what sounds in your own videos."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

# torch and mmavs are imported when the command line is known to be right.
from rich.console import Console
from rich.table import Table
from rich.text import Text
from steps.inference_options import Parser, parse_args
from steps.messages import reason, refuse, say, tell_warnings_once
from steps.progress import progress_bar

# Characters of a name beside a bar.
MAX_LABEL = 30


@dataclass(frozen=True)
class Done:
    """An input that was segmented.

    Attributes:
        source: its path.
        folder: where the result is.
        summary: that of result.json.
        work_s: how long it took.
    """

    source: str
    folder: str
    summary: dict
    work_s: float


def load(args: argparse.Namespace) -> Any:
    """Make the inferencer, or say why that is impossible."""
    console = Console(stderr=True)
    with console.status('loading the model'):
        from mmengine.config import DictAction

        from mmavs.inference.inferencer import AVSInferencer
        from mmavs.inference.recordings.recording import frame_rate
        from mmavs.inference.windows import check_overlap

        options = Parser()
        options.add_argument('--cfg-options', nargs='*', action=DictAction)
        pairs = options.parse_args(['--cfg-options', *args.cfg_options])
        try:
            frame_rate(args.fps)
            inferencer = AVSInferencer(
                args.config,
                args.checkpoint,
                args.device,
                cfg_options=pairs.cfg_options,
                precision=args.precision,
                num_samples=args.samples,
            )
            check_overlap(args.overlap, inferencer.num_frames)
        except Exception as error:
            refuse(reason(error, ''))
    return inferencer


def list_sources(paths: Sequence[str]) -> tuple[list[str], int]:
    """List the recordings, each once, and tell which inputs are none.

    Returns:
        Their paths, and how many inputs are none.
    """
    from mmavs.inference.recordings import list_inputs

    sources, num_failed = {}, 0
    for path in paths:
        try:
            for source in list_inputs(path):
                sources.setdefault(os.path.realpath(source), source)
        except Exception as error:
            say(f'{path}: {reason(error, path)}')
            num_failed += 1
    return list(sources.values()), num_failed


def segment(
    args: argparse.Namespace,
    inferencer: Any,
    sources: Sequence[str],
    done: list[Done],
) -> int:
    """Segment recordings, one after the other.

    Args:
        args: the command line.
        inferencer: the model.
        sources: paths of the recordings.
        done: gets those that are done.

    Returns:
        How many failed.
    """
    from mmavs.datasets.files import printable
    from mmavs.inference.results.prediction_files import write_prediction
    from mmavs.inference.results.result_folder import folder_names

    num_failed = 0
    for number, name in enumerate(folder_names(sources), 1):
        source, folder = sources[number - 1], os.path.join(args.out, name)
        label = f'[{number}/{len(sources)}] {printable(name[:MAX_LABEL])}'
        begin = time.perf_counter()
        try:
            with progress_bar(label, unit='s') as progress:
                result = write_prediction(
                    inferencer,
                    source,
                    folder,
                    fps=args.fps,
                    overlap=args.overlap,
                    batch_size=args.batch_size,
                    sound=args.sound,
                    no_audio_policy=args.no_audio_policy,
                    overlay=not args.no_overlay,
                    timeline=not args.no_timeline,
                    codes=args.codes,
                    progress=progress,
                )
        except Exception as error:
            say(f'{source}: {reason(error, source)}')
            num_failed += 1
        else:
            work_s = time.perf_counter() - begin
            done.append(Done(source, folder, result['summary'], work_s))
    return num_failed


def show(done: Sequence[Done]) -> None:
    """Print what was done as a table."""
    from mmavs.datasets.files import printable

    table = Table(caption='speed: seconds of video per second of work')
    table.add_column('input', overflow='fold')
    for header in ('seconds', 'frames', 'sounding', 'speed'):
        table.add_column(header, justify='right', no_wrap=True)
    table.add_column('result', overflow='fold')
    for job in done:
        seconds = job.summary['duration_s']
        table.add_row(
            # A text is shown as it is, whatever brackets it has.
            Text(printable(job.source)),
            f'{seconds:.1f}',
            str(job.summary['num_frames']),
            f'{job.summary["area_share"]:.1%}',
            f'{seconds / job.work_s:.2f}',
            Text(printable(job.folder)),
        )
    console = Console()
    if not console.is_terminal:
        # A file has no width: names are not folded there.
        console = Console(width=10_000)
    console.print(table)


def run(args: argparse.Namespace) -> int:
    """Do what the command line says and return the exit status."""
    missing = [path for path in args.inputs if not os.path.exists(path)]
    for path in missing:
        say(f'{path}: does not exist')
    present = [path for path in args.inputs if path not in missing]
    done: list[Done] = []
    num_failed, sources, interrupted = len(missing), [], False
    try:
        if present:
            inferencer = load(args)
            sources, num_bad = list_sources(present)
            num_failed += num_bad
            num_failed += segment(args, inferencer, sources, done)
    except KeyboardInterrupt:
        interrupted = True
    if done:
        show(done)
    if interrupted:
        num_left = max(len(sources), len(present)) - len(done)
        say(f'interrupted: {len(done)} inputs done, {num_left} not')
        return 130
    print(f'{len(done)} inputs done, {num_failed} failed')
    return 1 if num_failed else 0


def main() -> None:
    """Run as a script."""
    args = parse_args()
    tell_warnings_once()
    sys.exit(run(args))


if __name__ == '__main__':
    # The end that a scheduler asks for also leaves nothing half done.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    main()
