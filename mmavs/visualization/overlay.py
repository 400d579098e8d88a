"""A mask over a frame: translucent fill and a contour."""

from __future__ import annotations

import cv2
import numpy as np

# Okabe and Ito's palette, which colour-blind readers can tell apart.
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
