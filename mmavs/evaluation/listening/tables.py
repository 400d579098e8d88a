"""A listening report as text."""

from __future__ import annotations

import numpy as np

from mmavs.evaluation.listening.bootstrap import Estimate
from mmavs.evaluation.listening.report import MATCHED, ListeningReport

HEADER = (
    'sound',
    'clips',
    'mIoU',
    'F',
    'gap',
    'marked',
    'active',
    'false',
)
# Measure of each column after the clips -> whether it is a percentage.
_COLUMNS = dict(
    mIoU=False,
    F=False,
    gap=False,
    foreground_share=True,
    active_share=True,
    false_share=True,
)
NOTE = (
    'mIoU and F are against the mask of the own sound, whatever is played: '
    'a model that listens falls. gap: mIoU with the own sound minus that with '
    'this one. In %: marked, the share of the pixels; active, the share of '
    'the frames with more than 0.1 % of their pixels marked; false, the share '
    'of the pixels that are marked and do not sound with what is played, – '
    'where nobody knows.'
)
INTERVALS = 'In brackets: 95 % bootstrap intervals over clips.'


def table_rows(
    report: ListeningReport, intervals: bool = True
) -> list[tuple[str, ...]]:
    """One row for each sound, below ``HEADER``.

    Args:
        report: what was measured.
        intervals: whether the numbers come with theirs.
    """
    rows = []
    for name, found in report.conditions.items():
        values = [
            format_estimate(found.measures[key], percent, intervals)
            for key, percent in _COLUMNS.items()
        ]
        if name == MATCHED:
            values[list(_COLUMNS).index('gap')] = '–'
        rows.append((name, str(found.num_clips), *values))
    return rows


def summary_lines(report: ListeningReport) -> list[str]:
    """The numbers that are of no single sound, and what was left out."""
    named = {
        'gap, matched - swapped': report.gap,
        'gap, matched - twin': report.twin_gap,
        'quietness': report.quietness,
        'listening score': report.score,
    }
    lines = [
        f'{name}: {format_estimate(estimate)}'
        for name, estimate in named.items()
        if estimate is not None
    ]
    share = format_estimate(report.truth_share, percent=True)
    lines.append(f'sounds with the own sound: {share} % of the pixels')
    lines += [f'{k} left out: {why}' for k, why in report.left_out.items()]
    return lines


def to_markdown(report: ListeningReport, title: str) -> str:
    """The report as a page of Markdown.

    Args:
        report: what was measured.
        title: the headline.
    """
    rows = [HEADER, ('---', *['---:'] * (len(HEADER) - 1))]
    rows += table_rows(report)
    table = '\n'.join(f'| {" | ".join(row)} |' for row in rows)
    summary = '\n'.join(f'- {line}' for line in summary_lines(report))
    clips = f'{report.num_clips} clips, {report.num_frames} labelled frames.'
    return (
        f'# {title}\n\n{clips}\n\n{table}\n\n{NOTE} {INTERVALS}\n\n{summary}\n'
    )


def format_estimate(
    estimate: Estimate, percent: bool = False, interval: bool = True
) -> str:
    """``0.723 [0.682, 0.761]``, or a dash where there is no number.

    Args:
        estimate: the number and its interval.
        percent: times 100, with fewer digits.
        interval: whether it is written too.
    """
    numbers = [estimate.value, estimate.low, estimate.high]
    if np.isnan(estimate.value):
        return '–'
    value, low, high = (
        f'{100 * x:.1f}' if percent else f'{x:.3f}' for x in numbers
    )
    return f'{value} [{low}, {high}]' if interval else value
