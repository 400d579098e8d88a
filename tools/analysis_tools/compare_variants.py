"""Train every variant of the model for the same short budget, and compare.

The variants are configs/mmvae_tiny_s4.py, named factorised, and every
configs/ablations/mmvae_tiny_s4_VARIANT.py. All train on the same synthetic
clips, with the same audio network, seed, batches and number of iterations;
the last weights are tested with the matched sound, the twin's and a swapped
one. Each step is one command of this repository, shown before it runs. What
is finished is not done again; what was interrupted goes on. A variant whose
config changed starts anew, after a change of the package all do.

So short a training says which variants work, and which are slow to start; it
does not rank them.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path

from mmengine.config import Config, DictAction
from mmengine.registry import init_default_scope
from mmseg.registry import MODELS
from rich.console import Console

import mmavs  # noqa: F401 (registers the components)

# What this script shares with tools/demo.py lies a folder above it.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from steps.pool import (  # noqa: E402
    environment,
    perform_all,
    perform_first,
    show_failures,
)
from steps.runner import (  # noqa: E402
    ROOT,
    StepError,
    StepRunner,
    digest,
    fingerprint,
    prepare,
)
from steps.synthetic import (  # noqa: E402
    S4_CLIPS,
    audio_step,
    data_step,
    s4_marker,
    settings_path,
)
from steps.variant_table import markdown, table  # noqa: E402
from steps.variants import Run, find_variants, plan_runs  # noqa: E402

# How the names of what this script writes begin.
OWN = ('audio', 'logs', 'runs', 'summary', 'variants.json')
console = Console(highlight=False)


def parse_args(variants: Sequence[str]) -> argparse.Namespace:
    """Read the command line.

    Args:
        variants: names to choose from.
    """
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument(
        '--variants',
        nargs='+',
        choices=variants,
        default=variants,
        metavar='NAME',
        help=f'among {", ".join(variants)};\ndefault: all',
    )
    parser.add_argument(
        '--iters',
        type=int,
        default=200,
        help='training iterations of each, at least 3; default: %(default)s',
    )
    parser.add_argument(
        '--seeds',
        type=int,
        nargs='+',
        default=[0],
        metavar='SEED',
        help='of the trainings; several give median and range; default: 0',
    )
    parser.add_argument(
        '--jobs',
        type=int,
        default=1,
        help='trainings at a time; with one, the table also has the seconds\n'
        'per iteration; default: %(default)s',
    )
    parser.add_argument(
        '--work-dir',
        type=settings_path,
        default='work_dirs/compare_variants',
        help='relative to the checkout; default: %(default)s',
    )
    parser.add_argument(
        '--data',
        type=settings_path,
        default='data/synthetic',
        help='where the clips go, relative to the checkout; a complete\n'
        'synthetic set there is used as it is; default: %(default)s',
    )
    parser.add_argument(
        '--clips',
        type=int,
        nargs=3,
        default=S4_CLIPS,
        metavar=('TRAIN', 'VAL', 'TEST'),
        help='size of the set, where there is none yet',
    )
    parser.add_argument(
        '--audio-weights',
        type=settings_path,
        metavar='FILE',
        help='audio_backbone.pth of tools/pretrain_audio.py; by default one\n'
        'is trained first',
    )
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        default=[],
        metavar='KEY=VALUE',
        help='further settings of every training and test',
    )
    parser.add_argument(
        '--fresh', action='store_true', help='forget what was done before'
    )
    args = parser.parse_args()
    if args.iters < 3:
        parser.error(f'--iters must be at least 3, got {args.iters}')
    if args.jobs < 1:
        parser.error(f'--jobs must be at least 1, got {args.jobs}')
    if args.audio_weights and not (ROOT / args.audio_weights).is_file():
        parser.error(f'--audio-weights {args.audio_weights}: no such file')
    # In order, and each once.
    args.variants = [name for name in variants if name in args.variants]
    args.seeds = list(dict.fromkeys(args.seeds))
    return args


def prepare_inputs(args: argparse.Namespace, runner: StepRunner) -> Path:
    """Make the clips and the audio network, unless they are there.

    Returns:
        The weights of the audio network.

    Raises:
        SystemExit: if one of the commands fails.
    """
    data = Path(args.data)
    if not s4_marker(data).exists():
        step = data_step(data, 0, args.clips)
        script = fingerprint('mmavs/datasets/synthetic', step.command[0])
        perform_first(runner, step, digest(script, *step.command))
    if args.audio_weights:
        return Path(args.audio_weights)
    step = audio_step(Path(args.work_dir) / 'audio', data, seed=0)
    sources = fingerprint(
        'mmavs', 'configs/_base_/default_runtime.py', *step.command[:2]
    )
    key = digest(sources, s4_marker(data).read_text(), *step.command)
    perform_first(runner, step, key)
    return step.output


def count_parameters(config: str, options: Sequence[str]) -> int:
    """Number of all trained weights, without the audio network's."""
    cfg = Config.fromfile(config)
    if options:
        parser = argparse.ArgumentParser()
        parser.add_argument('--options', nargs='+', action=DictAction)
        cfg.merge_from_dict(parser.parse_args(['--options', *options]).options)
    init_default_scope(cfg.default_scope)
    with warnings.catch_warnings():
        # Those of the stack; the training has them in its log.
        warnings.simplefilter('ignore')
        model = MODELS.build(cfg.model)
    return sum(
        parameter.numel()
        for name, parameter in model.named_parameters()
        if not name.startswith('audio_backbone.')
    )


def summarise(
    args: argparse.Namespace,
    variants: dict[str, str],
    runs: Sequence[Run],
    failures: dict[Run, StepError],
    runner: StepRunner,
) -> dict:
    """All that the tables show, and the scores of every seed."""
    seconds = runner.seconds()
    names = [
        'data',
        'audio',
        *(step.name for run in runs for step in run.keys),
    ]
    summary: dict = dict(
        iters=args.iters,
        seeds=args.seeds,
        cfg_options=args.cfg_options,
        clips=json.loads(s4_marker(Path(args.data)).read_text())['num_clips'],
        minutes=round(sum(seconds.get(name, 0) for name in names) / 60, 1),
        variants={},
    )
    for name in args.variants:
        mine = [run for run in runs if run.variant == name]
        done = [run for run in mine if run not in failures]
        summary['variants'][name] = dict(
            config=variants[name],
            parameters=count_parameters(variants[name], args.cfg_options)
            if done
            else None,
            failed=[run.seed for run in mine if run in failures],
            seeds={
                str(run.seed): dict(
                    run.scores(),
                    seconds_per_iter=run.seconds_per_iteration(runner),
                )
                for run in done
            },
        )
    return summary


def main() -> int:
    """Run what is not done yet, then print the table.

    Returns:
        The exit status: 1 if a variant failed.
    """
    variants = find_variants()
    args = parse_args(list(variants))
    os.chdir(ROOT)
    work = Path(args.work_dir)
    records = work / 'variants.json'
    prepare(records, OWN, args.fresh)
    runner = StepRunner(records, console, environment(args.jobs))
    weights = prepare_inputs(args, runner)
    runs = plan_runs(
        {name: variants[name] for name in args.variants},
        args.seeds,
        args.iters,
        work,
        Path(args.data),
        weights,
        args.cfg_options,
    )
    failures = perform_all(runs, runner, args.jobs)
    summary = summarise(args, variants, runs, failures, runner)
    (work / 'summary.json').write_text(json.dumps(summary, indent=2) + '\n')
    (work / 'summary.md').write_text(markdown(summary))
    console.print(table(summary))
    console.print(
        f'{summary["minutes"]:.1f} min of work, all runs added up. '
        f'The numbers: {work / "summary.json"} and {work / "summary.md"}'
    )
    show_failures(failures, console)
    return 1 if failures else 0


if __name__ == '__main__':
    # A kill ends the trainings too, as Ctrl-C does.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        raise SystemExit(main())
    except KeyboardInterrupt:
        raise SystemExit('interrupted; the same command goes on') from None
