"""What can be scored on a synthetic set without a model: ceilings and floors.

Draws the scenes of a set anew and scores what marks whole objects without
error but knows more or less of the sound: everything (oracle), what sounds in
the clip but not when (clip_oracle), nothing (vision_only), and the two
constant answers (all_objects, nothing). Example::

    python tools/analysis_tools/benchmark_references.py \
        data/benchmark/Multi-sources --input-size 64 64
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from mmavs.datasets.layout import SPLITS
from mmavs.datasets.synthetic.references import reference_scores
from mmavs.evaluation import dataset_scores
from mmavs.evaluation.functional.scores import ClipScores


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument(
        'root',
        metavar='ROOT',
        help='folder of a synthetic set of S4 or MS3, the one that has\n'
        'generator.json',
    )
    parser.add_argument(
        '--input-size',
        nargs=2,
        type=int,
        metavar=('W', 'H'),
        help='what the frames are resized to for the model, through which\n'
        'the masks pass (default: their own size)',
    )
    parser.add_argument('--split', choices=SPLITS, default='test')
    parser.add_argument(
        '--out', metavar='JSON', help='file to write the numbers into'
    )
    args = parser.parse_args(argv)
    if args.input_size and min(args.input_size) < 1:
        parser.error(
            f'--input-size must be two positive numbers, got {args.input_size}'
        )
    return args


def summarise(
    references: dict[str, list[ClipScores]],
) -> dict[str, dict[str, float | None]]:
    """mIoU and F of every reference; F is None if all frames are empty."""
    summary = {}
    for name, clips in references.items():
        miou, f_score = dataset_scores(clips)
        summary[name] = dict(
            mIoU=miou, F=None if np.isnan(f_score) else f_score
        )
    return summary


def make_table(summary: dict) -> Table:
    """One line for each reference."""
    table = Table()
    table.add_column('reference')
    for column in ('mIoU', 'F'):
        table.add_column(column, justify='right')
    for name, scores in summary.items():
        cells = (
            '-' if score is None else f'{score:.4f}'
            for score in scores.values()
        )
        table.add_row(name, *cells)
    return table


def main(argv: Sequence[str] | None = None) -> None:
    """Score, print a table, write the numbers."""
    args = parse_args(argv)
    size = tuple(args.input_size) if args.input_size else None
    try:
        references = reference_scores(args.root, args.split, size)
    except (ValueError, OSError) as error:
        sys.exit(f'error: {error}')
    summary = summarise(references)
    clips = next(iter(references.values()))
    num_frames = sum(len(clip.iou) for clip in clips)
    num_empty = num_frames - sum(int(clip.non_empty.sum()) for clip in clips)
    seen_at = 'their own size' if size is None else f'{size[0]} x {size[1]}'
    console = Console(highlight=False)
    console.print(
        f'{args.root}, {args.split}: {len(clips)} clips, {num_frames} frames '
        f'({num_empty} empty), masks at {seen_at}'
    )
    console.print(make_table(summary))
    if args.out:
        content = dict(
            root=args.root,
            split=args.split,
            input_size=args.input_size,
            num_clips=len(clips),
            num_frames=num_frames,
            num_empty=num_empty,
            references=summary,
        )
        Path(args.out).parent.mkdir(parents=True, exist_ok=True)
        Path(args.out).write_text(json.dumps(content, indent=2) + '\n')


if __name__ == '__main__':
    main()
