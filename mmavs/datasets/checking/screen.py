"""A report on one screen."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePosixPath

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from mmavs.datasets.checking.clip_findings import FILE_KINDS
from mmavs.datasets.checking.problem import KINDS, Problem
from mmavs.datasets.checking.report import Report
from mmavs.datasets.checking.split_counts import SplitCounts
from mmavs.datasets.files import printable
from mmavs.datasets.layout import LAYOUTS, Layout

__all__ = ['render']

# Of v2 no number is known, and of all two are in circulation: that of the
# paper and another.
_SEMANTIC_CLIPS = (12_356, 11_356)
_SCREEN_LINES = 40
# What is on it besides the rows of the two tables.
_OTHER_LINES = 9
_MAX_NAMES = 4
_NAME_CHARS = 57
_NEEDED = ('frames', 'masks', 'wav')
_STYLES = dict(error='red', warning='yellow')


def render(report: Report) -> RenderableType:
    """Show what is there, what is wrong, and whether it is enough.

    Args:
        report: what was found.

    Returns:
        About 40 lines of 100 columns: every kind of problem has a line at
        least, with its first file.
    """
    groups = report.groups()
    lines = _SCREEN_LINES - _OTHER_LINES - len(report.counts)
    num_names = min(_MAX_NAMES, max(1, lines // max(1, len(groups))))
    parts: list[RenderableType] = [_counts_table(report.counts)]
    parts += [Text(note, style='dim') for note in _notes(report.counts)]
    if groups:
        parts += ['', _problems_table(groups, num_names)]
    parts += ['', _verdict(report)]
    return Group(*parts)


def _notes(counts: Sequence[SplitCounts]) -> list[str]:
    """Compare the numbers of clips with the published ones."""
    notes = []
    for layout in LAYOUTS.values():
        listed = [c for c in counts if c.subset in layout.subsets]
        if not listed:
            continue
        total = sum(c.clips for c in listed)
        published, *others = _published(layout)
        if others:
            said = (
                f'{published:,} are in its paper, {others[0]:,} by another '
                'count'
            )
        elif total != published:
            said = f'{published:,} are published'
        else:
            continue
        notes.append(f'{layout.root} lists {_number(total, "clip")}, {said}')
    return notes


def _counts_table(counts: Sequence[SplitCounts]) -> Table:
    """Clips and files of every split; red where some are missing."""
    kinds = [
        n for n in FILE_KINDS.values() if any(n in c.found for c in counts)
    ]
    table = Table(box=None, pad_edge=False, header_style='bold')
    table.add_column('subset')
    table.add_column('split')
    for name in ('clips', 'published', 'usable', *kinds):
        table.add_column(name, justify='right', no_wrap=True)
    for c in counts:
        usable = Text(f'{c.usable:,}', 'green' if c.usable else '')
        if c.usable < c.clips:
            usable.style = 'red'
        published = '-' if c.published is None else f'{c.published:,}'
        table.add_row(
            c.subset,
            c.split,
            Text(f'{c.clips:,}', '' if _is_as_published(c) else 'yellow'),
            published,
            usable,
            *(_share(c, name) for name in kinds),
        )
    return table


def _is_as_published(counts: SplitCounts) -> bool:
    return counts.published in (None, counts.clips)


def _share(counts: SplitCounts, name: str) -> Text:
    """How many files of a kind there are, and of how many if not of all."""
    found, expected = counts.found.get(name, 0), counts.expected.get(name, 0)
    if found == expected:
        return Text(f'{found:,}' if expected else '')
    if not found and name not in _NEEDED:
        return Text('-', 'dim')
    style = 'red' if name in _NEEDED else 'yellow'
    return Text(f'{found:,}/{expected:,}', style)


def _problems_table(
    groups: Sequence[Sequence[Problem]], num_names: int
) -> Table:
    """One row for each kind, with its first files."""
    titles = [KINDS[group[0].kind].title for group in groups]
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True, justify='right')
    table.add_column(no_wrap=True)
    # The only column that can be narrower than what is in it.
    table.add_column()
    for title, group in zip(titles, groups, strict=True):
        severity = group[0].severity
        names = [_name(problem) for problem in group[:num_names]]
        if len(group) > num_names:
            names[-1] += ' ...'
        table.add_row(
            Text(severity, _STYLES[severity]),
            f'{len(group):,}',
            title,
            Text('\n'.join(names), no_wrap=True, overflow='ellipsis'),
        )
    return table


def _name(problem: Problem) -> str:
    """The file of a problem; of a list, what is said about its row."""
    name = PurePosixPath(problem.path).name
    if PurePosixPath(problem.path).suffix in ('.csv', '.json'):
        return printable(problem.message.replace(problem.path, name))
    return printable(_shortened(problem.path))


def _shortened(path: str) -> str:
    """Leave out folders in the middle, after the one that says what it is."""
    parts = path.split('/')
    while len(parts) > 1 and (
        parts[0].endswith('_data')
        or parts[0] in [layout.root for layout in LAYOUTS.values()]
    ):
        del parts[0]
    shown = parts
    while len(shown) > 3 and len('/'.join(shown)) > _NAME_CHARS:
        del parts[1]
        shown = [parts[0], '..', *parts[1:]]
    return '/'.join(shown)


def _verdict(report: Report) -> Text:
    clips = sum(counts.clips for counts in report.counts)
    unusable = clips - sum(counts.usable for counts in report.counts)
    warnings = _number(report.num_warnings, 'warning')
    published = _published_if_fewer(report.counts)
    if report.num_errors:
        text = Text.assemble(
            ('incomplete: ', 'bold red'),
            f'{_number(report.num_errors, "error")}, {warnings}; '
            f'{unusable:,} of {_number(clips, "clip")} cannot be used',
        )
    elif published:
        text = Text.assemble(
            ('complete', 'bold green'),
            f' for the {_number(clips, "clip")} listed; {published} are '
            f'published; {warnings}',
        )
    else:
        text = Text.assemble(
            ('complete: ', 'bold green'),
            'training and testing have what they need of '
            f'{_number(clips, "clip")}; {warnings}',
        )
    if report.is_quick:
        text.append(
            '\nquick: only headers were read; broken content and duplicates '
            'were not looked for',
            'dim',
        )
    return text


def _published_if_fewer(counts: Sequence[SplitCounts]) -> str:
    """How many clips are published, '' if no setting lists fewer."""
    is_fewer, least, most = False, 0, 0
    for layout in LAYOUTS.values():
        listed = [c for c in counts if c.subset in layout.subsets]
        if listed:
            totals = _published(layout)
            is_fewer |= sum(c.clips for c in listed) < min(totals)
            least += min(totals)
            most += max(totals)
    if not is_fewer:
        return ''
    return f'{least:,}' if least == most else f'{least:,} or {most:,}'


def _published(layout: Layout) -> tuple[int, ...]:
    """How many clips a setting has as published, by all counts of it."""
    if layout.semantic:
        return _SEMANTIC_CLIPS
    return (sum(layout.published.values()),)


def _number(count: int, noun: str) -> str:
    return f'{count:,} {noun}{"" if count == 1 else "s"}'
