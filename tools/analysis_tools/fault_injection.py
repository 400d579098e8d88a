"""Train the tiny MS3 config on a machine on which everything goes wrong.

Of the synthetic training clips one in a hundred has a file that was cut
short, one has NaN in its sound, some are read from a disk that is slow, and
the system kills a process that loads data. The training is resumed when it
ends with an error, as a job queue would. Beside it the same training runs
without faults; the report has the iterations, what was left out and the scores
of both.
"""

from __future__ import annotations

import argparse
import copy
import json
import os
import sys
from pathlib import Path

from mmengine.config import Config
from rich.console import Console

from mmavs.compat.checkpoints import load_checkpoint_safely

# What this script shares with others lies a folder above it.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from steps.runner import (  # noqa: E402
    ROOT,
    Step,
    StepError,
    StepRunner,
    digest,
    prepare,
)
from steps.survival import (  # noqa: E402
    FOLDER,
    OWN,
    add_set_up_options,
    check_iters,
    damage_clips,
    data_step,
    last_scores,
    perform_once,
    short_config,
    step_key,
    train_step,
    write_report,
)

NAMES = ('clean', 'faulty')
console = Console(highlight=False)


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument(
        '--iters', type=int, default=580, help='default: %(default)s'
    )
    parser.add_argument(
        '--unreadable',
        type=float,
        default=0.01,
        metavar='SHARE',
        help='of the training clips, at least one; default: %(default)s',
    )
    parser.add_argument(
        '--slow',
        type=float,
        nargs=2,
        default=(0.05, 0.5),
        metavar=('SHARE', 'SECONDS'),
        help='clips that take longer to read; default: 0.05 0.5',
    )
    parser.add_argument(
        '--max-resumes',
        type=int,
        default=3,
        help='how often an error is answered with --resume;\n'
        'default: %(default)s',
    )
    parser.add_argument(
        '--tolerance',
        type=float,
        default=0.1,
        metavar='MIOU',
        help='how far the scores may lie apart; default: %(default)s',
    )
    add_set_up_options(parser, (500, 40, 0), 'work_dirs/fault_injection')
    args = parser.parse_args()
    check_iters(parser, args.iters)
    return args


def with_faults(
    config: Config, data: Path, clips: list[str], args: argparse.Namespace
) -> Config:
    """The config of a training to which all of it happens.

    Args:
        config: of the training without faults.
        data: folder of the damaged set.
        clips: ids of training clips that are whole, at least two.
        args: of the command line.
    """
    config = copy.deepcopy(config)
    config.custom_imports.imports += ['steps.faults']
    dataset = config.train_dataloader.dataset
    dataset.data_root = str(data)
    share, seconds = args.slow
    marker = data.parent / 'worker_was_killed'
    marker.unlink(missing_ok=True)
    nan, deadly = clips[0], clips[len(clips) // 2]
    pack = dataset.pipeline.pop()
    dataset.pipeline = [
        dict(type='SlowDisk', share=share, seconds=seconds),
        dict(type='KilledWorker', video_id=deadly, done=str(marker)),
        *dataset.pipeline,
        dict(type='NaNClip', video_id=nan),
        pack,
    ]
    hooks = config.default_hooks
    hooks.unreadable_clips.max_clips = max(1, args.clips[0] // 20)
    # The clip is drawn once a pass.
    batch = config.train_dataloader.batch_size
    hooks.finite_loss.max_skipped = 2 + args.iters * batch // args.clips[0]
    return config


def train_through(
    runner: StepRunner, step: Step, key: str, max_resumes: int
) -> list[str]:
    """Train, and resume after errors.

    Returns:
        The last line of each error.

    Raises:
        StepError: if there are more than ``max_resumes``.
    """
    errors: list[str] = []
    while True:
        try:
            runner.perform(step, key)
        except StepError as error:
            errors.append(last_error(error.tail))
            console.print(f'  ended: {errors[-1]}', markup=False)
            if len(errors) > max_resumes:
                raise
        else:
            return errors


def last_error(tail: str) -> str:
    """What an interpreter said last of an exception."""
    lines = [line for line in tail.splitlines() if 'Error' in line]
    return lines[-1].strip() if lines else tail.strip().rpartition('\n')[2]


def read_list(path: Path) -> list[dict]:
    """A report of a training, if it wrote one."""
    return json.loads(path.read_text()) if path.exists() else []


def summarise(
    clean: Step, faulty: Step, errors: list[str], damaged: list[str]
) -> dict:
    """All that the report shows."""
    return dict(
        iterations={
            step.name: load_checkpoint_safely(step.output)['meta']['iter']
            for step in (clean, faulty)
            if step.output.exists()
        },
        scores={
            step.name: last_scores(step.folder) for step in (clean, faulty)
        },
        ended_with_error_and_resumed=errors,
        damaged_clips=damaged,
        unreadable_clips=read_list(faulty.folder / 'unreadable_clips.json'),
        skipped_batches=read_list(faulty.folder / 'skipped_batches.json'),
    )


def markdown(summary: dict) -> list[str]:
    """The report."""
    lines = [
        '# A training with faults',
        '',
        '| training | iterations | mIoU | F |',
        '| --- | ---: | ---: | ---: |',
    ]
    for name, iters in summary['iterations'].items():
        scores = summary['scores'][name]
        values = (scores.get(key, float('nan')) for key in ('mIoU', 'F'))
        cells = ' | '.join(f'{value:.3f}' for value in values)
        lines.append(f'| {name} | {iters} | {cells} |')
    lines += ['', 'Ended with an error and resumed:', '']
    lines += [f'- {text}' for text in summary['ended_with_error_and_resumed']]
    lines += ['', 'Files that could not be read:', '']
    lines += [
        f'- clip {clip["video_id"]}, replaced {clip["times"]} times: '
        f'{clip["reason"]}'
        for clip in summary['unreadable_clips']
    ]
    lines += ['', 'Batches left out:', '']
    for batch in summary['skipped_batches']:
        for part in batch['processes']:
            lines.append(
                f'- iteration {batch["iteration"]}: '
                f'{", ".join(part["terms"])} not finite; clips '
                f'{", ".join(part["clips"])}; not finite in the input: '
                f'{", ".join(part["not_finite_inputs"])}'
            )
    return lines


def main() -> int:
    """Train with and without faults, and report.

    Returns:
        The exit status: 1 if something did not go as it should.
    """
    args = parse_args()
    os.chdir(ROOT)
    work = Path(args.work_dir).resolve()
    records = work / 'fault_injection.json'
    prepare(records, OWN, fresh=False)
    # The transforms are imported in the process that trains.
    path = os.pathsep.join(
        filter(None, [str(ROOT / 'tools'), os.environ.get('PYTHONPATH')])
    )
    runner = StepRunner(records, console, dict(PYTHONPATH=path))
    step = data_step(work, args.clips)
    perform_once(runner, step, digest(*step.command))
    data = work / 'data' / FOLDER
    damaged, whole = damage_clips(
        data, work / 'data_faulty' / FOLDER, args.unreadable, seed=0
    )
    every = max(1, args.iters // 20)
    config = short_config(data, args.iters, every, args.audio_weights)
    clean = train_step('clean', 'Train without faults', work, config)
    perform_once(runner, clean, step_key(clean))
    config = with_faults(config, work / 'data_faulty' / FOLDER, whole, args)
    faulty = train_step('faulty', 'Train with faults', work, config)
    console.print(f'[bold]{faulty.purpose}[/bold]')
    # The set is damaged anew, so the training is, too.
    key = digest(step_key(faulty), str(os.getpid()))
    errors = train_through(runner, faulty, key, args.max_resumes)

    summary = summarise(clean, faulty, errors, damaged)
    lines = markdown(summary)
    write_report(work, summary, lines)
    console.print('\n'.join(lines), markup=False, soft_wrap=True)
    console.print(f'The report: {work / "report.md"} and report.json')
    problems = find_problems(args, summary, config.train_dataloader.batch_size)
    for problem in problems:
        console.print(f'[red]{problem}[/red]')
    return 1 if problems else 0


def find_problems(
    args: argparse.Namespace, summary: dict, batch_size: int
) -> list[str]:
    """What did not go as it should."""
    problems = []
    if set(summary['iterations'].values()) != {args.iters}:
        problems.append(f'not {args.iters} iterations each')
    if not summary['ended_with_error_and_resumed']:
        problems.append('no process that loads data was killed')
    # Of a set that was gone over once, every clip has been drawn.
    if args.iters * batch_size > args.clips[0]:
        reported = {clip['video_id'] for clip in summary['unreadable_clips']}
        if not reported >= set(summary['damaged_clips']):
            problems.append('a damaged clip is in no report')
        if not summary['skipped_batches']:
            problems.append('the clip with NaN is in no report')
    scores = [summary['scores'][name].get('mIoU') for name in NAMES]
    if None in scores:
        problems.append('a training has no score')
    elif abs(scores[0] - scores[1]) > args.tolerance:
        problems.append(
            f'the scores differ by more than --tolerance {args.tolerance}'
        )
    return problems


if __name__ == '__main__':
    raise SystemExit(main())
