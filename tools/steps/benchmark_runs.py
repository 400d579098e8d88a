"""The runs of the listening benchmark: planned, and done seed by seed."""

from __future__ import annotations

import argparse
import hashlib
import json
import statistics
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from steps.benchmark import (
    BASELINE,
    CONDITIONS,
    CONTROL,
    EQUAL_TIME,
    NEGATIVES,
    NOT_TESTING,
    NOT_TRAINING,
    SECOND_LR,
    SETS,
    STARTS,
    TESTING_CODE,
    TRAINING_CODE,
    Model,
    clips_key,
    compose,
    marker,
    plain_name,
    write_config,
)
from steps.pool import perform_all
from steps.runner import (
    Step,
    StepError,
    StepRunner,
    code_fingerprint,
    digest,
)
from steps.synthetic import audio_option
from steps.variants import TEST_ITERS, Run, run_steps

# Of a training on two cores of a server, where nothing was measured yet.
SECONDS_PER_ITER = dict(s4=0.35, ms3=0.27)


# Compared by identity, as any run.
@dataclass(frozen=True, eq=False)
class BenchmarkRun(Run):
    """A model, a seed and a set.

    Attributes:
        subset: the set.
        start: whose weights the training begins with; its training, and what
            that begins with, are steps of this run. None for random weights.
    """

    subset: str
    start: BenchmarkRun | None = None

    @property
    def starts(self) -> tuple[BenchmarkRun, ...]:
        """All that it begins with, the first one first."""
        if self.start is None:
            return ()
        return *self.start.starts, self.start

    @property
    def title(self) -> str:
        """How it is called on the screen."""
        return f'{self.subset} {self.variant}, seed {self.seed}'

    @property
    def own_steps(self) -> tuple[Step, Step]:
        """Training and test, without what they begin with."""
        return self.train, self.listen

    def size(self, steps: Iterable[Step]) -> int:
        """How long some of its steps take, in training iterations."""
        begun = {run.train: run.iters for run in self.starts}
        return sum(
            begun[step] if step in begun else Run.size(self, [step])
            for step in steps
        )


class Planner:
    """Makes runs out of models, sets and seeds.

    Args:
        work: where ``configs`` and ``runs`` go.
        data: where the sets are.
        weights: of the audio network.
        options: further settings of every training and test.
        same_code: see :func:`training_code`.
    """

    def __init__(
        self,
        work: Path,
        data: Path,
        weights: Path,
        options: Sequence[str] = (),
        same_code: bool = False,
    ) -> None:
        self.work, self.data = work, data
        self.settings = [audio_option(weights), *options]
        code = training_code(work, same_code)
        weights_hash = hashlib.sha256(weights.read_bytes()).hexdigest()
        self._inputs = {
            subset: digest(code, weights_hash, clips_key(data, subset))
            for subset in SETS
            if marker(data, subset).is_file()
        }
        self._settings: dict[Path, str] = {}
        self._testing = code_fingerprint(*TESTING_CODE, without=NOT_TESTING)

    def plan(
        self,
        model: Model,
        subset: str,
        seed: int,
        iters: Mapping[str, int],
        name: str = '',
    ) -> BenchmarkRun:
        """One run; its config is written.

        Args:
            model: what is trained.
            subset: on which set.
            seed: of the training.
            iters: set to iterations of its training, and ``negatives`` to
                those of a second training, with negatives or without.
            name: of the run, if not the model's.
        """
        name = name or model.name
        path, settings = self._config(model, subset)
        folder = self.work / 'runs' / f'{subset}_{name}_seed{seed}'
        options = [f'randomness.seed={seed}', *self.settings]
        num_iters, start, begins = iters[subset], None, []
        if model.first is not None:
            plain = plain_name(name)
            start = self.plan(model.first, subset, seed, iters, plain)
            num_iters = iters['negatives']
            begins = [f'optim_wrapper.optimizer.lr={SECOND_LR}']
        elif subset in STARTS:
            start = self.plan(model, STARTS[subset], seed, iters, name)
        keys = {}
        if start is not None:
            keys = {k: v for k, v in start.keys.items() if k != start.listen}
            begins.append(f'load_from={start.train.output}')
        train, listen = run_steps(
            f'{name} on {subset}, seed {seed}',
            str(path),
            folder,
            num_iters,
            options,
            CONDITIONS,
            begins,
        )
        key = digest(
            self._inputs[subset],
            settings,
            *(() if start is None else (keys[start.train],)),
            *train.command,
        )
        keys |= {
            train: key,
            listen: digest(key, self._testing, *listen.command),
        }
        return BenchmarkRun(
            name, seed, num_iters, train, listen, keys, subset, start
        )

    def _config(self, model: Model, subset: str) -> tuple[Path, str]:
        """Path of a config, and what is in it."""
        path = self.work / 'configs' / f'{subset}_{model.name}.py'
        if path not in self._settings:
            config = compose(model, subset, self.data)
            write_config(config, path)
            self._settings[path] = json.dumps(config.to_dict())
        return path, self._settings[path]


def training_code(work: Path, same: bool) -> str:
    """What tells the code of the trainings from other code.

    Args:
        work: the folder in which it is kept.
        same: whether the code as it is now counts as that of last time.
    """
    path = work / 'code.txt'
    if same and path.exists():
        return path.read_text()
    code = code_fingerprint(*TRAINING_CODE, without=NOT_TRAINING)
    partial = path.with_suffix('.partial')
    partial.write_text(code)
    partial.replace(path)
    return code


def equal_time_pairs(
    models: Sequence[Model], slow: Iterable[str]
) -> list[tuple[Model, Model]]:
    """Models, each with the baseline that gets its time.

    Raises:
        ValueError: if one of them is not among the models, or is trained a
            second time.
    """
    named = {model.name: model for model in models if model.first is None}
    pairs = []
    for name in slow:
        if name == BASELINE:
            raise ValueError(
                f'--equal-time {name}: that is the baseline, which gets the '
                'time of another model'
            )
        if not {name, BASELINE} <= set(named):
            raise ValueError(
                f'--equal-time {name} needs it and {BASELINE} among --models, '
                f'without {NEGATIVES} and {CONTROL}'
            )
        pairs.append((named[name], named[BASELINE]))
    return pairs


def perform_benchmark(
    args: argparse.Namespace, runner: StepRunner, planner: Planner
) -> tuple[list[BenchmarkRun], dict[BenchmarkRun, StepError]]:
    """Do all runs: first what is timed, then seed by seed.

    Returns:
        All of them, and those that failed.
    """
    deadline = None
    if args.minutes_budget is not None:
        deadline = time.monotonic() + 60 * args.minutes_budget
    by_seed = {
        seed: [
            planner.plan(model, subset, seed, args.iters)
            for subset in args.sets
            for model in (
                *args.models,
                *(args.once if seed == args.seeds[0] else ()),
            )
        ]
        for seed in args.seeds
    }
    announce(
        [run for runs in by_seed.values() for run in runs], runner, args.jobs
    )
    failures: dict[BenchmarkRun, StepError] = {}

    def perform(runs: Sequence[BenchmarkRun]) -> None:
        waiting = [run for run in runs if run not in failures]
        while waiting:
            broken = {run.train: error for run, error in failures.items()}
            together, later = [], []
            # None of two runs at a time is to train what both begin with,
            # or what the other one is.
            taken: set[Step] = set()
            for run in sorted(waiting, key=lambda run: len(run.starts)):
                needed = [start.train for start in run.starts]
                found = [broken[step] for step in needed if step in broken]
                trainings = {*needed, run.train} & set(run.remaining(runner))
                if found:
                    failures[run] = found[0]
                elif trainings & taken:
                    later.append(run)
                else:
                    taken |= trainings
                    together.append(run)
            failures.update(perform_all(together, runner, args.jobs, deadline))
            waiting = later

    pairs = equal_time_pairs(args.models, args.equal_time)
    timed = {model.name for pair in pairs for model in pair}
    every = [run for runs in by_seed.values() for run in runs]
    first = [run for run in every if run.variant in timed]
    perform(first)
    for slow, fast in pairs:
        iters = equal_time(slow, fast, first, runner, planner)
        for subset in sorted(set(args.sets) - set(iters)):
            runner.console.print(
                f'{EQUAL_TIME}{slow.name} on {subset} waits for all seeds of '
                f'{slow.name} and {fast.name}'
            )
        for seed, runs in by_seed.items():
            runs += [
                planner.plan(fast, subset, seed, iters, EQUAL_TIME + slow.name)
                for subset in args.sets
                if subset in iters
            ]
    for runs in by_seed.values():
        perform(runs)
    return [run for runs in by_seed.values() for run in runs], failures


def equal_time(
    slow: Model,
    fast: Model,
    runs: Sequence[BenchmarkRun],
    runner: StepRunner,
    planner: Planner,
) -> dict[str, int]:
    """Iterations that the fast model does in the time of the slow one.

    They are measured once, and kept until one of the trainings changes.

    Args:
        slow: whose time it is.
        fast: what gets it.
        runs: of both, with all seeds.
        runner: knows what is done.
        planner: knows where it is kept.

    Returns:
        Set to iterations, without a set on which one of them, or what it
        begins with, is not done.
    """
    starts = (run.start for run in runs if run.start is not None)
    # By training: runs that begin with the same one have a copy each.
    every = {run.train: run for run in (*starts, *runs)}.values()
    found: dict[str, int] = {}
    for subset in SETS:
        if STARTS.get(subset, subset) not in (*found, subset):
            continue
        slow_runs, fast_runs = (
            [
                run
                for run in every
                if (run.subset, run.variant) == (subset, model.name)
            ]
            for model in (slow, fast)
        )
        if slow_runs and fast_runs:
            iters = _measure_equal_time(
                slow_runs, fast_runs, runner, planner.work
            )
            if iters is not None:
                found[subset] = iters
    return found


def _measure_equal_time(
    slow: Sequence[BenchmarkRun],
    fast: Sequence[BenchmarkRun],
    runner: StepRunner,
    work: Path,
) -> int | None:
    """Iterations on one set, None if one of the trainings is not done."""
    path = work / 'equal_time.json'
    known = json.loads(path.read_text()) if path.exists() else {}
    if any(run.train in run.remaining(runner) for run in (*slow, *fast)):
        return None
    name = f'{slow[0].subset} {EQUAL_TIME}{slow[0].variant}'
    key = digest(*sorted({run.keys[run.train] for run in (*slow, *fast)}))
    if known.get(name, {}).get('key') != key:
        seconds = {
            runs[0].variant: [run.median_seconds() for run in runs]
            for runs in (slow, fast)
        }
        if any(None in times for times in seconds.values()):
            return None
        medians = map(statistics.median, seconds.values())
        known[name] = dict(
            key=key,
            seconds_per_iter=seconds,
            iters=equal_time_iters(*medians, slow[0].iters),
        )
        partial = path.with_suffix('.partial')
        partial.write_text(json.dumps(known, indent=2) + '\n')
        partial.replace(path)
    return known[name]['iters']


def announce(
    runs: Sequence[BenchmarkRun], runner: StepRunner, jobs: int
) -> None:
    """Say how long it will take."""
    todo = [(run.subset, run.iters) for run in runs if run.remaining(runner)]
    seconds = runner.seconds()
    rates = {}
    for subset in SETS:
        done = [
            run
            for run in runs
            if run.subset == subset and not run.remaining(runner)
        ]
        if done:
            spent = sum(
                seconds[step.name] for run in done for step in run.own_steps
            )
            rates[subset] = spent / sum(
                run.size(run.own_steps) for run in done
            )
    minutes = expected_minutes(todo, jobs, rates)
    runner.console.print(
        f'[bold]{len(todo)} of {len(runs)} trainings to do, about '
        f'{minutes:.0f} min, {jobs} at a time[/bold]'
        + ('' if rates else ' (on two cores of a server)')
    )


def expected_minutes(
    work: Iterable[tuple[str, int]],
    jobs: int,
    seconds_per_iter: Mapping[str, float] = MappingProxyType({}),
) -> float:
    """About how long trainings and their tests take.

    Args:
        work: set and iterations of each.
        jobs: how many at a time.
        seconds_per_iter: what is known of a set.
    """
    known = dict(SECONDS_PER_ITER, **seconds_per_iter)
    seconds = sum((n + TEST_ITERS) * known[subset] for subset, n in work)
    return seconds / jobs / 60


def equal_time_iters(slow_s: float, fast_s: float, iters: int) -> int:
    """Steps of the fast model in the time of the slow one's.

    Args:
        slow_s: seconds of an iteration of the one.
        fast_s: of the other.
        iters: how many the one does.
    """
    return max(3, round(iters * slow_s / fast_s))
