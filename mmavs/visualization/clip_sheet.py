"""One picture of a clip: a column per second, a row per kind of thing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.patches import Patch

from mmavs.visualization.text import fit_text, font_families, plain_text

LOG_MEL_IMSHOW: dict[str, Any] = dict(
    origin='lower',
    aspect='auto',
    cmap='magma',
    # From the offset of the front end, log 0.01, to a loud band.
    vmin=-4.6,
    vmax=3.0,
)

TITLE_SIZE, CAPTION_SIZE = 11, 9
# Room for the names of the rows, and for a colour bar.
LABEL_INCHES, BAR_INCHES = 1.25, 0.4
# Rows are at least and at most so high, for pictures as wide as a column.
FLAT_HEIGHT, TALL_HEIGHT = 0.35, 1.9


@dataclass(frozen=True)
class SheetRow:
    """A labelled row of a sheet.

    Attributes:
        label: name at the left of the row.
        images: one array per frame, (h, w, 3) uint8 or (h, w) of values.
        captions: one short text per frame, or none; drawn below it.
        height: height of a picture relative to its width, or None for that
            of the first one.
        imshow: further arguments of matplotlib's ``imshow``.
        colour_bar: values to mark on a small colour bar at the right, or
            none.
    """

    label: str
    images: Sequence[np.ndarray]
    captions: Sequence[str] = ()
    height: float | None = None
    imshow: dict[str, Any] = field(default_factory=dict)
    colour_bar: Sequence[float] = ()


def log_mel_row(log_mel: np.ndarray) -> SheetRow:
    """The sound of each second, time to the right and pitch upwards.

    Shapes:
        - log_mel: (T, 1, 96, 64).
    """
    return SheetRow(
        label='log-mel\n0.1 to 7.5 kHz',
        images=[patch[0].T for patch in log_mel],
        height=0.6,
        imshow=LOG_MEL_IMSHOW,
    )


def uncertainty_row(maps: Sequence[np.ndarray]) -> SheetRow:
    """The uncertainty of each pixel, on the same scale in every sheet.

    From 0 to 0.5, the largest standard deviation of a probability. The
    colours, from dark blue to yellow, are told apart without red and green.

    Args:
        maps: one array of standard deviations per frame.

    Shapes:
        - maps: T x (H, W).
    """
    return SheetRow(
        label='uncertainty',
        images=maps,
        captions=[f'mean {x.mean():.3f}' for x in maps],
        imshow=dict(cmap='cividis', vmin=0.0, vmax=0.5),
        colour_bar=(0.0, 0.5),
    )


def draw_clip_sheet(
    rows: Sequence[SheetRow],
    title: str = '',
    legend: Mapping[str, Sequence[int]] | None = None,
    column_inches: float = 1.7,
) -> np.ndarray:
    """Draw rows of per-frame pictures under each other.

    Args:
        rows: the rows, from top to bottom.
        title: one line above them.
        legend: name to RGB colour of what is explained below them.
        column_inches: width of a picture, at 100 pixels an inch.

    Shapes:
        - returns: (H, W, 3) uint8, RGB.

    Raises:
        ValueError: if there is no row, or rows differ in their number of
            frames.
    """
    counts = {len(row.images) for row in rows}
    if len(counts) != 1 or 0 in counts:
        raise ValueError(
            'every row of a sheet needs the same number of frames, got '
            f'{ {row.label: len(row.images) for row in rows} }'
        )
    num_frames = counts.pop()
    heights = [_height(row) for row in rows]
    # Flat pictures get wider ones, or there would be nothing to see.
    wider = min(2.0, max(1.0, FLAT_HEIGHT / heights[0]))
    column_inches *= wider
    heights = [
        height if row.height is None else height / wider
        for row, height in zip(rows, heights, strict=True)
    ]
    width = column_inches * num_frames + LABEL_INCHES
    bar_inches = BAR_INCHES * any(row.colour_bar for row in rows)
    title = fit_text(title, width - 0.2, TITLE_SIZE, max_lines=3)
    caption_lines = sum(
        max((1 + text.count('\n') for text in row.captions if text), default=0)
        for row in rows
    )
    names = list(legend or ())
    legend_lines = -(-len(names) // num_frames)
    figure = Figure(
        figsize=(
            width + bar_inches,
            column_inches * sum(heights)
            + 0.05 * len(rows)
            + 0.25
            + 0.2 * title.count('\n')
            + 0.2 * bool(title)
            + 0.18 * caption_lines
            + 0.25 * legend_lines,
        ),
        dpi=100,
        layout='constrained',
    )
    # Room beside the rows for their colour bars.
    figure.get_layout_engine().set(
        rect=(0, 0, width / (width + bar_inches), 1)
    )
    canvas = FigureCanvasAgg(figure)
    axes = figure.subplots(
        len(rows), num_frames, squeeze=False, height_ratios=heights
    )
    bars = []
    for row, row_axes in zip(rows, axes, strict=True):
        # Beside its row, however flat that is.
        row_axes[0].set_ylabel(
            row.label, fontsize=11, rotation=0, ha='right', va='center'
        )
        for k, (axis, image) in enumerate(
            zip(row_axes, row.images, strict=True)
        ):
            drawn = axis.imshow(image, **row.imshow)
            axis.set_xticks([])
            axis.set_yticks([])
            if row.captions:
                axis.set_xlabel(
                    _caption(row.captions[k], column_inches - 0.15),
                    fontsize=CAPTION_SIZE,
                    **plain_text(),
                )
        if row.colour_bar:
            bars.append((row, drawn))
    for k, axis in enumerate(axes[0]):
        axis.set_title(f'second {k + 1}', fontsize=CAPTION_SIZE)
    if title:
        figure.suptitle(title, fontsize=TITLE_SIZE, **plain_text())
    if names:
        drawn_legend = figure.legend(
            [Patch(color=np.divide(legend[name], 255)) for name in names],
            [_caption(name, column_inches - 0.5) for name in names],
            loc='outside lower center',
            ncols=min(num_frames, len(names)),
            prop=dict(size=CAPTION_SIZE, family=font_families()),
            frameon=False,
        )
        for text in drawn_legend.get_texts():
            text.set_parse_math(False)
    for row, drawn in bars:
        _add_colour_bar(figure, row, drawn, width)
    canvas.draw()
    # A copy: the canvas owns the buffer.
    return np.array(canvas.buffer_rgba())[..., :3]


def _add_colour_bar(
    figure: Figure, row: SheetRow, drawn: AxesImage, left_inches: float
) -> None:
    """Beside a row and as high as it, once it is known where that is."""
    figure.draw_without_rendering()
    figure.set_layout_engine('none')
    box = drawn.axes.get_position()
    width = figure.get_figwidth()
    bar = figure.add_axes(
        (left_inches / width, box.y0, 0.1 / width, box.height)
    )
    figure.colorbar(drawn, cax=bar, ticks=row.colour_bar)
    bar.tick_params(labelsize=CAPTION_SIZE - 1)


def _caption(text: str, width_inches: float) -> str:
    """Each line no wider than its column."""
    lines = text.split('\n')
    return '\n'.join(fit_text(x, width_inches, CAPTION_SIZE) for x in lines)


def _height(row: SheetRow) -> float:
    if row.height is not None:
        return row.height
    height, width = row.images[0].shape[:2]
    return min(TALL_HEIGHT, height / width)
