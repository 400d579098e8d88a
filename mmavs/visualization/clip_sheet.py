"""One picture of a clip: a column per second, a row per kind of thing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure


@dataclass(frozen=True)
class SheetRow:
    """A labelled row of a sheet.

    Attributes:
        label: name at the left of the row.
        images: one array per frame, (h, w, 3) uint8 or (h, w) of values.
        captions: one short text per frame, or none.
        height: height of the row relative to a square picture.
        imshow: further arguments of matplotlib's ``imshow``.
    """

    label: str
    images: Sequence[np.ndarray]
    captions: Sequence[str] = ()
    height: float = 1.0
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
    rows: Sequence[SheetRow], title: str = '', column_inches: float = 1.7
) -> np.ndarray:
    """Draw rows of per-frame pictures under each other.

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
    heights = [row.height for row in rows]
    figure = Figure(
        figsize=(
            column_inches * num_frames + 0.4,
            column_inches * sum(heights) + 0.5,
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
            if row.captions and row.captions[k]:
                # Inside the picture, so that all rows stay aligned.
                axis.text(
                    0.03,
                    0.04,
                    row.captions[k],
                    transform=axis.transAxes,
                    fontsize=9,
                    color='white',
                    bbox=dict(facecolor='black', alpha=0.6, linewidth=0),
                )
    for k, axis in enumerate(axes[0]):
        axis.set_title(f'second {k + 1}', fontsize=9)
    if title:
        figure.suptitle(title, fontsize=11)
    canvas.draw()
    # A copy: the canvas owns the buffer.
    return np.array(canvas.buffer_rgba())[..., :3]
