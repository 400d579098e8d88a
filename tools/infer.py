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
from steps.inference_checks import SOUNDS
from steps.inference_options import Parser, parse_args
from steps.messages import reason, refuse, say, tell_warnings_once
from steps.progress import progress_bar

# Characters of a name beside a bar.
MAX_LABEL = 30


# Columns of a table in a file; longer names are folded.
FILE_WIDTH = 120


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
        check_device(args.device)
        check_sound(args.sound)
        try:
            frame_rate(args.fps)
            inferencer = AVSInferencer(
                args.config,
                args.checkpoint,
                args.device,
                cfg_options=pairs.cfg_options,
                precision=args.precision,
                num_samples=args.samples,
                seed=args.seed,
            )
            check_overlap(args.overlap, inferencer.num_frames)
        except Exception as error:
            refuse(reason(error, ''))
    if args.codes and not hasattr(inferencer.model.neck, 'latents'):
        refuse(
            f'--codes: the model of {inferencer.config_name} has no latent '
            'codes'
        )
    return inferencer


def check_device(device: str | None) -> None:
    """Refuse a device that is none, or is not there."""
    import torch

    try:
        torch.empty(0, device=device)
    except Exception as error:
        why = str(error).partition('\n')[0]
        refuse(
            f'--device must be cpu, cuda, cuda:1, ... as there are, got '
            f'{device!r} ({why})'
        )


def check_sound(sound: str) -> None:
    """Refuse a file whose sound cannot take the place of others."""
    from mmavs.inference.endless_sounds import RepeatedSound

    if sound in SOUNDS:
        return
    try:
        with RepeatedSound(sound) as opened:
            opened.read(0, 1)
    except Exception as error:
        refuse(f'--sound {sound}: {reason(error, sound)}')


def make_folder(out: str) -> None:
    """Make the folder for the results; it is no input's fault if not."""
    try:
        os.makedirs(out, exist_ok=True)
    except OSError as error:
        refuse(f'--out {out} cannot be made: {error.strerror}')


def fail(failures: list[str], source: str, why: str) -> None:
    """Say why an input fails, now and in the end."""
    failures.append(f'{source}: {why}')
    say(failures[-1])


def list_sources(paths: Sequence[str], failures: list[str]) -> list[str]:
    """List the recordings, each once.

    Args:
        paths: the inputs.
        failures: gets those that are none.
    """
    from mmavs.inference.recordings import list_inputs

    sources: dict[str, str] = {}
    for path in paths:
        try:
            for source in list_inputs(path):
                sources.setdefault(os.path.realpath(source), source)
        except Exception as error:
            fail(failures, path, reason(error, path))
    return list(sources.values())


def segment(
    args: argparse.Namespace,
    inferencer: Any,
    sources: Sequence[str],
    done: list[Done],
    failures: list[str],
) -> None:
    """Segment recordings, one after the other.

    Args:
        args: the command line.
        inferencer: the model.
        sources: paths of the recordings.
        done: gets those that are done.
        failures: gets the others.
    """
    from mmavs.datasets.files import printable
    from mmavs.inference.results.prediction_files import write_prediction
    from mmavs.inference.results.result_folder import choose_folder

    for number, source in enumerate(sources, 1):
        begin = time.perf_counter()
        try:
            folder = choose_folder(args.out, source)
            name = printable(folder.name[:MAX_LABEL])
            label = f'[{number}/{len(sources)}] {name}'
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
                    probabilities=args.probabilities,
                    progress=progress,
                )
        except Exception as error:
            fail(failures, source, reason(error, source))
        else:
            work_s = time.perf_counter() - begin
            done.append(Done(source, str(folder), result['summary'], work_s))


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
        # A file has no width, but is read all the same.
        console = Console(width=max(console.width, FILE_WIDTH))
    console.print(table)


def run(args: argparse.Namespace) -> int:
    """Do what the command line says and return the exit status."""
    present, failures = [], []
    for path in args.inputs:
        if os.path.exists(path):
            present.append(path)
        else:
            fail(failures, path, 'does not exist')
    done: list[Done] = []
    sources, interrupted = [], False
    try:
        if present:
            inferencer = load(args)
            make_folder(args.out)
            sources = list_sources(present, failures)
            segment(args, inferencer, sources, done, failures)
    except KeyboardInterrupt:
        interrupted = True
    if done:
        show(done)
    if done or len(sources) > 1:
        # Between the bars they are overlooked.
        for failure in failures:
            say(f'failed: {failure}')
    if interrupted:
        num_left = max(len(sources), len(present)) - len(done)
        say(f'interrupted: {len(done)} inputs done, {num_left} not')
        return 130
    print(f'{len(done)} inputs done, {len(failures)} failed')
    return 1 if failures else 0


def main() -> None:
    """Run as a script."""
    args = parse_args()
    tell_warnings_once()
    sys.exit(run(args))


if __name__ == '__main__':
    # The end that a scheduler asks for also leaves nothing half done.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    main()
