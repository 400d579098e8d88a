"""The picture of the codes."""

import numpy as np
import pytest
from matplotlib.colors import to_rgb

from mmavs.visualization import latent_figure
from mmavs.visualization.latent_figure import class_colours, draw_latents

NAMES = ['cat', 'dog', 'owl']


def make(frames=90, seed=0):
    rng = np.random.default_rng(seed)
    labels = np.array(NAMES)[np.arange(frames) % 3]
    code = 10 * np.eye(3, 8)[np.arange(frames) % 3]
    return labels, code + rng.normal(size=code.shape)


def has_colour(image, colour):
    colour = np.round(255 * np.array(to_rgb(colour)))
    return (np.abs(image - colour).max(-1) <= 2).sum() > 50


def test_a_column_for_each_code_and_a_colour_for_each_class():
    labels, code = make()
    labels = np.where(np.arange(90) < 30, 'silence', labels)
    image = draw_latents(dict(shared=code), labels, ('silence',), 'Codes')
    assert image.dtype == np.uint8 and image.shape[2] == 3
    wider = draw_latents(
        dict(shared=code, visual_specific=code), labels, ('silence',)
    )
    assert wider.shape[0] == image.shape[0]
    assert wider.shape[1] > image.shape[1] + 300
    colours = class_colours(labels, ('silence',))
    assert list(colours) == [*NAMES, 'silence']
    assert len(set(colours.values())) == 4
    for colour in colours.values():
        assert has_colour(image, colour)


def test_the_same_picture_again():
    labels, code = make()
    first, second = (
        draw_latents(dict(shared=code), labels, seed=3) for _ in range(2)
    )
    assert np.array_equal(first, second)


def test_codes_without_any_spread_have_an_empty_panel():
    labels, code = make()
    images = [
        draw_latents(dict(shared=values), labels)
        for values in (code, np.full_like(code, 0.3))
    ]
    # The legend is in both.
    cat = np.round(255 * np.array(class_colours(labels, ())['cat']))
    counts = [(np.abs(x - cat).max(-1) <= 2).sum() for x in images]
    assert 0 < counts[1] < counts[0] / 4


def test_many_frames_and_classes_are_cut(monkeypatch):
    drawn = []
    monkeypatch.setattr(latent_figure, 'MAX_POINTS', 100)
    monkeypatch.setattr(
        latent_figure,
        '_scatter',
        lambda axis, points, names, colours: drawn.append((names, colours)),
    )
    rng = np.random.default_rng(0)
    labels = np.array([f'class {i}' for i in rng.integers(0, 40, 2100)])
    draw_latents(dict(shared=rng.normal(size=(2100, 3))), labels)
    names, colours = drawn[0]
    assert len(names) == 100
    assert len(colours) == 19 and list(colours)[-1] == 'other'
    assert set(names) == set(colours)
    colours = class_colours(np.array([*NAMES, 'other', 'silence']), ())
    assert list(colours) == [*NAMES, 'silence', 'other']


def test_nothing_to_draw():
    with pytest.raises(ValueError, match='no code'):
        draw_latents({}, [])
