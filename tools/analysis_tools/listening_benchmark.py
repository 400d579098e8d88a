"""Train and test models on the synthetic benchmark: does it listen?

Writes the benchmark's sets, teaches a small audio network their sounds, trains
every model with every seed on S4 and from there on MS3, and tests the last
weights with the own sound and with others. A model is the model part of a
config: full of configs/mmvae_tiny_s4.py, NAME of
configs/ablations/mmvae_tiny_s4_NAME.py, NAME=CONFIG of any. NAME+neg is NAME
trained further with sounds that nothing in view makes, and NAME+more its
control, as much further without them.
The tables have 95 % intervals over seeds and scenes, and differences to
the baseline without latents, tpavi, with the same scenes and seeds for both.

Each step is one command of this repository, shown before it runs. What is
finished is not done again; what was interrupted goes on, seed by seed, after
what is timed. What
fails is told and does not stop the others. A model starts anew when its
config, the clips or code that decides its weights changed.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import sys
from pathlib import Path

from rich.console import Console

# What this script shares with others lies a folder above it.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from steps.benchmark import (  # noqa: E402
    BASELINE,
    CONTROL,
    DATA,
    DEFAULT_EQUAL_TIME,
    DEFAULT_MODELS,
    EQUAL_TIME,
    NEGATIVES,
    OTHERS,
    REFERENCES,
    SETS,
    STARTS,
    benchmark_data_step,
    clips_key,
    find_models,
    marker,
    parse_iters,
    parse_model,
    plain_name,
    read_data_config,
    reference_step,
)
from steps.benchmark_figure import draw_benchmark  # noqa: E402
from steps.benchmark_runs import (  # noqa: E402
    Planner,
    equal_time_pairs,
    perform_benchmark,
    training_code,
)
from steps.benchmark_summary import summarise_all  # noqa: E402
from steps.benchmark_table import markdown, tables  # noqa: E402
from steps.pool import (  # noqa: E402
    environment,
    perform_first,
    show_failures,
)
from steps.runner import (  # noqa: E402
    ROOT,
    StepRunner,
    code_fingerprint,
    digest,
    fingerprint,
    prepare,
)
from steps.synthetic import audio_step, settings_path  # noqa: E402
from steps.variants import schedule_options  # noqa: E402

# How the names of what this script writes begin.
OWN = (
    'audio',
    'benchmark',
    'code.txt',
    'configs',
    'equal_time',
    'logs',
    'references',
    'runs',
)
console = Console(highlight=False)


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    known = find_models()
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument(
        '--models',
        nargs='+',
        default=DEFAULT_MODELS,
        metavar='NAME',
        help=f'among {", ".join(known)}, or NAME=CONFIG; with {NEGATIVES} '
        f'behind NAME\nfurther with negatives, with {CONTROL} further '
        f'without; default: '
        f'{" ".join(DEFAULT_MODELS)}',
    )
    parser.add_argument(
        '--once',
        nargs='+',
        default=[],
        metavar='NAME',
        help='further models, with the first of the seeds only;\n'
        f'{OTHERS}: all that are not among --models',
    )
    parser.add_argument(
        '--sets',
        nargs='+',
        choices=SETS,
        default=list(SETS),
        help='default: s4 ms3',
    )
    parser.add_argument(
        '--seeds',
        type=int,
        nargs='+',
        default=[0, 1, 2],
        metavar='SEED',
        help='of the trainings; default: 0 1 2',
    )
    parser.add_argument(
        '--iters',
        nargs='+',
        default=[],
        metavar='[SET=]N',
        help='training iterations, at least 3, also of the audio network and\n'
        'of a further training, with negatives or without; default:\n'
        's4=400 ms3=400 negatives=320 audio=300',
    )
    parser.add_argument(
        '--equal-time',
        nargs='*',
        metavar='MODEL',
        help=f'also train {EQUAL_TIME}MODEL: {BASELINE} for as many '
        'iterations as take it\nthe time that MODEL takes, the median over '
        'the seeds, so it starts\nanew with other seeds; without MODEL:\n'
        f'{" ".join(DEFAULT_EQUAL_TIME)}',
    )
    parser.add_argument(
        '--jobs',
        type=int,
        default=1,
        help='trainings at a time; default: %(default)s',
    )
    parser.add_argument(
        '--minutes-budget',
        type=float,
        metavar='MINUTES',
        help='begin no training after so many; the same command goes on.\n'
        'With 0 no model is trained, and the tables are of what is done',
    )
    parser.add_argument(
        '--work-dir',
        type=settings_path,
        default='work_dirs/listening_benchmark',
        help='relative to the checkout; default: %(default)s',
    )
    parser.add_argument(
        '--data',
        type=settings_path,
        default=DATA,
        help='where the sets go, relative to the checkout; complete\n'
        'synthetic sets there are used as they are; default: %(default)s',
    )
    parser.add_argument(
        '--audio-weights',
        type=settings_path,
        metavar='FILE',
        help='audio_backbone.pth of tools/pretrain_audio.py; by default one\n'
        'is trained first',
    )
    parser.add_argument(
        '--docs',
        type=Path,
        metavar='DIR',
        help='also write benchmark_tables.md and images/benchmark.png there,\n'
        'relative to the checkout',
    )
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        default=[],
        metavar='KEY=VALUE',
        help='further settings of every training and test',
    )
    parser.add_argument(
        '--same-code',
        action='store_true',
        help='keep the trainings although code changed since the last time,\n'
        'where that changes none of their numbers',
    )
    parser.add_argument(
        '--fresh', action='store_true', help='forget what was done before'
    )
    args = parser.parse_args()
    try:
        args.models = [parse_model(text, known) for text in args.models]
        if OTHERS in args.once:
            named = {model.name for model in args.models}
            args.once.remove(OTHERS)
            args.once += [x for x in known if x not in {*named, *args.once}]
        args.once = [parse_model(text, known) for text in args.once]
        args.iters = parse_iters(args.iters)
    except ValueError as error:
        parser.error(str(error))
    names = [model.name for model in (*args.models, *args.once)]
    if len(set(names)) < len(names):
        parser.error(f'--models and --once have one twice: {" ".join(names)}')
    configs: dict[str, str] = {}
    for model in (*args.models, *args.once):
        config = configs.setdefault(plain_name(model.name), model.config)
        if config != model.config:
            parser.error(
                f'{plain_name(model.name)} is one model, but --models and '
                f'--once give it two configs: {config} and {model.config}'
            )
    if args.equal_time == []:
        args.equal_time = DEFAULT_EQUAL_TIME
    args.equal_time = list(dict.fromkeys(args.equal_time or ()))
    try:
        equal_time_pairs(args.models, args.equal_time)
    except ValueError as error:
        parser.error(str(error))
    if args.jobs < 1:
        parser.error(f'--jobs must be at least 1, got {args.jobs}')
    if args.audio_weights and not (ROOT / args.audio_weights).is_file():
        parser.error(f'--audio-weights {args.audio_weights}: no such file')
    # In order, and each once.
    args.sets = [name for name in SETS if name in args.sets]
    args.seeds = list(dict.fromkeys(args.seeds))
    return args


def prepare_inputs(args: argparse.Namespace, runner: StepRunner) -> Path:
    """Make the clips, their ceilings and the audio network, once.

    Returns:
        The weights of the audio network.

    Raises:
        SystemExit: if one of the commands fails.
    """
    data, work = Path(args.data), Path(args.work_dir)
    needed = {
        *args.sets,
        *(STARTS.get(subset, subset) for subset in args.sets),
    }
    if not args.audio_weights:
        needed.add('s4')
    for subset in SETS:
        if subset in needed and not marker(data, subset).is_file():
            step = benchmark_data_step(data, subset)
            script = fingerprint('mmavs/datasets/synthetic', step.command[0])
            perform_first(runner, step, digest(script, *step.command))
    scoring = code_fingerprint(
        'mmavs/datasets/synthetic', 'mmavs/evaluation/functional', REFERENCES
    )
    for subset in args.sets:
        size = read_data_config(subset).input_size
        step = reference_step(subset, data, size, work)
        key = digest(scoring, clips_key(data, subset), *step.command)
        perform_first(runner, step, key)
    if args.audio_weights:
        return Path(args.audio_weights)
    step = audio_step(
        work / 'audio',
        data,
        seed=0,
        options=schedule_options(args.iters['audio']),
    )
    code = training_code(work, args.same_code)
    script = code_fingerprint(*step.command[:2])
    key = digest(code, script, clips_key(data, 's4'), *step.command)
    perform_first(runner, step, key)
    return step.output


def write_results(summary: dict, work: Path, docs: Path | None) -> None:
    """Write tables and figure, and copies of them for the documentation."""
    text, picture = work / 'benchmark.md', work / 'benchmark.png'
    (work / 'benchmark.json').write_text(json.dumps(summary, indent=2) + '\n')
    text.write_text(markdown(summary))
    draw_benchmark(summary, picture)
    if docs is not None:
        (docs / 'images').mkdir(parents=True, exist_ok=True)
        shutil.copyfile(text, docs / 'benchmark_tables.md')
        shutil.copyfile(picture, docs / 'images' / picture.name)


def main() -> int:
    """Run what is not done yet, then compare.

    Returns:
        The exit status: 1 if a run failed.
    """
    args = parse_args()
    os.chdir(ROOT)
    work = Path(args.work_dir)
    records = work / 'benchmark_steps.json'
    prepare(records, OWN, args.fresh)
    runner = StepRunner(records, console, environment(args.jobs))
    weights = prepare_inputs(args, runner)
    planner = Planner(
        work, Path(args.data), weights, args.cfg_options, args.same_code
    )
    runs, failures = perform_benchmark(args, runner, planner)
    summary = summarise_all(args, runs, failures, runner)
    write_results(summary, work, args.docs)
    for table in tables(summary):
        console.print(table)
    console.print(f'All of it: {work}/benchmark.json, .md and .png')
    show_failures(failures, console)
    return 1 if failures else 0


if __name__ == '__main__':
    # A kill ends the trainings too, as Ctrl-C does.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        raise SystemExit(main())
    except KeyboardInterrupt:
        raise SystemExit('interrupted; the same command goes on') from None
