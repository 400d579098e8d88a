"""Cluttered backgrounds: dull shapes, noise texture, a lighting gradient."""

import colorsys

import cv2
import numpy as np

__all__ = ['PAN_MARGIN', 'draw_background', 'draw_lighting']

PAN_MARGIN = 8
_NUM_CLUTTER = (10, 17)
_HUE_DISTANCE_DEG = 32.0
# Pixels per cell of noise, and its strength.
_GRAINS = ((24.0, 16.0), (20.0 / 3.0, 9.0), (2.0, 7.0))


def _draw_hue(rng, forbidden_deg):
    """A hue at a distance from those of the objects."""
    forbidden = np.asarray(forbidden_deg, float)
    while True:
        hue_deg = rng.uniform(0.0, 360.0)
        gap = np.abs((hue_deg - forbidden + 180.0) % 360.0 - 180.0)
        if gap.min() >= _HUE_DISTANCE_DEG:
            return hue_deg


def _dull(rng, hue_deg, saturation):
    value = rng.uniform(0.25, 0.75)
    rgb = colorsys.hsv_to_rgb(hue_deg / 360.0, saturation, value)
    return tuple(255.0 * channel for channel in rgb)


def _outline(rng, radius):
    """A random closed outline about the origin: blob, polygon or bar."""
    kind = rng.integers(3)
    if kind == 0:  # a blob
        turns = np.linspace(0, 2 * np.pi, 40, endpoint=False)
        lobes = rng.integers(2, 6)
        reach = 0.8 + 0.2 * np.sin(lobes * turns + rng.uniform(0, 6.3))
    elif kind == 1:  # an irregular polygon
        corners = rng.integers(3, 8)
        turns = np.sort(rng.uniform(0, 2 * np.pi, corners))
        reach = rng.uniform(0.6, 1.0, corners)
    else:  # a bar
        half = rng.uniform(0.25, 0.7)
        turns = np.array([half, np.pi - half, np.pi + half, -half])
        turns = turns + rng.uniform(0, np.pi)
        reach = np.ones(4)
    return radius * np.stack(
        [reach * np.cos(turns), reach * np.sin(turns)], -1
    )


def draw_background(size, scale, forbidden_hues_deg, rng):
    """Draw a background.

    Args:
        size (tuple[int, int]): height and width in pixels.
        scale (float): size of the objects, 1 for radii of 26 to 46 pixels.
        forbidden_hues_deg (Sequence[float]): hues of the objects; clutter
            keeps 32 degrees away from each and is dull besides.
        rng (np.random.Generator): source of randomness.

    Returns:
        np.ndarray: float32 (H, W, 3), RGB, roughly in [0, 255].
    """
    height, width = size
    canvas = np.empty((height, width, 3), np.float32)
    canvas[:] = _dull(rng, _draw_hue(rng, forbidden_hues_deg), 0.15)
    for _ in range(rng.integers(*_NUM_CLUTTER)):
        hue_deg = _draw_hue(rng, forbidden_hues_deg)
        colour = _dull(rng, hue_deg, rng.uniform(0.08, 0.32))
        # the sizes of the objects, so that size does not give these away
        points = _outline(rng, scale * rng.uniform(22.0, 48.0)) + rng.uniform(
            0.0, (width, height)
        )
        points = np.rint(points * 16).astype(np.int32)
        cv2.fillPoly(canvas, [points], colour, cv2.LINE_AA, 4)
        if rng.uniform() < 0.5:
            rim = tuple(0.6 * channel for channel in colour)
            cv2.polylines(canvas, [points], True, rim, 2, cv2.LINE_AA, 4)
    texture = np.zeros((height, width), np.float32)
    for grain, strength in _GRAINS:
        cells = (round(height / grain), round(width / grain))
        noise = rng.standard_normal(cells, dtype=np.float32)
        noise = cv2.resize(
            noise, (width, height), interpolation=cv2.INTER_LINEAR
        )
        texture += strength * noise
    return canvas + cv2.merge([texture] * 3)


def draw_lighting(size, rng):
    """Draw a lighting gradient.

    Args:
        size (tuple[int, int]): height and width in pixels.
        rng (np.random.Generator): direction and strength (up to a quarter).

    Returns:
        np.ndarray: float32 (H, W, 3), a factor about 1, the same for
        all channels (at full size, as a product with it is faster).
    """
    direction = rng.uniform(0, 2 * np.pi)
    strength = rng.uniform(0.08, 0.25)
    down, right = (
        np.linspace(-1.0, 1.0, side, dtype=np.float32) * strength
        for side in size
    )
    ramp = (
        np.cos(direction) * right[None, :] + np.sin(direction) * down[:, None]
    ) / np.float32(2**0.5)
    return cv2.merge([(1.0 + ramp).astype(np.float32)] * 3)
