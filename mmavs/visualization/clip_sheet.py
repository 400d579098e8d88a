"""One picture of a clip: a column per second, a row per kind of thing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Patch


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
    """

    label: str
    images: Sequence[np.ndarray]
    captions: Sequence[str] = ()
    height: float | None = None
    imshow: dict[str, Any] = field(default_factory=dict)


def log_mel_row(log_mel: np.ndarray) -> SheetRow:
    """The sound of each second, time to the right and pitch upwards.

    Shapes:
        - log_mel: (T, 1, 96, 64).
    """
    return SheetRow(
        label='log-mel\n0.1 to 7.5 kHz',
        images=[patch[0].T for patch in log_mel],
        height=0.6,
        imshow=dict(
            origin='lower',
            aspect='auto',
            cmap='magma',
            # From the offset of the front end, log 0.01, to a loud band.
            vmin=-4.6,
            vmax=3.0,
        ),
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
    caption_lines = sum(
        max((1 + text.count('\n') for text in row.captions if text), default=0)
        for row in rows
    )
    names = list(legend or ())
    legend_lines = -(-len(names) // num_frames)
    figure = Figure(
        figsize=(
            column_inches * num_frames + 0.4,
            column_inches * sum(heights)
            + 0.5
            + 0.18 * caption_lines
            + 0.25 * legend_lines,
        ),
        dpi=100,
        layout='constrained',
    )
    canvas = FigureCanvasAgg(figure)
    axes = figure.subplots(
        len(rows), num_frames, squeeze=False, height_ratios=heights
    )
    for row, row_axes in zip(rows, axes, strict=True):
        row_axes[0].set_ylabel(row.label, fontsize=11)
        for k, (axis, image) in enumerate(
            zip(row_axes, row.images, strict=True)
        ):
            axis.imshow(image, **row.imshow)
            axis.set_xticks([])
            axis.set_yticks([])
            if row.captions:
                axis.set_xlabel(row.captions[k], fontsize=9, parse_math=False)
    for k, axis in enumerate(axes[0]):
        axis.set_title(f'second {k + 1}', fontsize=9)
    if title:
        # Ids and names are no formulas, whatever dollars they hold.
        figure.suptitle(title, fontsize=11, parse_math=False)
    if names:
        figure.legend(
            [Patch(color=np.divide(legend[name], 255)) for name in names],
            names,
            loc='outside lower center',
            ncols=min(num_frames, len(names)),
            fontsize=9,
            frameon=False,
        )
    canvas.draw()
    # A copy: the canvas owns the buffer.
    return np.array(canvas.buffer_rgba())[..., :3]


def _height(row: SheetRow) -> float:
    if row.height is not None:
        return row.height
    height, width = row.images[0].shape[:2]
    return height / width
