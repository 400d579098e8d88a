"""What the codes of a model know, and what moves them.

Linear probes read from each code what sounds, what is in view and where it
is, on clips they were not fitted to; other sounds show how far each code
moves. Prints tables and writes them as latents.json and latents.md, and
latents.png, the codes by PCA and t-SNE.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from mmengine.config import DictAction
from PIL import Image
from rich.console import Console
from rich.table import Table

# What the scripts share lies a folder above them.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from steps.arguments import positive  # noqa: E402
from steps.progress import progress_bar  # noqa: E402

from mmavs.apis.latent_probes import (  # noqa: E402
    DEFAULT_CONDITIONS,
    FIT_SPLITS,
    evaluate_latents,
)
from mmavs.inference.loading import read_config  # noqa: E402
from mmavs.visualization.latent_figure import draw_latents  # noqa: E402


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config')
    parser.add_argument('checkpoint')
    parser.add_argument('--out', required=True, help='folder for the results')
    parser.add_argument(
        '--conditions',
        nargs='+',
        default=DEFAULT_CONDITIONS,
        metavar='NAME',
        help='sounds that may move the codes, NAME or NAME@PARAMETER; '
        f'default: {" ".join(DEFAULT_CONDITIONS)}',
    )
    parser.add_argument(
        '--fit-split',
        default='train',
        choices=FIT_SPLITS,
        help='clips the probes are fitted to; default: train',
    )
    parser.add_argument(
        '--split',
        default='test',
        choices=('val', 'test'),
        help='clips they are scored on; default: test',
    )
    parser.add_argument(
        '--strength',
        type=float,
        default=1.0,
        help='C of the logistic regressions; default: 1',
    )
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument(
        '--bootstrap',
        type=positive,
        default=2000,
        metavar='N',
        help='resamplings of the scenes; default: 2000',
    )
    parser.add_argument('--device', help='cpu, cuda, cuda:1, ...')
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=DictAction,
        help='override settings of the config, as key=value',
    )
    return parser.parse_args()


def main() -> None:
    """Probe the codes and write what was found."""
    args = parse_args()
    try:
        with progress_bar('clips', transient=True) as progress:
            report = evaluate_latents(
                read_config(args.config, args.cfg_options),
                args.checkpoint,
                args.conditions,
                fit_split=args.fit_split,
                split=args.split,
                strength=args.strength,
                seed=args.seed,
                num_bootstrap=args.bootstrap,
                device=args.device,
                progress=progress,
            )
    except (OSError, ValueError) as error:
        raise SystemExit(f'error: {error}') from error
    report.facts.update(config=args.config, checkpoint=args.checkpoint)
    out = Path(args.out)
    out.mkdir(parents=True, exist_ok=True)
    (out / 'latents.json').write_text(report.to_json())
    (out / 'latents.md').write_text(report.to_markdown())
    picture = draw_latents(
        report.codes,
        report.labels,
        report.other,
        title=f'Codes of {Path(args.config).stem}, {args.split} clips',
        seed=args.seed,
    )
    Image.fromarray(picture).save(out / 'latents.png')

    console, explanations = Console(), report.explanations()
    for title, (head, *rows) in report.tables(intervals=False).items():
        table = Table(title=title)
        for column, name in enumerate(head):
            # Of several words, to be broken into lines.
            name = name.replace('_', ' ') if column else name
            table.add_column(name, justify='right' if column else 'left')
        for row in rows:
            table.add_row(*row)
        console.print(table)
        for line in explanations[title]:
            console.print(line, markup=False, highlight=False)
    for note in report.notes:
        console.print(note, markup=False, highlight=False)
    console.print(
        f'with 95 % intervals: {out / "latents.md"}',
        markup=False,
        highlight=False,
    )


if __name__ == '__main__':
    main()
