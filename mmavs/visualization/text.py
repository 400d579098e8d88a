"""Text in pictures: names of any language, as long as there is room."""

from __future__ import annotations

from functools import cache
from typing import Any

from matplotlib import font_manager
from matplotlib.textpath import text_to_path

# Comes with matplotlib.
_FIRST_FONT = 'DejaVu Sans'
# What systems have for the letters that it lacks.
_MORE_FONTS = (
    'Noto Sans CJK SC',
    'Noto Sans CJK JP',
    'Noto Sans SC',
    'Source Han Sans SC',
    'WenQuanYi Zen Hei',
    'Microsoft YaHei',
    'PingFang SC',
    'Hiragino Sans',
    'Malgun Gothic',
    'Noto Sans Devanagari',
    'Noto Sans Thai',
    'Arial Unicode MS',
)
_MISSING = '□'


@cache
def font_families() -> tuple[str, ...]:
    """Fonts to look for a letter in, one after the other."""
    installed = set(font_manager.get_font_names())
    return (_FIRST_FONT, *(x for x in _MORE_FONTS if x in installed))


def plain_text() -> dict[str, Any]:
    """Arguments of matplotlib's texts that show names.

    Ids and names are no formulas, whatever dollars they hold.
    """
    return dict(parse_math=False, family=font_families())


def drawable_line(text: str) -> str:
    """One line of what the fonts can show; a box for any other letter."""
    known = _letters()
    return ''.join(
        letter if ord(letter) in known else _MISSING
        for letter in ' '.join(str(text).split())
    )


def fit_text(
    text: str, width_inches: float, size: float, max_lines: int = 1
) -> str:
    """Break a text into lines of a width, and cut what is too much.

    Lines are broken at a space where one is near.

    Args:
        text: the text; what cannot be drawn is replaced first.
        width_inches: room for a line.
        size: size of the font in points.
        max_lines: the last line of a longer text ends in «…».

    Returns:
        Lines separated by line breaks.
    """
    rest, lines = drawable_line(text), []
    while rest:
        length = _fitting_length(rest, width_inches, size)
        if length < len(rest) and len(lines) == max_lines - 1:
            length = _fitting_length(rest, width_inches, size, tail='…')
            lines.append(rest[:length].rstrip() + '…')
            break
        if length < len(rest):
            space = rest.rfind(' ', length // 2, length + 1)
            length = space if space > 0 else length
        lines.append(rest[:length].rstrip())
        rest = rest[length:].lstrip()
    return '\n'.join(lines)


def _fitting_length(
    text: str, width_inches: float, size: float, tail: str = ''
) -> int:
    """Most letters whose width, with the tail, fits; one at least."""
    low, high = 1, len(text)
    while low < high:
        middle = (low + high + 1) // 2
        if _width_inches(text[:middle] + tail, size) <= width_inches:
            low = middle
        else:
            high = middle - 1
    return low


def _width_inches(text: str, size: float) -> float:
    font = font_manager.FontProperties(family=font_families(), size=size)
    width, _, _ = text_to_path.get_text_width_height_descent(text, font, False)
    return width / 72


@cache
def _letters() -> frozenset[int]:
    """Code points that one of the fonts has."""
    letters: set[int] = set()
    for family in font_families():
        path = font_manager.findfont(family)
        letters.update(font_manager.get_font(path).get_charmap())
    return frozenset(letters)
