"""Make a synthetic AVSBench, to try everything without the data.

Writes ``OUT/Single-source`` (S4), ``OUT/Multi-sources`` (MS3) and
``OUT/AVSBench-semantic`` (AVSS) exactly as AVSBench lays them out, with clips
in which only the sound tells which of the visible objects belong to the mask.
Example::

    python tools/dataset_converters/synthetic_avsbench.py data/synthetic

With ``--benchmark`` it writes the S4 and MS3 sets that published scores are
of, whose size, options and seed are fixed::

    python tools/dataset_converters/synthetic_avsbench.py data/benchmark \
        --benchmark
"""

import argparse
import sys
import time
from pathlib import Path

from mmavs.datasets.layout import LAYOUTS, SPLITS
from mmavs.datasets.synthetic import (
    BENCHMARK_VERSION,
    ENCODINGS,
    OFF_SCREEN_KINDS,
    benchmark_options,
    plan_clips,
    write_synthetic_avsbench,
)

# What the scripts share lies a folder above them.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from steps.progress import progress_bar  # noqa: E402

# The options that --benchmark fixes, with their defaults without it.
DEFAULTS = dict(
    clips=(160, 20, 20),
    ms3_clips=None,
    avss_clips=None,
    silent_share=0.05,
    off_screen=None,
    encodings='published',
    log_mel=False,
    seed=0,
)


def parse_args():
    parser = argparse.ArgumentParser(
        description='Make a synthetic AVSBench (S4, MS3 and AVSS).',
        argument_default=argparse.SUPPRESS,
    )
    parser.add_argument('out', metavar='OUT', help='folder to write into')
    parser.add_argument(
        '--subset',
        nargs='+',
        choices=tuple(LAYOUTS),
        default=('s4', 'ms3'),
        help='settings to make (default: s4 ms3)',
    )
    parser.add_argument(
        '--clips',
        nargs=3,
        type=int,
        metavar=('TRAIN', 'VAL', 'TEST'),
        help='clips per split; VAL and TEST must be 0 or even and at least '
        '4, for AVSS 12; those of AVSS are shared out evenly to v1s, v1m and '
        'v2 (default: 160 20 20)',
    )
    parser.add_argument(
        '--ms3-clips',
        nargs=3,
        type=int,
        metavar=('TRAIN', 'VAL', 'TEST'),
        help='the same for MS3 (default: as --clips)',
    )
    parser.add_argument(
        '--avss-clips',
        nargs=3,
        type=int,
        metavar=('TRAIN', 'VAL', 'TEST'),
        help='the same for AVSS (default: as --clips)',
    )
    parser.add_argument(
        '--silent-share',
        type=float,
        help='MS3, and AVSS but v1s: share of the seconds in which no object '
        'sounds (default: 0.05)',
    )
    parser.add_argument(
        '--off-screen',
        choices=OFF_SCREEN_KINDS,
        help='S4 and MS3: in one scene of eight something unseen sounds '
        'besides (also); in another one nothing else does (only, not S4) '
        '(default: none; AVSS always has such scenes)',
    )
    parser.add_argument(
        '--encodings',
        choices=ENCODINGS,
        help='how files are stored: as AVSBench has them, or changing from '
        'clip to clip between all forms that occur (default: published)',
    )
    parser.add_argument(
        '--log-mel',
        action='store_true',
        help='also write the log-mel features of the sound, as pickles in '
        'the published form',
    )
    parser.add_argument('--seed', type=int, help='(default: 0)')
    parser.add_argument(
        '--benchmark',
        action='store_true',
        default=False,
        help=f'the sets of the benchmark, version {BENCHMARK_VERSION}, S4 and '
        'MS3; clips, seed and what they are like are fixed',
    )
    parser.add_argument(
        '--workers',
        type=int,
        default=0,
        help='threads; changes the speed, never the files (default: 0)',
    )
    parser.add_argument(
        '--overwrite',
        action='store_true',
        default=False,
        help='start anew where a synthetic set is already; nothing else is '
        'ever removed',
    )
    args = parser.parse_args()
    given = [name for name in DEFAULTS if name in args]
    if args.benchmark and (given or 'avss' in args.subset):
        names = ', '.join(f'--{name.replace("_", "-")}' for name in given)
        parser.error(
            '--benchmark has fixed sets of S4 and MS3, it does not go with '
            + (names or '--subset avss')
        )
    for name, value in DEFAULTS.items():
        if name not in args:
            setattr(args, name, value)
    return args


def set_options(args, subset):
    """What the writer is given for a subset, but for how it works."""
    if args.benchmark:
        return benchmark_options(subset)
    counts = dict(s4=args.clips, ms3=args.ms3_clips, avss=args.avss_clips)
    return dict(
        subset=subset,
        num_clips=dict(zip(SPLITS, counts[subset] or args.clips, strict=True)),
        seed=args.seed,
        silent_share=args.silent_share,
        off_screen=args.off_screen,
        encodings=args.encodings,
        log_mel=args.log_mel,
    )


def check_options(options):
    """Plan a set without writing it.

    Raises:
        ValueError: If an option is out of its range.
    """
    names = ('subset', 'num_clips', 'seed', 'silent_share', 'off_screen')
    plan_clips(**{name: options[name] for name in names if name in options})


def main():
    args = parse_args()
    sets = [
        set_options(args, subset)
        for subset in LAYOUTS
        if subset in args.subset
    ]

    start = time.perf_counter()
    done = []
    try:
        # what is wrong with any subset is said before the first is written
        for options in sets:
            check_options(options)
        for options in sets:
            subset = options['subset']
            with progress_bar(subset) as progress:
                root, is_new = write_synthetic_avsbench(
                    args.out,
                    **options,
                    num_workers=args.workers,
                    overwrite=args.overwrite,
                    progress=progress,
                )
            count = sum(options['num_clips'].values())
            state = 'written to' if is_new else 'complete already, reused:'
            done.append(f'{subset}: {count} clips {state} {root}')
    except (ValueError, FileExistsError) as error:
        sys.exit(f'error: {error}')
    seconds = time.perf_counter() - start
    print('; '.join(done) + f' ({seconds:.1f} s)')


if __name__ == '__main__':
    main()
