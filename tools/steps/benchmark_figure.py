"""The picture of the listening benchmark: points, intervals and ceilings."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from steps.benchmark import CONTROL, NEGATIVES, plain_name

# Measure -> what is written beside the axis.
PANELS = dict(
    mIoU='mIoU, own sound',
    twin_gap='twin gap of mIoU',
    score='listening score',
)
CEILINGS = dict(
    oracle=('oracle', '0.25', '-'),
    clip_oracle=('knows what, not when', '0.45', '-.'),
    vision_only=('sees all, hears nothing', '0.45', '--'),
)
# Marker, colour, what it is, and where beside the place of the model; colours
# that are told apart in grey, too.
STYLES = {
    '': ('o', '#0b5394', 'trained once', -0.24),
    CONTROL: ('D', '#6aa84f', 'further', 0.0),
    NEGATIVES: ('s', '#e69138', 'further, with negatives', 0.24),
}
DPI = 130


def draw_benchmark(summary: Mapping, path: Path) -> None:
    """Write a picture with a column for each set, a row for each measure."""
    sets = summary['sets']
    # As wide as its tick labels need.
    ticks = max(
        len({plain_name(name) for name in entry['models']})
        for entry in sets.values()
    )
    width = max(4.6, 0.29 * ticks)
    size = 2 + width * len(sets), 0.8 + 2.5 * len(PANELS)
    figure = Figure(figsize=size, dpi=DPI, layout='constrained')
    FigureCanvasAgg(figure)
    grid = figure.subplots(
        len(PANELS), len(sets), sharex='col', sharey='row', squeeze=False
    )
    for column, (name, entry) in enumerate(sets.items()):
        for row, measure in enumerate(PANELS):
            axes = grid[row, column]
            _draw_panel(axes, entry, measure)
            if not column:
                axes.set_ylabel(PANELS[measure])
            if not row:
                axes.set_title(name.upper())
    handles = {}
    for axes in grid.flat:
        for handle, label in zip(
            *axes.get_legend_handles_labels(), strict=True
        ):
            handles.setdefault(label, handle)
    figure.legend(
        handles.values(),
        handles.keys(),
        loc='outside lower center',
        ncols=-(-len(handles) // 2),
        frameon=False,
        fontsize=8,
    )
    figure.savefig(path)


def _draw_panel(axes: Axes, entry: Mapping, measure: str) -> None:
    """Points of all models with their intervals, and what is possible."""
    for name, (label, colour, line) in CEILINGS.items():
        value = entry['references'].get(name, {}).get(measure)
        if value is not None:
            axes.axhline(
                value, color=colour, linestyle=line, linewidth=1, label=label
            )
    axes.axhline(0, color='0.8', linewidth=0.8, zorder=0)
    groups = Counter(map(plain_name, entry['models']))
    places = {group: place for place, group in enumerate(groups)}
    for name, model in entry['models'].items():
        found = model['measures'].get(measure)
        group = plain_name(name)
        if found is None:
            continue
        marker, colour, label, beside = STYLES[name.removeprefix(group)]
        x = places[group] + (beside if groups[group] > 1 else 0)
        axes.vlines(x, found['low'], found['high'], color=colour)
        axes.plot(x, found['value'], marker, color=colour, label=label)
        values = model['by_seed'][measure]
        axes.plot(
            [x + 0.09] * len(values),
            values,
            '.',
            color=colour,
            alpha=0.5,
            markersize=4,
            label=f'each seed, {label}' if len(values) > 1 else None,
        )
    axes.set_xticks(
        range(len(places)),
        places,
        rotation=45,
        ha='right',
        fontsize=8,
    )
    axes.set_xlim(-0.6, len(places) - 0.4)
    axes.spines[['top', 'right']].set_visible(False)
