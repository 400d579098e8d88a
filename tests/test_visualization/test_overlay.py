"""A mask over a frame."""

import numpy as np
import pytest
from scipy.ndimage import binary_dilation

from mmavs.visualization import overlay_classes, overlay_mask

COLOUR = (200, 100, 0)


def make():
    frame = np.random.default_rng(0).integers(
        0, 256, (110, 130, 3), dtype=np.uint8
    )
    mask = np.zeros((110, 130), dtype=bool)
    mask[30:70, 40:90] = True
    return frame, mask


def test_only_the_mask_and_its_contour_change():
    frame, mask = make()
    image = overlay_mask(frame, mask, COLOUR)
    assert image.dtype == np.uint8 and image.shape == frame.shape
    # The dark line is three pixels wide at this size, its edge smooth.
    square = np.ones((3, 3))
    outside = ~binary_dilation(mask, square, iterations=4)
    assert np.array_equal(image[outside], frame[outside])
    inside = mask & ~binary_dilation(~mask, square, iterations=4)
    expected = 0.3 * np.array(COLOUR) + 0.7 * frame[inside]
    again = overlay_mask(frame, mask, COLOUR, alpha=0.3)[inside]
    assert np.abs(again - expected).max() <= 1


def test_contour_has_the_colour():
    frame, mask = make()
    image = overlay_mask(frame, mask, COLOUR)
    # Smooth edges mix in some of what lies below, here nearly black.
    for line in (image[30, 45:85], image[35:65, 40]):
        distance = np.abs(line.astype(int) - COLOUR).max(1)
        assert distance.mean() < 40


def test_inputs_are_left_alone():
    frame, mask = make()
    copies = frame.copy(), mask.copy()
    overlay_mask(frame, mask)
    assert np.array_equal(frame, copies[0])
    assert np.array_equal(mask, copies[1])


def test_empty_mask_is_the_frame():
    frame, mask = make()
    assert np.array_equal(overlay_mask(frame, mask & False), frame)


def test_masks_of_numbers_and_views():
    """uint8, int64 and strided masks draw as the boolean one."""
    frame, mask = make()
    expected = overlay_mask(frame, mask)
    for other in (mask.astype(np.uint8), mask.astype(np.int64)):
        assert np.array_equal(overlay_mask(frame, other), expected)
    turned = np.ascontiguousarray(mask.T).T
    assert np.array_equal(overlay_mask(frame, turned), expected)


def test_sizes_must_agree():
    frame, mask = make()
    with pytest.raises(ValueError, match=r'\(110, 130\).*\(55, 130\)'):
        overlay_mask(frame, mask[::2])


PALETTE = [(1, 2, 3), (200, 100, 0), (0, 0, 250), (0, 250, 0)]


def test_each_class_has_its_colour():
    """As one mask of each class after the other; 0 and 255 are not drawn."""
    frame, mask = make()
    labels = np.zeros(mask.shape, dtype=np.int64)
    labels[mask] = 2
    labels[80:100, 5:30] = 1
    labels[5:20, 100:120] = 255
    expected = overlay_mask(frame, labels == 1, PALETTE[1])
    expected = overlay_mask(expected, labels == 2, PALETTE[2])
    before = frame.copy(), labels.copy()
    assert np.array_equal(overlay_classes(frame, labels, PALETTE), expected)
    assert np.array_equal(frame, before[0])
    assert np.array_equal(labels, before[1])
    nothing = np.where(labels == 255, 255, 0)
    image = overlay_classes(frame, nothing, PALETTE)
    assert np.array_equal(image, frame) and image is not frame


def test_classes_of_another_size_fit_the_frame():
    """Nearest neighbour, centred: no class appears between two others."""
    frame = np.zeros((60, 90, 3), dtype=np.uint8)
    labels = np.array([[1, 1, 3], [0, 0, 3]])
    large = np.kron(labels, np.ones((30, 30), dtype=int))
    assert np.array_equal(
        overlay_classes(frame, labels, PALETTE),
        overlay_classes(frame, large, PALETTE),
    )
    smaller = overlay_classes(frame[::3, ::3].copy(), large, PALETTE)
    fills = [smaller[5, 5], smaller[5, 25], smaller[15, 25], smaller[15, 5]]
    for fill, label in zip(fills, (1, 3, 3, 0), strict=True):
        colour = np.array(PALETTE[label]) if label else np.zeros(3)
        assert np.abs(fill - 0.45 * colour).max() <= 1
