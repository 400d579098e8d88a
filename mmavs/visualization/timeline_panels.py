"""The panels of a timeline, each over the same time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter, MaxNLocator

from mmavs.functional.log_mel import MEL_MAX_HZ, MEL_MIN_HZ, hertz_to_mel
from mmavs.visualization.clip_sheet import LOG_MEL_IMSHOW
from mmavs.visualization.text import fit_text, font_families

# Okabe and Ito's blue, beside the orange of a prediction.
UNCERTAINTY_COLOUR = (0, 114, 178)
FILL = 0.55
# Where there is no frame, or no sound.
GAP_COLOUR = '0.9'
TEXT_GREY = '0.35'
# Inches to the right of the area, for the names of the classes.
LEGEND_WIDTH = 1.8
# More classes than these are added up.
MAX_CLASSES = 8
PITCHES_HZ = (125, 500, 1000, 2000, 4000, 7500)
_TICK_STEPS_S = (
    *(0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30),
    *(60 * x for x in (1, 2, 5, 10, 15, 30, 60, 120, 240, 480)),
)


@dataclass(frozen=True)
class Curves:
    """What is drawn over time; NaN where there is nothing.

    Attributes:
        edges_s: edges of the M bins, (M + 1,).
        log_mel: (M, 64).
        shares: share of the picture of each class but the background,
            (M, C - 1).
        uncertainty: (M,).
    """

    edges_s: np.ndarray
    log_mel: np.ndarray
    shares: np.ndarray
    uncertainty: np.ndarray

    @property
    def end_s(self) -> float:
        """End of the time axis, that of the last frame."""
        return float(self.edges_s[-1])


def format_time(time_s: float, span_s: float, exact: bool = False) -> str:
    """Write a time: seconds, m:ss or h:mm:ss, as a span of time needs it.

    Args:
        time_s: the time.
        span_s: the longest time beside it.
        exact: two decimals of seconds, where minutes are not needed.
    """
    if span_s < 60:
        return f'{time_s:.2f} s' if exact else f'{time_s:g}'
    minutes, seconds = divmod(round(time_s), 60)
    if span_s < 3600:
        return f'{minutes}:{seconds:02d}'
    return f'{minutes // 60}:{minutes % 60:02d}:{seconds:02d}'


def draw_area(
    axis: Axes,
    curves: Curves,
    classes: Sequence[str],
    palette: Sequence[Sequence[int]],
) -> None:
    """Shares of the classes, one on top of the other."""
    shares = 100 * curves.shares
    total = shares.sum(1)
    sums = np.nansum(shares, axis=0)
    order = [k for k in np.argsort(-sums, kind='stable') if sums[k] > 0]
    layers = [
        (classes[k + 1], np.divide(palette[k + 1], 255), shares[:, k])
        for k in order[:MAX_CLASSES]
    ]
    if len(order) > MAX_CLASSES:
        others = order[MAX_CLASSES:]
        name = f'{len(others)} more'
        layers.append((name, np.full(3, 0.8), shares[:, others].sum(1)))
    _draw_gaps(axis, total, curves.edges_s)
    floor = np.zeros_like(total)
    for _, colour, share in layers:
        axis.stairs(
            floor + share,
            curves.edges_s,
            baseline=floor,
            fill=True,
            color=colour,
            alpha=FILL,
            linewidth=0,
        )
        floor = floor + share
        axis.stairs(
            floor, curves.edges_s, baseline=None, color=colour, linewidth=1.2
        )
    largest = np.nanmax(total)
    # Little is little: a tenth of a percent does not fill the panel.
    axis.set_ylim(0, min(104.0, max(1.0, 1.15 * largest)))
    axis.yaxis.set_major_locator(MaxNLocator(4, steps=(1, 2, 2.5, 5, 10)))
    axis.set_ylabel('sounding\narea (%)', size=9)
    if not layers:
        axis.text(
            0.5,
            0.5,
            'nothing sounds',
            transform=axis.transAxes,
            ha='center',
            va='center',
            size=9,
            color=TEXT_GREY,
            # Above the lines of the frames.
            zorder=6,
            bbox=dict(facecolor='white', edgecolor='none'),
        )
    if len(classes) > 2 and layers:
        legend = axis.legend(
            [
                Patch(facecolor=(*colour, FILL), edgecolor=colour)
                for _, colour, _ in reversed(layers)
            ],
            [
                fit_text(name, LEGEND_WIDTH - 0.5, 8)
                for name, *_ in reversed(layers)
            ],
            loc='upper left',
            bbox_to_anchor=(1.005, 1.04),
            prop=dict(family=font_families(), size=8),
            handlelength=1,
            handleheight=1,
            labelspacing=0.35,
            frameon=False,
        )
        for text in legend.get_texts():
            text.set_parse_math(False)


def _draw_gaps(axis: Axes, values: np.ndarray, edges_s: np.ndarray) -> None:
    """Where there is no frame."""
    axis.stairs(
        np.where(np.isnan(values), 1.0, np.nan),
        edges_s,
        fill=True,
        color=GAP_COLOUR,
        linewidth=0,
        transform=axis.get_xaxis_transform(),
    )


def draw_uncertainty(axis: Axes, curves: Curves) -> None:
    """The mean over the picture of the uncertainty of each frame."""
    colour = np.divide(UNCERTAINTY_COLOUR, 255)
    values = curves.uncertainty
    _draw_gaps(axis, values, curves.edges_s)
    axis.stairs(values, curves.edges_s, fill=True, color=colour, alpha=0.25)
    axis.stairs(
        values, curves.edges_s, baseline=None, color=colour, linewidth=1.2
    )
    # A thousandth of the scale is nothing to look at; 0.5 is the most.
    axis.set_ylim(0, min(0.52, max(0.01, 1.15 * np.nanmax(values))))
    axis.yaxis.set_major_locator(MaxNLocator(3))
    axis.set_ylabel('mean\nuncertainty', size=9)


def draw_sound(axis: Axes, curves: Curves) -> None:
    """The log-mel, its rows at their pitches; what was not heard is grey."""
    low, high = hertz_to_mel(np.array([MEL_MIN_HZ, MEL_MAX_HZ]))
    num_bins = curves.log_mel.shape[1]
    # Bin b is a triangle around low + (b + 1) steps.
    half = (high - low) / (num_bins + 1) / 2
    axis.set_facecolor(GAP_COLOUR)
    axis.imshow(
        curves.log_mel.T,
        extent=(0, curves.edges_s[-1], low + half, high - half),
        **LOG_MEL_IMSHOW,
    )
    # The ends are those of the outermost triangles, half a row further out.
    axis.set_yticks(
        hertz_to_mel(np.array(PITCHES_HZ)).clip(low + half, high - half),
        [f'{x} Hz' if x < 1000 else f'{x / 1000:g} kHz' for x in PITCHES_HZ],
    )
    axis.set_ylabel('log-mel', size=9)
    if np.isnan(curves.log_mel).any():
        axis.legend(
            [Patch(facecolor=GAP_COLOUR, edgecolor='0.7', linewidth=0.5)],
            ['grey: not heard'],
            # On the line of the label of the axis.
            loc='upper right',
            bbox_to_anchor=(1, -0.14),
            fontsize=8,
            labelcolor=TEXT_GREY,
            handlelength=1,
            handleheight=1,
            borderpad=0,
            frameon=False,
        )


def draw_time_axes(
    axes: Sequence[Axes], end_s: float, plot_width: float
) -> None:
    """The same times below each other, with numbers under the last."""
    step = next(
        (x for x in _TICK_STEPS_S if end_s / x <= 14), _TICK_STEPS_S[-1]
    )
    ticks = np.arange(0, end_s * (1 + 1e-9), step)
    for axis in axes:
        axis.set_xlim(0, end_s)
        axis.set_xticks(ticks)
        axis.tick_params(labelsize=8, length=3, labelbottom=False)
        for side in ('top', 'right'):
            axis.spines[side].set_visible(False)
        # Labels below each other, whatever the numbers beside them.
        axis.yaxis.set_label_coords(-0.65 / plot_width, 0.5)
    axes[-1].tick_params(labelbottom=True)
    axes[-1].xaxis.set_major_formatter(
        FuncFormatter(lambda x, _: format_time(round(x, 6), end_s))
    )
    unit = 's' if end_s < 60 else 'm:ss' if end_s < 3600 else 'h:mm:ss'
    axes[-1].set_xlabel(f'time ({unit})', size=9)
