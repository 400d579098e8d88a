"""The codes of a model as pictures of points."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE

from mmavs.visualization.text import fit_text, font_families, plain_text

DPI = 150
# Inches.
PANEL, GAP, LEFT, TOP, BOTTOM, LEGEND = 2.7, 0.25, 0.5, 0.75, 0.25, 2.0
# Frames of no single class.
OTHER_COLOUR = '0.75'
# More points than these are a random choice: t-SNE takes its time.
MAX_POINTS = 2000
# More classes than these cannot be told apart by colour.
MAX_CLASSES = 19
OTHERS = 'other'


def draw_latents(
    codes: Mapping[str, np.ndarray],
    labels: Sequence[str],
    other: Sequence[str] = (),
    title: str = '',
    seed: int = 0,
) -> np.ndarray:
    """Draw every code by PCA and by t-SNE, coloured by class.

    Args:
        codes: codes of N frames by name, one column of panels each.
        labels: name of the class of each frame.
        other: names that are no class, such as several at once; grey.
        title: one line above it all, cut if it is too long.
        seed: of t-SNE, and of the choice among many frames.

    Shapes:
        - codes: (N, K) each.
        - returns: (H, W, 3) uint8, RGB.

    Raises:
        ValueError: without a code.
    """
    if not codes:
        raise ValueError('there is no code to draw')
    rng = np.random.default_rng(seed)
    names = np.array(labels)
    chosen = np.arange(len(names))
    if len(names) > MAX_POINTS:
        chosen = np.sort(rng.choice(len(names), MAX_POINTS, replace=False))
    names = _merged(names[chosen], other)
    colours = class_colours(names, other)

    width = LEFT + len(codes) * (PANEL + GAP) + LEGEND
    height = TOP + 2 * (PANEL + GAP) + BOTTOM
    figure = Figure(figsize=(width, height), dpi=DPI)
    canvas = FigureCanvasAgg(figure)
    figure.text(
        LEFT / width,
        1 - 0.12 / height,
        fit_text(title, width - 2 * LEFT, 12),
        size=12,
        va='top',
        **plain_text(),
    )
    methods = dict(PCA=_pca, **{'t-SNE': _tsne})
    for column, (code, values) in enumerate(codes.items()):
        for row, (method, project) in enumerate(methods.items()):
            x = LEFT + column * (PANEL + GAP)
            y = height - TOP - PANEL - row * (PANEL + GAP)
            axis = figure.add_axes(
                (x / width, y / height, PANEL / width, PANEL / height),
                xticks=[],
                yticks=[],
            )
            if row == 0:
                axis.set_title(code, size=10, **plain_text())
            if column == 0:
                axis.set_ylabel(method, size=10)
            points, note = project(values[chosen], seed)
            _scatter(axis, points, names, colours)
            axis.text(
                0.02,
                0.02,
                note,
                size=7,
                color='0.35',
                transform=axis.transAxes,
            )
    handles = [
        Line2D([], [], marker='o', linestyle='', color=colour, label=name)
        for name, colour in colours.items()
    ]
    figure.legend(
        handles=handles,
        loc='upper left',
        bbox_to_anchor=(1 - LEGEND / width, 1 - TOP / height),
        prop=dict(size=8, family=font_families()),
        frameon=False,
    )
    canvas.draw()
    # A copy: the canvas owns the buffer.
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()


def class_colours(
    names: np.ndarray, other: Sequence[str]
) -> dict[str, tuple | str]:
    """A colour for each name, those that are no class last and grey."""
    grey = [*other, OTHERS]
    known = [name for name in np.unique(names) if name not in grey]
    palette = colormaps['tab10' if len(known) <= 10 else 'tab20'].colors
    # The grey of the palette is taken.
    palette = [c for c in palette if max(c) - min(c) > 0.1]
    colours = {
        str(name): palette[i % len(palette)] for i, name in enumerate(known)
    }
    present = [name for name in grey if name in names]
    shades = np.linspace(0.3, float(OTHER_COLOUR), max(len(present), 2))
    for name, shade in zip(present, shades, strict=False):
        colours[name] = str(shade)
    return colours


def _merged(names: np.ndarray, other: Sequence[str]) -> np.ndarray:
    """The names, the rarer ones as one where there are too many."""
    classes, counts = np.unique(
        names[~np.isin(names, list(other))], return_counts=True
    )
    if len(classes) <= MAX_CLASSES - 1:
        return names
    rare = classes[np.argsort(-counts, kind='stable')[MAX_CLASSES - 1 :]]
    return np.where(np.isin(names, rare), OTHERS, names.astype(object))


def _pca(values: np.ndarray, seed: int) -> tuple[np.ndarray | None, str]:
    if min(values.shape) < 2 or _is_constant(values):
        return None, 'the same for all frames'
    pca = PCA(2, svd_solver='full')
    points = pca.fit_transform(values.astype(float))
    first, second = 100 * pca.explained_variance_ratio_
    return points, f'{first:.0f} % and {second:.0f} % of the variance'


def _tsne(values: np.ndarray, seed: int) -> tuple[np.ndarray | None, str]:
    if min(values.shape) < 2 or len(values) < 8 or _is_constant(values):
        return None, ''
    perplexity = min(30.0, (len(values) - 1) / 3)
    scaled = (values - values.mean(0)) / values.std()
    projection = TSNE(2, perplexity=perplexity, init='pca', random_state=seed)
    return projection.fit_transform(scaled), f'perplexity {perplexity:.0f}'


def _is_constant(values: np.ndarray) -> bool:
    return bool(
        np.ptp(values, axis=0).max() < 1e-6 * (1 + np.abs(values).max())
    )


def _scatter(
    axis: Axes,
    points: np.ndarray | None,
    names: np.ndarray,
    colours: Mapping[str, tuple | str],
) -> None:
    """Draw the points in any order: no class is to cover another."""
    if points is None:
        return
    order = np.random.default_rng(0).permutation(len(points))
    axis.scatter(
        *points[order].T,
        s=7,
        c=[to_rgb(colours[name]) for name in names[order]],
        linewidths=0,
    )
    axis.margins(0.05, 0.08)
