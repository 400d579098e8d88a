"""The picture of a timeline: frames above curves above the sound."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from mmavs.visualization.frame_choice import KeptFrame
from mmavs.visualization.overlay import overlay_classes
from mmavs.visualization.text import fit_text, plain_text
from mmavs.visualization.timeline_panels import (
    LEGEND_WIDTH,
    TEXT_GREY,
    Curves,
    draw_area,
    draw_sound,
    draw_time_axes,
    draw_uncertainty,
    format_time,
)

DPI = 150
# Inches.
WIDTH, LEFT, RIGHT = 13.0, 1.05, 0.35
TOP, BOTTOM, GAP, TITLE, SUBTITLE = 0.12, 0.55, 0.16, 0.28, 0.2
FRAME_HEIGHT, MIN_FRAME_HEIGHT, BETWEEN = 1.6, 0.4, 0.06
CAPTION, LINES = 0.22, 0.3
PANELS = dict(area=1.3, uncertainty=0.8, sound=1.5)
LINE_COLOUR = '0.7'


def draw_timeline(
    frames: Sequence[KeptFrame],
    curves: Curves,
    classes: Sequence[str],
    palette: Sequence[Sequence[int]],
    title: str = '',
    subtitle: str = '',
    sample_aspect_ratio: float = 1.0,
) -> np.ndarray:
    """Draw frames and curves over one time axis.

    Args:
        frames: the frames to show, in order.
        curves: what is drawn over time.
        classes: names of the classes, background first.
        palette: their RGB colours.
        title: one line above it all, cut if it is too long.
        subtitle: a smaller one below.
        sample_aspect_ratio: width of a pixel over its height.

    Shapes:
        - returns: (H, W, 3) uint8, RGB.
    """
    panels = dict(PANELS)
    if np.isnan(curves.uncertainty).all():
        del panels['uncertainty']
    has_legend = len(classes) > 2 and np.nansum(curves.shares) > 0
    plot_width = WIDTH - LEFT - (LEGEND_WIDTH if has_legend else RIGHT)
    size = _frame_size(frames, plot_width, sample_aspect_ratio)
    strip = CAPTION + size[1] + LINES
    lines = [
        (title, 13, 'black', TITLE),
        (subtitle, 9, TEXT_GREY, SUBTITLE),
    ]
    head = TOP + sum(room for text, *_, room in lines if text)
    height = head + strip + BOTTOM
    height += sum(panels.values()) + GAP * (len(panels) - 1)
    figure = Figure(figsize=(WIDTH, height), dpi=DPI)
    canvas = FigureCanvasAgg(figure)

    def axes_at(x: float, y: float, w: float, h: float, **kwargs) -> Axes:
        """Axes by inches from the left and from the top."""
        box = x / WIDTH, 1 - (y + h) / height, w / WIDTH, h / height
        return figure.add_axes(box, **kwargs)

    y = TOP
    for text, points, colour, room in lines:
        if text:
            figure.text(
                LEFT / WIDTH,
                1 - y / height,
                fit_text(text, plot_width, points),
                size=points,
                color=colour,
                va='top',
                **plain_text(),
            )
            y += room
    y, axes = head + strip, {}
    for name, panel_height in panels.items():
        axes[name] = axes_at(LEFT, y, plot_width, panel_height)
        y += panel_height + GAP
    draw_area(axes['area'], curves, classes, palette)
    if 'uncertainty' in axes:
        draw_uncertainty(axes['uncertainty'], curves)
    draw_sound(axes['sound'], curves)
    draw_time_axes(list(axes.values()), curves.end_s, plot_width)

    centres = _frame_centres(frames, curves.end_s, plot_width, size[0])
    for frame, centre in zip(frames, centres, strict=True):
        x, y = LEFT + centre - size[0] / 2, head + CAPTION
        # On whole pixels: a frame that is not resampled is sharp.
        x, y = (round(value * DPI) / DPI for value in (x, y))
        axis = axes_at(x, y, *size, xticks=[], yticks=[])
        axis.imshow(_with_mask(frame, palette, size), aspect='auto')
        axis.set_title(
            format_time(frame.time_s, curves.end_s, exact=True),
            size=8,
            pad=3,
            color=TEXT_GREY,
        )
        for spine in axis.spines.values():
            spine.set_visible(False)
        # The last one may be a little behind the end of the video.
        time_s = min(frame.time_s, curves.end_s)
        at = time_s / curves.end_s * plot_width
        figure.add_artist(
            Line2D(
                np.array([x + size[0] / 2, LEFT + at]) / WIDTH,
                1 - np.array([y + size[1] + 0.03, head + strip]) / height,
                color=LINE_COLOUR,
                linewidth=0.7,
            )
        )
        for name, axis in axes.items():
            colour = 'white' if name == 'sound' else LINE_COLOUR
            axis.axvline(
                time_s, color=colour, linewidth=0.7, alpha=0.6, zorder=5
            )
    canvas.draw()
    # A copy: the canvas owns the buffer.
    return np.array(canvas.buffer_rgba())[..., :3]


def count_fitting(aspect: float) -> int:
    """Most frames side by side that are not too flat to see anything.

    Args:
        aspect: width of a frame over its height.
    """
    plot_width = WIDTH - LEFT - LEGEND_WIDTH
    return max(1, int(plot_width / (MIN_FRAME_HEIGHT * aspect + BETWEEN)))


def _frame_size(
    frames: Sequence[KeptFrame], plot_width: float, pixel_aspect: float
) -> tuple[float, float]:
    """Width and height of a frame in the strip, whole pixels in inches."""
    height, width = frames[0].mask.shape
    aspect = width * pixel_aspect / height
    width = min(plot_width / len(frames) - BETWEEN, FRAME_HEIGHT * aspect)
    pixels = (max(2, round(x * DPI)) for x in (width, width / aspect))
    width, height = (x / DPI for x in pixels)
    return width, height


def _frame_centres(
    frames: Sequence[KeptFrame],
    end_s: float,
    plot_width: float,
    frame_width: float,
) -> np.ndarray:
    """Middles of the frames, each as near to its time as there is room.

    Pushed to the right, then to the left, out of each other's way.
    """
    step = frame_width + BETWEEN
    centres = np.array([f.time_s / end_s * plot_width for f in frames])
    half = frame_width / 2
    # In coordinates that shrink by a frame each, order is all that counts.
    offsets = np.arange(len(frames)) * step
    free = centres - offsets
    free = (
        np.maximum.accumulate(free) + np.minimum.accumulate(free[::-1])[::-1]
    ) / 2
    room = plot_width - half - offsets[-1]
    return free.clip(half, max(half, room)) + offsets


def _with_mask(
    frame: KeptFrame,
    palette: Sequence[Sequence[int]],
    size: tuple[float, float],
) -> np.ndarray:
    """Resized first: a contour on a large image would thin out with it."""
    pixels = tuple(round(x * DPI) for x in size)
    image = cv2.resize(frame.image, pixels, interpolation=cv2.INTER_AREA)
    return overlay_classes(image, frame.mask, palette)
