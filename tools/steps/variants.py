"""Training and testing the variants of the tiny model, the same for all."""

from __future__ import annotations

import hashlib
import json
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mmengine.config import Config

from steps.runner import ROOT, Step, StepRunner, digest, fingerprint
from steps.synthetic import audio_option, data_options, s4_marker

DEFAULT = 'factorised'
# In the order of the documentation.
ORDER = (
    DEFAULT,
    'mc-jsd',
    'kl-shared',
    'dynamic-prior',
    'per-modality',
    'shared-decoder',
    'no-factor',
    'jsd-joint',
    'poe',
    'poe-no-unit',
    'poe-joint',
    'moe',
    'cvae',
    'tpavi',
    'av-corr',
    'aspp',
    'modulated',
    'modulated-shared',
    'detached-posterior',
    'prior-only',
    'modulated-prior-only',
    'vision-only',
)
CONDITIONS = ('matched', 'twin', 'swapped')
TRAIN = 'tools/train.py'
LISTEN = 'tools/analysis_tools/listen.py'
# Testing takes about as long as so many training iterations.
TEST_ITERS = 30


# Compared by identity: it has a dict, and stands for one piece of work.
@dataclass(frozen=True, eq=False)
class Run:
    """A variant and a seed.

    Attributes:
        variant: its name.
        seed: of the training.
        iters: of the training.
        train: the training.
        listen: the test under several sounds.
        keys: of these two steps.
    """

    variant: str
    seed: int
    iters: int
    train: Step
    listen: Step
    keys: Mapping[Step, str]

    @property
    def title(self) -> str:
        """How it is called on the screen."""
        return f'{self.variant}, seed {self.seed}'

    def remaining(self, runner: StepRunner) -> list[Step]:
        """The steps that are not done."""
        return [
            step
            for step, key in self.keys.items()
            if not runner.is_done(step, key)
        ]

    def size(self, steps: Iterable[Step]) -> int:
        """How long some of its steps take, in training iterations."""
        return sum(
            self.iters if step == self.train else TEST_ITERS for step in steps
        )

    def scores(self) -> dict[str, float]:
        """What it scored, once it is done."""
        found = json.loads(self.listen.output.read_text())['conditions']
        matched, twin, swapped = (found[name] for name in CONDITIONS)
        return dict(
            mIoU=matched['mIoU']['value'],
            F=matched['F']['value'],
            mIoU_twin=twin['mIoU']['value'],
            mIoU_swapped=swapped['mIoU']['value'],
            difference=swapped['gap']['value'],
        )

    def result(self) -> str:
        """What is said of it when it is done."""
        return f'mIoU {self.scores()["mIoU"]:.3f}'

    def seconds_per_iteration(self, runner: StepRunner) -> float | None:
        """Median time of the training; None if it did not run alone."""
        record = runner.record(self.train, self.keys[self.train])
        return self.median_seconds() if record.get('jobs') == 1 else None

    def median_seconds(self) -> float | None:
        """Median time of an iteration, as logged; None without a log."""
        times = []
        for path in self.train.folder.glob('*/vis_data/scalars.json'):
            lines = map(json.loads, path.read_text().splitlines())
            # Validation is in the same log, without a learning rate.
            times += [line['time'] for line in lines if 'lr' in line]
        return statistics.median(times) if times else None


def find_variants() -> dict[str, str]:
    """Names and configs of all variants, in the documentation's order."""
    prefix = 'mmvae_tiny_s4_'
    found = {DEFAULT: 'configs/mmvae_tiny_s4.py'}
    for path in (ROOT / 'configs' / 'ablations').glob(f'{prefix}*.py'):
        name = path.stem.removeprefix(prefix)
        found[name] = path.relative_to(ROOT).as_posix()

    def place(name: str) -> tuple[int, str]:
        return (ORDER.index(name) if name in ORDER else len(ORDER), name)

    return {name: found[name] for name in sorted(found, key=place)}


def schedule_options(iters: int) -> list[str]:
    """Settings of a training of so many iterations, at least 3.

    The warm-up of the learning rate keeps its share, the decay ends with the
    training. The last weights are what is tested, so that no variant gains
    by a choice among several.
    """
    # One iteration of warm-up would stay at the lowest rate for good.
    warm_up = max(2, iters // 10)
    return [
        f'train_cfg.max_iters={iters}',
        f'train_cfg.val_interval={iters}',
        f'default_hooks.checkpoint.interval={max(1, iters // 4)}',
        'default_hooks.checkpoint.save_best=None',
        # What the log averages over, so that it has every iteration once.
        f'default_hooks.logger.interval={min(10, iters)}',
        f'param_scheduler.0.end={warm_up}',
        f'param_scheduler.1.begin={warm_up}',
        f'param_scheduler.1.end={iters}',
    ]


def plan_runs(
    variants: Mapping[str, str],
    seeds: Iterable[int],
    iters: int,
    work: Path,
    data: Path,
    weights: Path,
    options: Sequence[str] = (),
) -> list[Run]:
    """All runs: every variant with the first seed, then with the next.

    Args:
        variants: names and configs.
        seeds: of the trainings.
        iters: training iterations.
        work: where ``runs`` go.
        data: where the synthetic sets are.
        weights: of the audio network.
        options: further settings of every training and test.
    """
    inputs = digest(
        fingerprint('mmavs', TRAIN, LISTEN),
        s4_marker(data).read_text(),
        hashlib.sha256(weights.read_bytes()).hexdigest(),
    )
    # The settings, not the files: a variant does not change with another.
    keys = {
        name: digest(inputs, json.dumps(Config.fromfile(path).to_dict()))
        for name, path in variants.items()
    }
    root = data / 'Single-source'
    common = [audio_option(weights), *data_options(root, 'train val test')]
    runs = []
    for seed in seeds:
        for name, config in variants.items():
            settings = [f'randomness.seed={seed}', *common, *options]
            folder = work / 'runs' / f'{name}_seed{seed}'
            train, listen = run_steps(
                f'{name}, seed {seed}', config, folder, iters, settings
            )
            key = digest(keys[name], *train.command)
            steps = {train: key, listen: digest(key, *listen.command)}
            runs.append(Run(name, seed, iters, train, listen, steps))
    return runs


def run_steps(
    title: str,
    config: str,
    folder: Path,
    iters: int,
    settings: Sequence[str],
    conditions: Sequence[str] = CONDITIONS,
    begins: Sequence[str] = (),
) -> tuple[Step, Step]:
    """Training and test of one run.

    Args:
        title: how it is called on the screen.
        config: path of the config.
        folder: of this run alone.
        iters: training iterations.
        settings: of training and test.
        conditions: sounds of the test.
        begins: further settings of the training.
    """
    out = folder / 'train'
    last = out / f'iter_{iters}.pth'
    train = Step(
        f'{folder.name}_train',
        f'Train {title}',
        (
            TRAIN,
            config,
            *('--work-dir', str(out)),
            '--cfg-options',
            # What comes last wins.
            *schedule_options(iters),
            *settings,
            *begins,
        ),
        output=last,
        folder=out,
        resume=('--resume',),
    )
    listen = Step(
        f'{folder.name}_listen',
        f'Test {title}, with the right sound and with wrong ones',
        (
            LISTEN,
            config,
            str(last),
            *('--conditions', *conditions),
            *('--out', str(folder / 'listen')),
            '--cfg-options',
            *settings,
        ),
        output=folder / 'listen' / 'listening.json',
    )
    return train, listen
