"""Kill a training again and again, and see whether it ends as another does.

The tiny MS3 config is trained twice on synthetic clips, with augmentation,
noise, a weight average and a warm-up of the latent terms. One training is left
alone; the other is killed with SIGKILL at random moments, also while it
starts, validates and writes, and resumed each time. At the end weights,
average, optimiser and schedules of the two are compared bit for bit.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import threading
import time
from pathlib import Path

from rich.console import Console

import mmavs  # noqa: F401 (registers the components)
from mmavs.engine.checkpoint_comparison import differing_parts

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
    ITERATION,
    LOADED,
    OWN,
    add_set_up_options,
    check_iters,
    data_step,
    perform_once,
    short_config,
    step_key,
    train_step,
    write_report,
)

console = Console(highlight=False)


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument(
        '--kills', type=int, default=20, help='default: %(default)s'
    )
    parser.add_argument(
        '--iters',
        type=int,
        help='iterations of the training; default: 4 for each kill',
    )
    parser.add_argument(
        '--seed',
        type=int,
        default=0,
        help='of the moments; default: %(default)s',
    )
    add_set_up_options(parser, (40, 8, 0), 'work_dirs/kill_test')
    args = parser.parse_args()
    if args.kills < 1:
        parser.error(f'--kills must be at least 1, got {args.kills}')
    args.iters = args.iters or 4 * args.kills
    check_iters(parser, args.iters)
    return args


class Killer:
    """Kills a training at one moment, and notes what it saw of it.

    Args:
        runner: who runs the training.
        at: iteration after which the moment comes; None for while it starts.
        delay: seconds after that.
    """

    def __init__(
        self, runner: StepRunner, at: int | None, delay: float
    ) -> None:
        self.at = at
        self.iteration = 0
        self.resumed_from: str | None = None
        self._began = time.monotonic()
        self._timer = threading.Timer(delay, runner.kill)
        if at is None:
            self._timer.start()

    def watch(self, line: str) -> None:
        """See a line of the log."""
        if found := LOADED.search(line):
            self.resumed_from = Path(found[1]).name
        if found := ITERATION.search(line):
            self.iteration = int(found[1])
            if self.at is not None and self.iteration >= self.at:
                self.at = None
                self._timer.start()

    def note(self) -> dict:
        """What happened, once the training has ended."""
        self._timer.cancel()
        return dict(
            resumed_from=self.resumed_from,
            last_logged_iteration=self.iteration,
            seconds=round(time.monotonic() - self._began, 1),
        )


def kill_and_resume(
    args: argparse.Namespace, runner: StepRunner, step: Step, key: str
) -> list[dict]:
    """Train with all the kills, then to the end.

    Returns:
        What each start of the training came to.
    """
    moments = random.Random(args.seed)
    starts: list[dict] = []
    reached = 0
    while len(starts) < args.kills:
        at: int | None = None
        if len(starts) % 5 != 4:  # every fifth while it starts
            at = min(reached + moments.randint(1, 6), args.iters - 1)
        delay = moments.uniform(0, 12 if at is None else 1.5)
        killer = Killer(runner, at, delay)
        try:
            runner.perform(step, key, killer.watch)
        except StepError as error:
            if 'exit status -9;' not in str(error):
                raise  # an error of its own
            starts.append(dict(killer.note(), killed=True))
            tell(starts)
        else:
            # So near the end that the kill came too late.
            starts.append(dict(killer.note(), killed=False))
            tell(starts)
            return starts
        reached = checkpoint_number(step.folder)
    killer = Killer(runner, args.iters + 1, 0)
    runner.perform(step, key, killer.watch)
    starts.append(dict(killer.note(), killed=False))
    tell(starts)
    return starts


def checkpoint_number(folder: Path) -> int:
    """Iteration that a training will go on from."""
    note = folder / 'last_checkpoint'
    if not note.exists():
        return 0
    return int(Path(note.read_text()).stem.rpartition('_')[2])


def tell(starts: list[dict]) -> None:
    """Say what the last start came to."""
    console.print(f'  {len(starts)}: {describe(starts[-1])}', markup=False)


def describe(start: dict) -> str:
    """A start of the training in words."""
    if start['killed'] and not start['last_logged_iteration']:
        return f'killed before its first iteration, {start["seconds"]} s'
    begun = start['resumed_from'] or 'the beginning'
    end = 'killed' if start['killed'] else 'ended'
    return (
        f'from {begun}, {end} after iteration '
        f'{start["last_logged_iteration"]}, {start["seconds"]} s'
    )


def main() -> int:
    """Train, kill, resume, compare.

    Returns:
        The exit status: 1 if there is a difference, or the training ended
        before it was killed as often as asked for.
    """
    args = parse_args()
    os.chdir(ROOT)
    work = Path(args.work_dir).resolve()
    records = work / 'kill_test.json'
    prepare(records, OWN, fresh=False)
    runner = StepRunner(records, console)
    step = data_step(work, args.clips)
    perform_once(runner, step, digest(*step.command))
    config = short_config(
        work / 'data' / FOLDER, args.iters, 3, args.audio_weights
    )
    whole = train_step('whole', 'Train without a kill', work, config)
    perform_once(runner, whole, step_key(whole))
    killed = train_step('killed', 'Train with kills', work, config)
    console.print(f'[bold]{killed.purpose}[/bold]')
    # Never what an earlier call has left.
    key = digest(step_key(killed), str(time.time()))
    starts = kill_and_resume(args, runner, killed, key)

    differing = differing_parts(whole.output, killed.output)
    best = [
        {path.name: path for path in folder.glob('best_*.pth')}
        for folder in (whole.folder, killed.folder)
    ]
    if best[0].keys() != best[1].keys() or any(
        differing_parts(path, best[1][name]) for name, path in best[0].items()
    ):
        differing.append('best checkpoint')
    strays = [p.name for p in killed.folder.glob('*.partial')]
    kills = sum(start['killed'] for start in starts)
    verdict = (
        f'{kills} kills; '
        + (f'DIFFERENT: {", ".join(differing)}' if differing else 'equal')
        + (f'; left behind: {strays}' if strays else '')
    )
    summary = dict(
        kills=kills,
        iters=args.iters,
        seed=args.seed,
        equal=not differing,
        differing=differing,
        left_behind=strays,
        starts=starts,
    )
    lines = [
        '# Kill test',
        '',
        f'{args.iters} iterations of {Path(whole.command[1]).name}, a '
        f'checkpoint every 3: {verdict}.',
        '',
        *(f'{n}. {describe(start)}' for n, start in enumerate(starts, 1)),
    ]
    write_report(work, summary, lines)
    console.print(f'[bold]{verdict}[/bold]; {work / "report.md"}')
    return 1 if differing or strays or kills < args.kills else 0


if __name__ == '__main__':
    raise SystemExit(main())
