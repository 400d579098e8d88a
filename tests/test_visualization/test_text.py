"""Names that fit, and that fonts have."""

import warnings

import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from mmavs.visualization.text import drawable_line, fit_text, plain_text


def width_inches(text, size):
    """As it is drawn."""
    figure = Figure(figsize=(20, 3), dpi=100)
    canvas = FigureCanvasAgg(figure)
    drawn = figure.text(0, 0, text, size=size, **plain_text())
    return drawn.get_window_extent(canvas.get_renderer()).width / 100


def test_what_fits_stays():
    for text in ('', 'a dog', 'Übung – naïve', r'$\frac{a}$_b^c'):
        assert fit_text(text, 5, 12) == text


@pytest.mark.parametrize('size', [8, 13])
@pytest.mark.parametrize('text', ['W' * 400, 'i' * 400, 'a dog ' * 80])
@pytest.mark.parametrize('max_lines', [1, 3])
def test_no_line_is_too_wide(text, size, max_lines):
    lines = fit_text(text, 2.5, size, max_lines).split('\n')
    assert len(lines) == max_lines and lines[-1].endswith('…')
    for line in lines:
        # No wider, and not cut long before: a word is six letters.
        assert 1.8 < width_inches(line, size) <= 2.55


def test_lines_break_at_spaces_and_lose_nothing():
    words = 'the quick brown fox jumps over the lazy dog'
    lines = fit_text(words, 1.2, 9, max_lines=9).split('\n')
    assert 2 <= len(lines) < 9
    assert ' '.join(lines) == words


def test_long_words_are_broken():
    lines = fit_text('x' * 60, 1.2, 9, max_lines=9).split('\n')
    assert len(lines) > 2 and ''.join(lines) == 'x' * 60


def test_no_room_at_all():
    assert fit_text('abc', 0.001, 9) == 'a…'


def test_letters_that_no_font_has():
    """Of the private use area: a box, and no warning from matplotlib."""
    assert drawable_line('a\ue123b') == 'a□b'
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        assert width_inches(drawable_line('猫 \U0010fffd ピ'), 9) > 0


def test_line_breaks_become_spaces():
    assert drawable_line(' a\n\tb\x00 ') == 'a b□'
