"""A mask over a frame: translucent fill and a contour."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

# Okabe and Ito's palette, which colour-blind readers can tell apart. Binary
# masks have these colours in every picture, whatever palette the data set has.
TRUTH_COLOUR = (0, 158, 115)
PREDICTION_COLOUR = (230, 159, 0)


def overlay_mask(
    frame: np.ndarray,
    mask: np.ndarray,
    colour: tuple[int, int, int] = PREDICTION_COLOUR,
    alpha: float = 0.45,
) -> np.ndarray:
    """Draw a mask over a frame.

    Args:
        frame: RGB image.
        mask: True where something sounds.
        colour: RGB of fill and contour.
        alpha: opacity of the fill, 0 to 1.

    Shapes:
        - frame: (H, W, 3) uint8.
        - mask: (H, W), bool or 0 and 1.
        - returns: (H, W, 3) uint8, a new array.

    Raises:
        ValueError: if the two sizes differ.
    """
    if frame.shape[:2] != mask.shape:
        raise ValueError(
            f'mask must have the size of the frame {frame.shape[:2]}, got '
            f'{mask.shape}'
        )
    mask = np.ascontiguousarray(mask, dtype=np.uint8)
    fill = frame.copy()
    fill[mask > 0] = colour
    image = cv2.addWeighted(fill, alpha, frame, 1 - alpha, 0)
    contours, _ = cv2.findContours(
        mask, cv2.RETR_LIST, cv2.CHAIN_APPROX_SIMPLE
    )
    thickness = max(1, round(min(mask.shape) / 110))
    # A dark line under the coloured one keeps it visible on any ground.
    for line, width in (((20, 20, 20), thickness + 2), (colour, thickness)):
        cv2.drawContours(image, contours, -1, line, width, cv2.LINE_AA)
    return image


def overlay_classes(
    frame: np.ndarray,
    labels: np.ndarray,
    palette: Sequence[Sequence[int]],
    ignore_index: int = 255,
) -> np.ndarray:
    """Draw every class but the background over a frame.

    Args:
        frame: RGB image.
        labels: class of each pixel; one of another size is resized to the
            frame, nearest neighbour.
        palette: RGB colour of each class.
        ignore_index: label of pixels that are not drawn.

    Shapes:
        - frame: (H, W, 3) uint8.
        - labels: (h, w) whole numbers.
        - returns: (H, W, 3) uint8, a new array.
    """
    height, width = frame.shape[:2]
    labels = cv2.resize(
        labels.astype(np.int32),
        (width, height),
        interpolation=cv2.INTER_NEAREST_EXACT,
    )
    image = frame.copy()
    for label in np.unique(labels):
        if label not in (0, ignore_index):
            colour = tuple(int(x) for x in palette[label])
            image = overlay_mask(image, labels == label, colour)
    return image
