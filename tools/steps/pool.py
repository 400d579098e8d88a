"""Many runs of the model, some at a time, with a bar for each.

A run that fails is told and does not stop the others; Ctrl-C ends them all,
and what was begun goes on the next time.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)

from steps.runner import Step, StepError, StepRunner
from steps.variants import Run

ITERATION = re.compile(r'Iter\(train\) \[ *(\d+)/')


def environment(jobs: int) -> dict[str, str]:
    """Variables that share the cores out among the jobs."""
    if 'OMP_NUM_THREADS' in os.environ:
        return {}
    # One core of each job is left to the process that loads its data.
    threads = str(max(1, (os.cpu_count() or 1) // jobs - 1))
    return dict(OMP_NUM_THREADS=threads, MKL_NUM_THREADS=threads)


def perform_first(runner: StepRunner, step: Step, key: str) -> None:
    """Do a step that all runs need, unless it is done.

    Raises:
        SystemExit: if it fails; the end of its output is shown.
    """
    if runner.is_done(step, key):
        return
    runner.console.print(f'[bold]{step.purpose}[/bold]')
    try:
        runner.perform(step, key)
    except StepError as error:
        runner.console.print(error.tail, markup=False, soft_wrap=True)
        raise SystemExit(str(error)) from None


def perform_all(
    runs: Sequence[Run],
    runner: StepRunner,
    jobs: int,
    deadline: float | None = None,
) -> dict[Run, StepError]:
    """Do what is not done of all runs, some at a time.

    Args:
        runs: what to do, in this order.
        runner: who does it.
        jobs: how many at a time.
        deadline: after this time of :func:`time.monotonic` nothing new
            begins.

    Returns:
        The runs that failed, and how.
    """
    console = runner.console
    failures: dict[Run, StepError] = {}
    todo = [run for run in runs if run.remaining(runner)]
    if len(todo) < len(runs):
        console.print(f'{len(runs) - len(todo)} of {len(runs)} done before')
    with (
        Progress(
            TextColumn('{task.description}'),
            BarColumn(),
            TextColumn('{task.percentage:>3.0f} %'),
            TimeRemainingColumn(),
            console=console,
            transient=True,
            # Over all that was done: tests are slower than trainings.
            speed_estimate_period=float('inf'),
            disable=not console.is_terminal,
        ) as bar,
        ThreadPoolExecutor(jobs) as pool,
    ):
        sizes = (run.size(run.remaining(runner)) for run in todo)
        everything = bar.add_task('all', total=sum(sizes))
        futures = {
            pool.submit(
                perform, run, runner, jobs, bar, everything, deadline
            ): run
            for run in todo
        }
        try:
            for future in as_completed(futures):
                run, error = futures[future], future.exception()
                if isinstance(error, StepError):
                    failures[run] = error
                    result = '[red]failed[/red]'
                elif error is not None:
                    raise error
                elif future.result():
                    result = run.result()
                else:
                    continue
                left = bar.tasks[0].time_remaining
                left = f'; about {left / 60:.0f} min left' if left else ''
                console.print(f'{run.title}: {result}{left}')
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            runner.stop()
            raise
    return failures


def perform(
    run: Run,
    runner: StepRunner,
    jobs: int,
    bar: Progress,
    everything: TaskID,
    deadline: float | None,
) -> bool:
    """Do what is not done of a run.

    Args:
        run: what to do.
        runner: who does it.
        jobs: how many runs are done at a time.
        bar: gets a line for this run, while it lasts.
        everything: the line of all runs.
        deadline: see :func:`perform_all`.

    Returns:
        Whether it was before the deadline.

    Raises:
        StepError: if one of the commands fails.
    """
    if deadline is not None and time.monotonic() > deadline:
        return False
    steps = run.remaining(runner)
    own = bar.add_task(run.title, total=run.size(steps))
    reached = 0

    def reach(position: int) -> None:
        nonlocal reached
        for task in (own, everything):
            bar.advance(task, position - reached)
        reached = position

    try:
        for number, step in enumerate(steps):
            begun = run.size(steps[:number])

            def watch(line: str, begun: int = begun) -> None:
                match = ITERATION.search(line)
                if match:
                    reach(begun + int(match[1]))

            runner.console.print(f'[bold]{step.purpose}[/bold]')
            key = run.keys[step]
            before = runner.record(step, key).get('jobs', 1)
            runner.perform(step, key, watch, jobs=max(jobs, before))
            reach(run.size(steps[: number + 1]))
    finally:
        reach(run.size(steps))
        bar.remove_task(own)
    return True


def show_failures(failures: dict[Run, StepError], console: Console) -> None:
    """Say what failed, with the end of its output."""
    for run, error in failures.items():
        console.print(f'[red]{run.title}[/red]')
        console.print(error.tail, style='dim', markup=False, soft_wrap=True)
        console.print(str(error), markup=False, soft_wrap=True)
