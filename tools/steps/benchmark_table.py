"""What the models of the listening benchmark scored, as tables.

A summary is the dict that tools/analysis_tools/listening_benchmark.py writes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.table import Table

from steps.benchmark import EQUAL_TIME
from steps.variant_table import markdown_rows

# Measure -> head, of the models and of the differences.
COLUMNS = dict(
    mIoU='mIoU',
    F='F',
    twin_gap='twin gap',
    swapped_gap='swapped gap',
    share_silence='area, silence',
    share_white_noise='area, noise',
    quietness='quietness',
    score='score',
)
DIFFERENCES = ('mIoU', 'twin_gap', 'swapped_gap', 'quietness', 'score')
REFERENCES = dict(
    oracle='the true mask, at the size of the input',
    clip_oracle='knows what sounds in the clip, not when',
    vision_only='sees everything, hears nothing',
    all_objects='marks all objects',
    nothing='marks nothing',
)


def model_rows(entry: Mapping) -> tuple[list[str], list[list[str]]]:
    """Heads and cells of what the models of a set scored."""
    rows = []
    for name, scores in entry['references'].items():
        cells = [f'*{name}*: {REFERENCES.get(name, "")}', '', '']
        cells += [
            f'{scores[key]:.3f}' if scores.get(key) is not None else ''
            for key in COLUMNS
        ]
        rows.append(cells)
    models = entry['models']
    most = max(_num_seeds(model) for model in models.values())
    for name, model in models.items():
        rows.append(
            [
                _with_seeds(name, model, most),
                str(model['iters']),
                f'{model["minutes"]:.1f}' if model['minutes'] else '–',
                *(cell(model['measures'].get(key), key) for key in COLUMNS),
            ]
        )
    return ['model', 'iterations', 'min', *COLUMNS.values()], rows


def difference_rows(entry: Mapping) -> tuple[list[str], list[list[str]]]:
    """Heads and cells of the differences between models of a set."""
    rows = [
        [
            f'{pair["model"]} − {pair["reference"]}',
            ' '.join(f'{value:+.3f}' for value in pair['mIoU_by_seed']),
            *(
                cell(pair['measures'].get(key), sign='+')
                for key in DIFFERENCES
            ),
        ]
        for pair in entry['differences']
    ]
    heads = [COLUMNS[key] for key in DIFFERENCES]
    return ['difference', 'mIoU, each seed', *heads], rows


def cell(found: Mapping | None, key: str = '', sign: str = '') -> str:
    """A value and its interval; shares of the pixels in percent."""
    if found is None:
        return '–'
    form, factor = f'{sign}.3f', 1
    if key.startswith('share'):
        form, factor = '.1f', 100
    value, low, high = (
        format(found[name] * factor, form) for name in ('value', 'low', 'high')
    )
    return f'{value} [{low}, {high}]' + (' %' if factor == 100 else '')


def _num_seeds(model: Mapping) -> int:
    return sum(len(model[key]) for key in ('seeds', 'failed', 'open'))


def _with_seeds(name: str, model: Mapping, most: int) -> str:
    """The name, and how many seeds there are if not as many as planned."""
    done, total = len(model['seeds']), _num_seeds(model)
    if not done:
        return f'{name} ({"failed" if model["failed"] else "not done"})'
    if done < total:
        return f'{name} ({done} of {total} seeds)'
    return name if total == most else f'{name} (one seed)'


def describe(summary: Mapping) -> str:
    """What the tables show, in words."""
    seeds = summary['seeds']
    which = f'{len(seeds)} seeds ({", ".join(map(str, seeds))})'
    if len(seeds) == 1:
        which = f'one seed ({seeds[0]})'
    sizes = '; '.join(
        f'{name.upper()}: {entry["clips"]["train"]} training clips, '
        f'{entry["clips"]["test"]} test clips'
        for name, entry in summary['sets'].items()
    )
    version = summary['benchmark']
    settings = ' '.join(summary['cfg_options'])
    return (
        f'{f"Benchmark {version}" if version else "Not the benchmark"}, '
        f'{which}{f", with {settings}" if settings else ""}. {sizes}. '
        'In brackets 95 % intervals over scenes and seeds. Every mIoU and F '
        'is against the mask of the own sound; a gap is how far mIoU falls '
        'under another sound; area is the share of the pixels that is '
        'marked. +neg: trained further, with sounds that nothing in view '
        'makes; +more: as much further without them; '
        f'{EQUAL_TIME}NAME: for as long as NAME, not as many '
        'iterations. Minutes are of one training with its test on '
        f'{summary["machine"]["usable_cores"]} cores of '
        f'{summary["machine"]["processor"]}'
        f'{", with " + gpu if (gpu := summary["machine"]["gpu"]) else ""}, '
        f'{summary["jobs"]} at a time; all took '
        f'{summary["minutes"]:.0f} min of work.'
    )


def markdown(summary: Mapping) -> str:
    """The tables as GitHub shows them."""
    parts = [describe(summary)]
    for name, entry in summary['sets'].items():
        parts += [f'### {name.upper()}', markdown_rows(*model_rows(entry))]
        heads, rows = difference_rows(entry)
        if rows:
            parts.append(markdown_rows(heads, rows))
    return '\n\n'.join(parts) + '\n'


def tables(summary: Mapping) -> list[Table]:
    """The tables for the screen."""
    result = []
    for name, entry in summary['sets'].items():
        for title, (heads, rows) in (
            (f'{name.upper()}', model_rows(entry)),
            (f'{name.upper()}, differences', difference_rows(entry)),
        ):
            if rows:
                result.append(_table(title, heads, rows))
    result[-1].caption = describe(summary)
    return result


def _table(
    title: str, heads: Sequence[str], rows: Sequence[Sequence[str]]
) -> Table:
    table = Table(title=title)
    for number, head in enumerate(heads):
        table.add_column(head, justify='right' if number else 'left')
    for cells in rows:
        table.add_row(*(text.replace('*', '') for text in cells))
    return table
