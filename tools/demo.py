"""Train, test and see ECMVAE on synthetic data, from nothing.

Writes a synthetic AVSBench, teaches a small audio network its sounds, trains
the tiny model on single sources (S4) and from there on multiple sources
(MS3), tests both with the right sound and with wrong ones, and draws a sheet
per test clip. Each step is one command of this repository, shown before it
runs. What is finished is not done again; what was interrupted goes on.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shlex
import shutil
import subprocess
import sys
import time
from collections import deque
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).resolve().parent.parent
CONDITIONS = ('matched', 'twin', 'swapped', 'silence')
# How the names of what the demo writes begin.
OWN = ('audio', 's4', 'ms3', 'logs', 'steps', 'summary')
console = Console(highlight=False)


@dataclass(frozen=True)
class Step:
    """One command and what it is for.

    Attributes:
        name: key in the records.
        purpose: what the user reads.
        command: arguments after the Python interpreter.
        output: what exists when the step is done.
        folder: of this step alone, removed before it starts anew.
        resume: arguments that make an interrupted run go on.
    """

    name: str
    purpose: str
    command: tuple[str, ...]
    output: Path
    folder: Path | None = None
    resume: tuple[str, ...] = ()


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument(
        '--work-dir',
        default='work_dirs/demo',
        help='relative to the checkout; default: %(default)s',
    )
    parser.add_argument(
        '--data',
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
        default=(800, 40, 80),
        metavar=('TRAIN', 'VAL', 'TEST'),
        help='size of the S4 set',
    )
    parser.add_argument(
        '--ms3-clips',
        type=int,
        nargs=3,
        default=(500, 40, 80),
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
    args = parser.parse_args()
    for path in (args.work_dir, args.data):
        # mmengine reads its settings as lists at commas and drops blanks.
        if set(path) & set(', []()"\'='):
            parser.error(
                f'{path!r}: a path here must be without blanks, commas, '
                'brackets, quotation marks and equals signs'
            )
    return args


def data_options(root: Path, loaders: str) -> list[str]:
    """Settings that point the given loaders of a config to ``root``."""
    return [
        f'{loader}_dataloader.dataset.data_root={root}'
        for loader in loaders.split()
    ]


def sheets(work: Path, subset: str) -> Path:
    """Folder in which mmengine's local backend puts the pictures."""
    return work / f'{subset}_sheets' / 'vis_data' / 'vis_image'


def plan(args: argparse.Namespace) -> list[Step]:
    """All steps, in order."""
    work, data = Path(args.work_dir), Path(args.data)
    audio = work / 'audio'
    seed = f'randomness.seed={args.seed}'
    audio_weights = (
        'model.audio_backbone.init_cfg.checkpoint='
        f'{audio / "audio_backbone.pth"}'
    )
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
        Step(
            'data',
            'Write the synthetic AVSBench',
            (
                'tools/dataset_converters/synthetic_avsbench.py',
                str(data),
                *('--subset', 's4', 'ms3'),
                *('--clips', *map(str, args.clips)),
                *('--ms3-clips', *map(str, args.ms3_clips)),
                *('--seed', str(args.seed)),
                *('--workers', str(min(4, os.cpu_count() or 1))),
            ),
            output=data / 'Multi-sources' / 'generator.json',
            # Only ever overwrites a set that the generator made.
            resume=('--overwrite',),
        ),
        Step(
            'audio',
            'Teach the audio network what sounds',
            (
                'tools/pretrain_audio.py',
                'configs/vggish_tiny_synthetic.py',
                *('--work-dir', str(audio)),
                '--cfg-options',
                seed,
                'train_dataloader.dataset.dataset.data_root='
                f'{data / "Single-source"}',
                *data_options(data / 'Single-source', 'val'),
                *iters[0],
            ),
            output=audio / 'audio_backbone.pth',
            folder=audio,
            resume=('--resume',),
        ),
    ]
    previous = None
    for subset, folder, what, step_iters in (
        ('s4', 'Single-source', 'single sources', iters[1]),
        ('ms3', 'Multi-sources', 'multiple sources, from S4', iters[2]),
    ):
        config = f'configs/mmvae_tiny_{subset}.py'
        common = [
            seed,
            audio_weights,
            *data_options(data / folder, 'train val test'),
        ]
        # BEST is replaced by the best checkpoint of a finished training.
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
                    'tools/analysis_tools/sound_conditions.py',
                    config,
                    f'BEST:{out}',
                    *('--conditions', *CONDITIONS),
                    *('--work-dir', str(work / f'{subset}_listen')),
                    *('--out', str(work / f'{subset}_listen.json')),
                    '--cfg-options',
                    *common,
                ),
                output=work / f'{subset}_listen.json',
            ),
        ]
        previous = out
    return steps


class Records:
    """What was started and finished, kept in a JSON file.

    A step is known by its command, those of all steps before it, and the
    sources they ran: with another seed, or after a change of a config,
    nothing of the old run is taken for finished.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.steps = json.loads(path.read_text()) if path.exists() else {}

    def get(self, step: Step, key: str) -> dict:
        """Record of a step, empty if it never began as it is now."""
        record = self.steps.get(step.name, {})
        return record if record.get('key') == key else {}

    def put(self, step: Step, **record) -> None:
        """Write a record; a kill leaves the old file or the new one."""
        self.steps[step.name] = record
        self.path.parent.mkdir(parents=True, exist_ok=True)
        partial = self.path.with_suffix('.partial')
        partial.write_text(json.dumps(self.steps, indent=2) + '\n')
        partial.replace(self.path)


def best_checkpoint(folder: Path) -> Path:
    """The checkpoint that scored best on the validation clips."""
    found = list(folder.glob('best_*.pth'))
    if not found:
        raise SystemExit(
            f'{folder} holds no best_*.pth any more: --fresh starts over'
        )
    return max(found, key=lambda path: path.stat().st_mtime)


def fingerprint() -> str:
    """Hash of everything that decides what a step computes."""
    digest = hashlib.sha256()
    for folder in ('configs', 'mmavs', 'tools'):
        for path in sorted((ROOT / folder).rglob('*.py')):
            digest.update(path.relative_to(ROOT).as_posix().encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()


def prepare(work: Path, fresh: bool) -> None:
    """Make sure that the work directory is the demo's to write in.

    Raises:
        SystemExit: if it holds something that the demo did not make.
    """
    if not work.exists() or not any(work.iterdir()):
        return
    if not (work / 'steps.json').exists():
        raise SystemExit(
            f'{work} is not empty and holds no steps.json, so the demo did '
            'not make it; choose another --work-dir'
        )
    if fresh:
        for path in work.iterdir():
            if path.name.startswith(OWN):
                shutil.rmtree(path) if path.is_dir() else path.unlink()


def resolve(argument: str) -> str:
    """Replace BEST:FOLDER in an argument by the checkpoint."""
    before, marker, folder = argument.partition('BEST:')
    return before + str(best_checkpoint(Path(folder))) if marker else argument


def run(step: Step, arguments: list[str], log: Path) -> None:
    """Run a command, its output into a log, its last line on the screen.

    Raises:
        SystemExit: if the command fails; with the end of its output.
    """
    tail: deque[str] = deque(maxlen=25)
    log.parent.mkdir(parents=True, exist_ok=True)
    with (
        log.open('a') as file,
        console.status('starting') as status,
        subprocess.Popen(
            [sys.executable, *arguments],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors='replace',
        ) as process,
    ):
        for line in process.stdout:
            file.write(line)
            file.flush()
            if line.strip():
                tail.append(line.rstrip())
                status.update(_short(tail[-1]))
    if process.returncode:
        console.print('\n'.join(tail), markup=False)
        raise SystemExit(
            f'«{step.purpose}» ended with exit status {process.returncode}; '
            f'the whole log is {log}. The same command goes on from here.'
        )


def _short(line: str) -> str:
    """The telling part of a log line, safe for rich."""
    for marker in (' - mmengine - INFO - ', ' - INFO - '):
        line = line.split(marker)[-1]
    return ' '.join(line.split())[: max(20, console.width - 12)].replace(
        '[', '\\['
    )


def summarise(work: Path, records: Records) -> dict:
    """Scores of both sets and the seconds of every step."""
    summary: dict = {}
    for subset in ('s4', 'ms3'):
        scores = json.loads((work / f'{subset}_listen.json').read_text())
        summary[subset] = dict(
            mIoU=scores['matched']['mIoU'], F=scores['matched']['F']
        )
        for condition in CONDITIONS[1:]:
            summary[subset][f'mIoU_{condition}'] = scores[condition]['mIoU']
    seconds = {k: round(v['seconds'], 1) for k, v in records.steps.items()}
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


def perform(step: Step, key: str, records: Records, work: Path) -> None:
    """Do one step, from the start or from where it was interrupted."""
    record = records.get(step, key)
    resumable = record and (
        step.folder is None or (step.folder / 'last_checkpoint').exists()
    )
    if not resumable and step.folder is not None and step.folder.exists():
        shutil.rmtree(step.folder)
    arguments = [resolve(argument) for argument in step.command]
    if resumable:
        # Before the settings: they take every argument that follows.
        cut = (*arguments, '--cfg-options').index('--cfg-options')
        arguments[cut:cut] = step.resume
    console.print(f'  $ python {shlex.join(arguments)}', style='dim')
    spent = record.get('seconds', 0.0)
    start = time.monotonic()
    done = False
    try:
        records.put(step, key=key, done=False, seconds=spent)
        run(step, arguments, work / 'logs' / f'{step.name}.log')
        done = True
    finally:
        spent += time.monotonic() - start
        records.put(step, key=key, done=done, seconds=spent)


def main() -> None:
    """Run what is not done yet, then print the table."""
    args = parse_args()
    os.chdir(ROOT)
    work = Path(args.work_dir)
    prepare(work, args.fresh)
    records = Records(work / 'steps.json')
    steps = plan(args)
    key = fingerprint()
    for number, step in enumerate(steps, 1):
        text = '\0'.join((key, *step.command))
        key = hashlib.sha256(text.encode()).hexdigest()
        head = f'[bold]({number}/{len(steps)}) {step.purpose}[/bold]'
        record = records.get(step, key)
        if record.get('done') and step.output.exists():
            console.print(f'{head}: done in {record["seconds"]:.0f} s')
            continue
        console.print(head)
        perform(step, key, records, work)
    summary = summarise(work, records)
    (work / 'summary.json').write_text(json.dumps(summary, indent=2) + '\n')
    show(summary, work)


if __name__ == '__main__':
    try:
        main()
    except KeyboardInterrupt:
        raise SystemExit('interrupted; the same command goes on') from None
