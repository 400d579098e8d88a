"""Names of the classes that are present, in a corner."""

import numpy as np
import pytest

from mmavs.inference.results.class_labels import draw_class_names

CLASSES = ('background', 'dog', 'a cat', 'helicopter')
PALETTE = ((0, 0, 0), (64, 0, 0), (250, 250, 0), (128, 128, 128))


def drawn(labels, size=(240, 320), ground=128, classes=CLASSES):
    """The picture with names of classes that have a pixel each."""
    image = np.full((*size, 3), ground, np.uint8)
    mask = np.zeros(size, np.uint8)
    mask[-1, : len(labels)] = labels[: size[1]]
    palette = (PALETTE * 20)[: len(classes)]
    draw_class_names(image, mask, classes, palette)
    return image


def rows_of(image, ground=128):
    """Lines of text, and how far they reach to the right."""
    is_text = (image != ground).any(2)
    rows = is_text.any(1)
    starts = np.flatnonzero(np.diff(rows.astype(int), prepend=0) == 1)
    reach = np.flatnonzero(is_text.any(0))
    return len(starts), reach.max(initial=-1)


def test_only_what_is_present():
    nothing = drawn([])
    assert (nothing == 128).all()
    one, two = drawn([2]), drawn([1, 2])
    assert rows_of(one)[0] == 1
    assert rows_of(two)[0] == 2
    colours = [set(map(tuple, x.reshape(-1, 3))) for x in (one, two)]
    assert [PALETTE[2] in x for x in colours] == [True, True]
    assert [PALETTE[1] in x for x in colours] == [False, True]
    # The picture is as it was elsewhere.
    assert (two[120:] == 128).all() and (two[:, 160:] == 128).all()


@pytest.mark.parametrize('ground', [0, 255, 128, PALETTE[1], PALETTE[2]])
@pytest.mark.parametrize('label', [1, 2, 3])
def test_on_any_ground(label, ground):
    image = drawn([label], ground=ground)
    grounds = np.broadcast_to(np.uint8(ground), image.shape)
    difference = np.abs(image.astype(int) - grounds).max(2)
    # Letters, or else their outline.
    assert (difference > 100).sum() > 50


@pytest.mark.parametrize(
    ('size', 'lines'),
    [((720, 1280), 4), ((240, 320), 4), ((64, 64), 1), ((20, 200), 1)],
)
def test_too_many(size, lines):
    classes = ['background', *(f'class {k}' for k in range(1, 40))]
    image = drawn(range(1, 40), size, classes=classes)
    num_lines, _ = rows_of(image)
    assert num_lines >= lines
    assert (image[max(size[0] // 2, 20) :] == 128).all()


@pytest.mark.parametrize('size', [(48, 64), (30, 30), (24, 9)])
def test_too_wide(size):
    image = drawn([3], size)
    assert image.shape == (*size, 3)
    assert rows_of(image)[1] < size[1] - 1


@pytest.mark.parametrize('size', [(1, 1), (3, 400), (16, 16), (400, 2)])
def test_no_room(size):
    assert (drawn([1, 2, 3], size)[:-1] == 128).all()
