"""Make a synthetic AVSBench, to try everything without the data.

Writes ``OUT/Single-source`` (S4), ``OUT/Multi-sources`` (MS3) and
``OUT/AVSBench-semantic`` (AVSS) exactly as AVSBench lays them out, with clips
in which only the sound tells which of the visible objects belong to the mask.
Example::

    python tools/dataset_converters/synthetic_avsbench.py data/synthetic
"""

import argparse
import sys
import time
from pathlib import Path

from mmavs.datasets.layout import LAYOUTS, SPLITS
from mmavs.datasets.synthetic import (
    ENCODINGS,
    plan_clips,
    write_synthetic_avsbench,
)

# What the scripts share lies a folder above them.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from steps.progress import progress_bar  # noqa: E402


def parse_args():
    parser = argparse.ArgumentParser(
        description='Make a synthetic AVSBench (S4, MS3 and AVSS).'
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
        default=(160, 20, 20),
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
        default=0.05,
        help='MS3, and AVSS but v1s: share of the seconds in which no object '
        'sounds (default: 0.05)',
    )
    parser.add_argument(
        '--encodings',
        choices=ENCODINGS,
        default='published',
        help='how files are stored: as AVSBench has them, or changing from '
        'clip to clip between all forms that occur (default: published)',
    )
    parser.add_argument(
        '--log-mel',
        action='store_true',
        help='also write the log-mel features of the sound, as pickles in '
        'the published form',
    )
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument(
        '--workers',
        type=int,
        default=0,
        help='threads; changes the speed, never the files (default: 0)',
    )
    parser.add_argument(
        '--overwrite',
        action='store_true',
        help='start anew where a synthetic set is already; nothing else is '
        'ever removed',
    )
    return parser.parse_args()


def main():
    args = parse_args()
    subsets = [subset for subset in LAYOUTS if subset in args.subset]
    counts = dict(s4=args.clips, ms3=args.ms3_clips, avss=args.avss_clips)
    num_clips = {
        subset: dict(zip(SPLITS, counts[subset] or args.clips, strict=True))
        for subset in subsets
    }

    start = time.perf_counter()
    done = []
    try:
        # what is wrong with any subset is said before the first is written
        for subset in subsets:
            plan_clips(subset, num_clips[subset], args.seed, args.silent_share)
        for subset in subsets:
            with progress_bar(subset) as progress:
                root, is_new = write_synthetic_avsbench(
                    args.out,
                    subset,
                    num_clips[subset],
                    seed=args.seed,
                    silent_share=args.silent_share,
                    encodings=args.encodings,
                    log_mel=args.log_mel,
                    num_workers=args.workers,
                    overwrite=args.overwrite,
                    progress=progress,
                )
            count = sum(num_clips[subset].values())
            state = 'written to' if is_new else 'complete already, reused:'
            done.append(f'{subset}: {count} clips {state} {root}')
    except (ValueError, FileExistsError) as error:
        sys.exit(f'error: {error}')
    seconds = time.perf_counter() - start
    print('; '.join(done) + f' ({seconds:.1f} s)')


if __name__ == '__main__':
    main()
