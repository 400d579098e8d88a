"""Compare the model with golden numbers of the published network.

For each NAME.npz beside NAME_keys.json or NAME_keys.json.gz in a folder,
reference weights are made under their published names and go through the
converter into the model of the config that fits. Prints the largest absolute
difference of each number, and exits with 1 if one is above the tolerance.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from mmavs.converters import ConversionError
from mmavs.converters.comparison import (
    compare_model,
    compare_vggish,
    golden_models,
    has_vggish,
)

ROOT = Path(__file__).resolve().parents[2]


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument(
        'folder',
        nargs='?',
        type=Path,
        default=ROOT / 'tests' / 'data',
        metavar='DIR',
        help='default: tests/data',
    )
    parser.add_argument(
        '--tolerance', type=float, default=1e-4, help='default: %(default)s'
    )
    parser.add_argument(
        '--json', type=Path, metavar='FILE', help='write the differences too'
    )
    return parser.parse_args(argv)


def compare(folder: Path) -> dict[str, dict]:
    """Differences of every model in a folder, and of VGGish.

    Raises:
        FileNotFoundError: if there is no golden file in the folder.
    """
    results: dict[str, dict] = {}
    for name in golden_models(folder):
        layout, differences = compare_model(folder, name, ROOT)
        results[name] = dict(model=layout.description, differences=differences)
    if has_vggish(folder):
        results['vggish'] = dict(
            model='VGGish', differences=compare_vggish(folder)
        )
    if not results:
        raise FileNotFoundError(
            f'{folder} holds no NAME.npz beside a NAME_keys.json or '
            'NAME_keys.json.gz'
        )
    return results


def make_table(results: dict[str, dict], tolerance: float) -> Table:
    """One row per number."""
    table = Table(title='largest absolute difference')
    table.add_column('model')
    table.add_column('number')
    table.add_column('difference', justify='right')
    for name, result in results.items():
        for number, difference in result['differences'].items():
            good = difference <= tolerance
            text = f'{difference:.1e}'
            table.add_row(name, number, text if good else f'[red]{text} !')
        table.add_section()
    return table


def main(argv: Sequence[str] | None = None) -> int:
    """Compare; 0 if every number is within the tolerance."""
    args = parse_args(argv)
    try:
        results = compare(args.folder)
    except (ConversionError, OSError, ValueError) as error:
        print(f'error: {error}', file=sys.stderr)
        return 1
    console = Console(highlight=False)
    console.print(make_table(results, args.tolerance))
    values = [d for r in results.values() for d in r['differences'].values()]
    # A comparison with NaN is false: «not within» counts it as a failure.
    above = sum(not value <= args.tolerance for value in values)
    console.print(
        f'{len(values)} numbers of {len(results)} models, largest difference '
        f'{max(values):.1e}, {above} above {args.tolerance:g}'
    )
    if args.json:
        args.json.parent.mkdir(parents=True, exist_ok=True)
        args.json.write_text(json.dumps(results, indent=2) + '\n')
    return 1 if above else 0


if __name__ == '__main__':
    sys.exit(main())
