"""Train, test and see ECMVAE on synthetic data, from nothing.

Writes a synthetic AVSBench, teaches a small audio network its sounds, trains
the tiny model on single sources (S4) and from there on multiple sources
(MS3), tests both with the right sound and with wrong ones, and draws a sheet
per test clip. In the end a test clip becomes a video file, in which the model
marks what sounds. Each step is one command of this repository, shown before it
runs. What is finished is not done again; what was interrupted goes on.
"""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path

from rich.console import Console
from rich.table import Table
from steps.runner import (
    ROOT,
    Step,
    StepError,
    StepRunner,
    digest,
    fingerprint,
    prepare,
)
from steps.synthetic import (
    MS3_CLIPS,
    S4_CLIPS,
    audio_option,
    audio_step,
    data_options,
    data_step,
    settings_path,
)

CONDITIONS = ('matched', 'twin', 'swapped', 'silence')
# How the names of what the demo writes begin.
OWN = ('audio', 's4', 'ms3', 'video', 'logs', 'steps', 'summary')
console = Console(highlight=False)


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument(
        '--work-dir',
        type=settings_path,
        default='work_dirs/demo',
        help='relative to the checkout; default: %(default)s',
    )
    parser.add_argument(
        '--data',
        type=settings_path,
        default='data/synthetic',
        help='where the clips go, relative to the checkout; default: '
        '%(default)s',
    )
    parser.add_argument(
        '--seed', type=int, default=0, help='of the data and the training'
    )
    parser.add_argument(
        '--clips',
        type=int,
        nargs=3,
        default=S4_CLIPS,
        metavar=('TRAIN', 'VAL', 'TEST'),
        help='size of the S4 set',
    )
    parser.add_argument(
        '--ms3-clips',
        type=int,
        nargs=3,
        default=MS3_CLIPS,
        metavar=('TRAIN', 'VAL', 'TEST'),
        help='size of the MS3 set',
    )
    parser.add_argument(
        '--iters',
        type=int,
        nargs=3,
        metavar=('AUDIO', 'S4', 'MS3'),
        help='training iterations; by default those of the configs',
    )
    parser.add_argument(
        '--fresh', action='store_true', help='forget what was done before'
    )
    return parser.parse_args()


def sheets(work: Path, subset: str) -> Path:
    """Folder in which mmengine's local backend puts the pictures."""
    return work / f'{subset}_sheets' / 'vis_data' / 'vis_image'


def listening(work: Path, subset: str) -> Path:
    """The scores under the right sound and under wrong ones."""
    return work / f'{subset}_listen' / 'listening.json'


def plan(args: argparse.Namespace) -> list[Step]:
    """All steps, in order."""
    work, data = Path(args.work_dir), Path(args.data)
    audio = work / 'audio'
    seed = f'randomness.seed={args.seed}'
    # How long to train: the learning rate decays to the end of it.
    iters = [
        [
            f'train_cfg.max_iters={n}',
            f'train_cfg.val_interval={max(1, n // 2)}',
            f'default_hooks.checkpoint.interval={max(1, n // 2)}',
            f'param_scheduler.1.end={n}',
        ]
        for n in args.iters or ()
    ] or [[], [], []]

    steps = [
        data_step(data, args.seed, args.clips, args.ms3_clips),
        audio_step(audio, data, args.seed, iters[0]),
    ]
    previous = None
    for subset, folder, what, step_iters in (
        ('s4', 'Single-source', 'single sources', iters[1]),
        ('ms3', 'Multi-sources', 'multiple sources, from S4', iters[2]),
    ):
        config = f'configs/mmvae_tiny_{subset}.py'
        common = [
            seed,
            audio_option(audio / 'audio_backbone.pth'),
            *data_options(data / folder, 'train val test'),
        ]
        start = [] if previous is None else [f'load_from=BEST:{previous}']
        out = work / subset
        steps += [
            Step(
                f'train_{subset}',
                f'Train ECMVAE on {what}',
                (
                    'tools/train.py',
                    config,
                    *('--work-dir', str(out)),
                    '--cfg-options',
                    *(*common, *start, *step_iters),
                ),
                output=out / 'last_checkpoint',
                folder=out,
                resume=('--resume',),
            ),
            Step(
                f'test_{subset}',
                'Test it, and draw a sheet per clip',
                (
                    'tools/test.py',
                    config,
                    f'BEST:{out}',
                    *('--work-dir', str(work / f'{subset}_test')),
                    *('--show-dir', str(work / f'{subset}_sheets')),
                    '--cfg-options',
                    *common,
                ),
                output=sheets(work, subset),
                folder=work / f'{subset}_sheets',
            ),
            Step(
                f'listen_{subset}',
                'Test it with the right sound and with wrong ones',
                (
                    'tools/analysis_tools/listen.py',
                    config,
                    f'BEST:{out}',
                    *('--conditions', *CONDITIONS),
                    *('--out', str(work / f'{subset}_listen')),
                    '--cfg-options',
                    *common,
                ),
                output=listening(work, subset),
            ),
        ]
        previous = out
    return [*steps, *video_steps(work, data, previous)]


def video_steps(work: Path, data: Path, trained: Path) -> list[Step]:
    """Make a video of a test clip, and mark in it what sounds."""
    video = work / 'video'
    return [
        Step(
            'video_made',
            'Make a video file of a test clip',
            (
                'tools/dataset_converters/avsbench_to_videos.py',
                *(str(data), str(video)),
                *('--subset', 'ms3', '--split', 'test', '--limit', '1'),
            ),
            output=video,
            folder=video,
        ),
        Step(
            'video_marked',
            'Mark what sounds in it, ten times a second',
            (
                'tools/infer.py',
                str(video),
                *('--config', 'configs/mmvae_tiny_ms3.py'),
                *('--checkpoint', f'BEST:{trained}'),
                *('--out', str(work / 'video_marked')),
                *('--fps', '10', '--samples', '8'),
            ),
            output=work / 'video_marked',
            folder=work / 'video_marked',
        ),
    ]


def _short(line: str) -> str:
    """The telling part of a log line, safe for rich."""
    for marker in (' - mmengine - INFO - ', ' - INFO - '):
        line = line.split(marker)[-1]
    return ' '.join(line.split())[: max(20, console.width - 12)].replace(
        '[', '\\['
    )


def summarise(work: Path, seconds: dict[str, float]) -> dict:
    """Scores of both sets and the seconds of every step."""
    summary: dict = {}
    for subset in ('s4', 'ms3'):
        report = json.loads(listening(work, subset).read_text())
        found = report['conditions']
        summary[subset] = dict(
            mIoU=found['matched']['mIoU']['value'],
            F=found['matched']['F']['value'],
        )
        for condition in CONDITIONS[1:]:
            value = found[condition]['mIoU']['value']
            summary[subset][f'mIoU_{condition}'] = value
    seconds = {name: round(value, 1) for name, value in seconds.items()}
    seconds['total'] = round(sum(seconds.values()), 1)
    summary['seconds'] = seconds
    return summary


def show(summary: dict, work: Path) -> None:
    """Print the final table."""
    table = Table(
        title='ECMVAE, tiny, on held-out synthetic clips',
        caption='All scores are against the mask of the matched sound: where '
        'the sound is wrong, a model that listens scores low. Before, its '
        'audio network was taught the category labels of the S4 training '
        'clips, as AudioSet taught the public VGGish.',
    )
    columns = ('mIoU', 'F', 'mIoU_twin', 'mIoU_swapped', 'mIoU_silence')
    for column in ('set', *columns):
        justify = 'left' if column == 'set' else 'right'
        table.add_column(column, justify=justify)
    for subset in ('s4', 'ms3'):
        row = (f'{summary[subset][column]:.3f}' for column in columns)
        table.add_row(subset.upper(), *row)
    console.print(table)
    console.print(
        f'{summary["seconds"]["total"]:.0f} s of work. Sheets: '
        f'{sheets(work, "s4")} and {sheets(work, "ms3")}; the numbers: '
        f'{work / "summary.json"}'
    )
    for overlay in sorted((work / 'video_marked').glob('*/overlay.mp4')):
        console.print(
            f'To watch and hear: {overlay}; over time: '
            f'{overlay.with_name("timeline.png")}',
            markup=False,
        )


def perform(runner: StepRunner, step: Step, key: str) -> None:
    """Do a step, the last line of its output on the screen.

    Raises:
        SystemExit: if it fails; with the end of its output.
    """
    with console.status('starting') as status:
        try:
            runner.perform(step, key, lambda line: status.update(_short(line)))
        except StepError as error:
            console.print(error.tail, markup=False, soft_wrap=True)
            raise SystemExit(str(error)) from None


def main() -> None:
    """Run what is not done yet, then print the table."""
    args = parse_args()
    os.chdir(ROOT)
    work = Path(args.work_dir)
    prepare(work / 'steps.json', OWN, args.fresh)
    runner = StepRunner(work / 'steps.json', console)
    steps = plan(args)
    key = fingerprint('configs', 'mmavs', 'tools')
    for number, step in enumerate(steps, 1):
        # All that came before decides the result too.
        key = digest(key, *step.command)
        head = f'[bold]({number}/{len(steps)}) {step.purpose}[/bold]'
        if runner.is_done(step, key):
            seconds = runner.seconds()[step.name]
            console.print(f'{head}: done in {seconds:.0f} s')
            continue
        console.print(head)
        perform(runner, step, key)
    summary = summarise(work, runner.seconds())
    (work / 'summary.json').write_text(json.dumps(summary, indent=2) + '\n')
    show(summary, work)


if __name__ == '__main__':
    try:
        main()
    except KeyboardInterrupt:
        raise SystemExit('interrupted; the same command goes on') from None
