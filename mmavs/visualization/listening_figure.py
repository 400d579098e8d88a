"""The picture of a listening report."""

from __future__ import annotations

import os
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from mmavs.evaluation.listening.bootstrap import Estimate
from mmavs.evaluation.listening.report import ListeningReport
from mmavs.visualization.text import fit_text

DPI = 150
# Inches.
WIDTH, ROW, HEAD, FOOT = 10.0, 0.3, 0.95, 0.75
# Of Okabe and Ito: which mask is right with what is played.
TRUTHS: dict[str | None, tuple[str, str]] = {
    'matched': ('#0072B2', 'the own sound is heard'),
    'twin': ('#009E73', 'another object of the picture sounds'),
    'empty': ('#D55E00', 'nothing of the picture sounds'),
    None: ('0.6', 'not known what sounds'),
}


def draw_listening(
    report: ListeningReport, path: str | os.PathLike, title: str = ''
) -> None:
    """Draw mIoU and marked share of every sound, with their intervals.

    Args:
        report: what was measured.
        path: the PNG file.
        title: one line above it all, cut if it is too long.
    """
    conditions = report.conditions
    height = HEAD + ROW * len(conditions) + FOOT
    figure = Figure((WIDTH, height), dpi=DPI, facecolor='white')
    FigureCanvasAgg(figure)
    axes = figure.subplots(1, 2, sharey=True)
    figure.subplots_adjust(
        left=0.15,
        right=0.98,
        top=1 - HEAD / height,
        bottom=FOOT / height,
        wspace=0.06,
    )
    colours = [TRUTHS[found.truth][0] for found in conditions.values()]
    names = list(conditions)
    _draw_bars(
        axes[0],
        [found.measures['mIoU'] for found in conditions.values()],
        colours,
    )
    axes[0].set_xlim(0, 1)
    axes[0].set_yticks(range(len(names)), names, fontsize=9)
    axes[0].invert_yaxis()
    axes[0].set_xlabel('mIoU against the mask of the own sound', size=9)
    _draw_bars(
        axes[1],
        [found.measures['foreground_share'] for found in conditions.values()],
        colours,
        factor=100,
    )
    axes[1].set_xlabel('marked pixels (%)', size=9)
    share = 100 * report.truth_share.value
    axes[1].axvline(share, color='0.3', linewidth=1, linestyle='--')
    # Above the bars, where nothing else is.
    axes[1].text(
        share,
        1.01,
        'truth of the own sound',
        transform=axes[1].get_xaxis_transform(),
        ha='center',
        va='bottom',
        size=8,
        color='0.3',
    )
    _draw_head(figure, height, report, title)
    figure.savefig(path, dpi=DPI, format='png')


def _draw_bars(
    axis: Axes,
    estimates: Sequence[Estimate],
    colours: Sequence[str],
    factor: float = 1.0,
) -> None:
    value, low, high = (
        factor * np.array([getattr(e, name) for e in estimates])
        for name in ('value', 'low', 'high')
    )
    rows = np.arange(len(estimates))
    axis.barh(rows, value, height=0.7, color=colours, alpha=0.85)
    # The interval need not contain the value.
    axis.hlines(rows, low, high, color='black', linewidth=1.2)
    for end in (low, high):
        axis.vlines(end, rows - 0.15, rows + 0.15, color='black', linewidth=1)
    axis.set_xlim(left=0)
    axis.grid(axis='x', color='0.9', linewidth=0.7)
    axis.set_axisbelow(True)
    axis.tick_params(labelsize=9, length=3)
    for side in ('top', 'right'):
        axis.spines[side].set_visible(False)


def _draw_head(
    figure: Figure, height: float, report: ListeningReport, title: str
) -> None:
    """Title, score and the meaning of the colours."""
    figure.text(
        0.02,
        1 - 0.1 / height,
        fit_text(title, WIDTH - 0.4, 12),
        size=12,
        va='top',
        parse_math=False,
    )
    numbers = {
        'listening score': report.score,
        'quietness': report.quietness,
        'gap to swapped': report.gap,
        'to twin': report.twin_gap,
    }
    line = ', '.join(
        f'{name} {estimate.value:.2f}'
        for name, estimate in numbers.items()
        if estimate is not None
    )
    figure.text(0.02, 1 - 0.4 / height, line, size=9, va='top', color='0.35')
    present = {found.truth for found in report.conditions.values()}
    figure.legend(
        handles=[
            Patch(color=colour, alpha=0.85, label=label)
            for truth, (colour, label) in TRUTHS.items()
            if truth in present
        ],
        loc='lower left',
        bbox_to_anchor=(0.01, 0.0),
        ncols=len(present),
        fontsize=8,
        frameon=False,
        handlelength=1,
        handleheight=1,
    )
