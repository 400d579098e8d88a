"""What the variants scored, as a table for the screen and for GitHub.

A summary is the dict that tools/analysis_tools/compare_variants.py writes.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from rich.table import Table


def table_rows(summary: dict) -> tuple[list[str], list[list[str]]]:
    """Heads and cells of the table."""
    columns = dict(
        seconds_per_iter='s/iter',
        mIoU='mIoU',
        F='F',
        mIoU_twin='mIoU twin',
        mIoU_swapped='mIoU swapped',
        difference='matched - swapped',
    )
    variants = summary['variants'].values()
    measured = [run for entry in variants for run in entry['seeds'].values()]
    if not any(run['seconds_per_iter'] for run in measured):
        del columns['seconds_per_iter']
    rows = []
    for name, entry in summary['variants'].items():
        count = entry['parameters']
        if not entry['seeds']:
            name = f'{name} (failed)'
        elif entry['failed']:
            of = len(entry['seeds']) + len(entry['failed'])
            name = f'{name} ({len(entry["seeds"])} of {of} seeds)'
        cells = [name, f'{count / 1e6:.2f}' if count else '–']
        for column in columns:
            values = [run[column] for run in entry['seeds'].values()]
            cells.append(cell([v for v in values if v is not None]))
        rows.append(cells)
    return ['variant', 'params (M)', *columns.values()], rows


def cell(values: Sequence[float]) -> str:
    """A value, or median and range of several."""
    if not values:
        return '–'
    if len(values) == 1:
        return f'{values[0]:.3f}'
    median = statistics.median(values)
    return f'{median:.2f} ({min(values):.2f}–{max(values):.2f})'


def describe(summary: dict) -> str:
    """What the table shows, in words."""
    seeds = summary['seeds']
    which = f'seed {seeds[0]}'
    if len(seeds) > 1:
        which = f'median and range of the seeds {", ".join(map(str, seeds))}'
    clips = summary['clips']
    settings = ' '.join(summary['cfg_options'])
    return (
        f'{summary["iters"]} training iterations on {clips["train"]} '
        f'synthetic S4 clips{f" with {settings}" if settings else ""}, '
        f'{which}. Scores on {clips["test"]} test clips, all against the '
        'mask of the matched sound: where the sound is wrong, a model that '
        'listens scores low. Parameters are all that the training has, '
        'without the audio network.'
    )


def markdown(summary: dict) -> str:
    """The table as GitHub shows it."""
    rows = markdown_rows(*table_rows(summary))
    return f'{rows}\n\n{describe(summary)}\n'


def markdown_rows(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table of names and numbers as GitHub shows it."""
    rule = ['---'] + ['---:'] * (len(heads) - 1)
    return '\n'.join(
        '| ' + ' | '.join(cells) + ' |' for cells in (heads, rule, *rows)
    )


def table(summary: dict) -> Table:
    """The table for the screen."""
    heads, rows = table_rows(summary)
    result = Table(title='Variants of ECMVAE, tiny', caption=describe(summary))
    for number, head in enumerate(heads):
        if number:
            result.add_column(head, justify='right')
        else:
            result.add_column(head, no_wrap=True)
    for cells in rows:
        result.add_row(*cells)
    return result
