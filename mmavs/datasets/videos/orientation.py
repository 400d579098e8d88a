"""How a stored picture is turned to be upright."""

from __future__ import annotations

import numpy as np


def is_turned(matrix: tuple[int, ...]) -> bool:
    """Whether a display matrix exchanges width and height.

    Args:
        matrix: As for :func:`upright`.
    """
    a, b, _, c, d = matrix[:5]
    return abs(b) + abs(c) > abs(a) + abs(d)


def upright(image: np.ndarray, matrix: tuple[int, ...]) -> np.ndarray:
    """Turn and mirror a picture as the display matrix of its video says.

    Angles between the right ones, which no camera writes, are taken for the
    nearest.

    Args:
        image: The picture as stored.
        matrix: The nine numbers (a, b, u, c, d, v, x, y, w) of the matrix,
            row by row, as containers store it. Only signs and relative sizes
            of a, b, c and d count.

    Shapes:
        - image: (H, W, C)
        - return: (H, W, C) or, if turned by 90 degrees, (W, H, C)

    Equation:
        (x', y') = (a x + c y, b x + d y)
    """
    a, b, _, c, d = matrix[:5]
    if is_turned(matrix):
        # x' comes from y, y' from x.
        image = image.swapaxes(0, 1)
        sign_x, sign_y = c, b
    else:
        sign_x, sign_y = a, d
    if sign_x < 0:
        image = image[:, ::-1]
    if sign_y < 0:
        image = image[::-1]
    return np.ascontiguousarray(image)
