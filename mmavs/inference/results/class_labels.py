"""Names of classes in a corner of a picture."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache, lru_cache

import numpy as np
from matplotlib import font_manager
from PIL import Image, ImageDraw, ImageFont

from mmavs.visualization.text import font_families

Colour = tuple[int, ...]
# Heights of letters in pixels: the least that can be read, and the share of
# the shorter side of a picture.
_MIN_SIZE, _SIZE_SHARE = 10, 1 / 24
# Names are no further down than this.
_HEIGHT_SHARE = 0.5
_WHITE, _BLACK = (255, 255, 255), (0, 0, 0)


def draw_class_names(
    image: np.ndarray,
    mask: np.ndarray,
    classes: Sequence[str],
    palette: Sequence[Sequence[int]],
) -> None:
    """Write the names of the classes that are present into a picture.

    At the top left, each in its colour with a contrasting outline. Where
    there is no room for all, the last line says how many more there are; a
    name that is too wide ends in «…».

    Args:
        image: RGB; it is changed.
        mask: class of each pixel; the background has no name.
        classes: names of the classes, background first.
        palette: their RGB colours.

    Shapes:
        - image: (H, W, 3) uint8.
        - mask: (H, W) whole numbers.
    """
    counts = np.bincount(mask.ravel(), minlength=len(classes))
    present = tuple(
        (' '.join(classes[c].split()), tuple(map(int, palette[c])))
        for c in counts[1:].nonzero()[0] + 1
    )
    label = _label(present, *image.shape[:2])
    if label is None:
        return
    corner = image[: label.shape[0], : label.shape[1]]
    opacity = label[..., 3:] / np.float32(255)
    corner[:] = np.rint(corner * (1 - opacity) + label[..., :3] * opacity)


# Most frames of a video have the classes of the one before.
@lru_cache(maxsize=16)
def _label(
    names: tuple[tuple[str, Colour], ...], height: int, width: int
) -> np.ndarray | None:
    """Names in their colours, (h, w, 4) RGBA; None where nothing fits."""
    size = max(_MIN_SIZE, round(min(height, width) * _SIZE_SHARE))
    outline = max(1, round(size / 10))
    margin, line = outline + size // 4, round(1.25 * size) + outline
    if not names or height < line + 2 * margin:
        return None
    num_lines = max(1, int((height * _HEIGHT_SHARE - 2 * margin) / line))
    if len(names) > num_lines:
        left = len(names) - num_lines + 1
        names = (*names[: num_lines - 1], (f'+ {left} more', _WHITE))
    picture = Image.new('RGBA', (width, 2 * margin + len(names) * line))
    pen = ImageDraw.Draw(picture)
    for k, (name, colour) in enumerate(names):
        font = _font(name, size)
        pen.text(
            (margin, margin + k * line),
            _cut(name, font, width - 2 * margin),
            fill=colour,
            font=font,
            stroke_width=outline,
            stroke_fill=_contrast(colour),
        )
    return np.asarray(picture)


def _cut(name: str, font: ImageFont.FreeTypeFont, width: float) -> str:
    """What of a name is not too wide."""
    shown = name
    while shown and font.getlength(shown) > width:
        name = name[:-1]
        shown = name.rstrip() + '…' if name else ''
    return shown


def _contrast(colour: Colour) -> Colour:
    """Black or white, whichever is further from a colour to the eye."""
    linear = (np.array(colour) / 255) ** 2.2
    luminance = linear @ (0.2126, 0.7152, 0.0722)
    # Where the ratios of contrast to both are the same.
    return _BLACK if luminance > 0.179 else _WHITE


@cache
def _font(name: str, size: int) -> ImageFont.FreeTypeFont:
    """The first font that has all letters of a name, else the first."""
    paths = [font_manager.findfont(family) for family in font_families()]
    letters = set(map(ord, name))
    best = next(
        (
            path
            for path in paths
            if letters <= font_manager.get_font(path).get_charmap().keys()
        ),
        paths[0],
    )
    return ImageFont.truetype(best, size)
