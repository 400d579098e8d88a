"""Shapes, textures and the sprites made of them.

A sprite is the upright picture of one object, drawn once per clip and warped
into every frame. Its outline has the circumscribed radius
``SPRITE_RADIUS`` (the trefoil and the crescent touch that circle too).
"""

import colorsys
from functools import cache

import cv2
import numpy as np

__all__ = [
    'SHAPES',
    'SPRITE_RADIUS',
    'SPRITE_SIZE',
    'TEXTURES',
    'draw_sprite',
    'shape_alpha',
]

SPRITE_SIZE = 112
SPRITE_RADIUS = 52.0
_OVERSAMPLING = 4
_SUBPIXEL_BITS = 4


def _polar(radius, turns):
    angle = 2 * np.pi * np.asarray(turns)
    return np.stack([radius * np.sin(angle), -radius * np.cos(angle)], -1)


def _disc():
    return [_polar(1.0, np.linspace(0, 1, 96, endpoint=False))]


def _triangle():
    return [_polar(1.0, np.arange(3) / 3)]


def _square():
    return [_polar(1.0, (np.arange(4) + 0.5) / 4)]


def _star():
    return [_polar(np.where(np.arange(10) % 2, 0.48, 1.0), np.arange(10) / 10)]


def _cross():
    long, short = 0.93, 0.36
    arm = np.array([[-short, -long], [short, -long], [short, -short]])
    corners = []
    for _ in range(4):
        corners.append(arm)
        arm = np.stack([-arm[:, 1], arm[:, 0]], -1)  # a quarter turn
    return [np.concatenate(corners)]


def _trefoil():
    turns = np.linspace(0, 1, 144, endpoint=False)
    return [_polar(0.68 + 0.32 * np.cos(6 * np.pi * turns), turns)]


def _crescent():
    # the circle less a second one of radius 0.72 shifted right by 0.52
    tip = np.arccos((1 + 0.52**2 - 0.72**2) / (2 * 0.52))
    outer = np.linspace(tip, 2 * np.pi - tip, 96)
    inner_tip = np.arctan2(np.sin(tip), np.cos(tip) - 0.52)
    inner = np.linspace(2 * np.pi - inner_tip, inner_tip, 72)
    return [
        np.concatenate(
            [
                np.stack([np.cos(outer), np.sin(outer)], -1),
                np.stack(
                    [0.52 + 0.72 * np.cos(inner), 0.72 * np.sin(inner)], -1
                ),
            ]
        )
    ]


def _ring():
    turns = np.linspace(0, 1, 96, endpoint=False)
    return [_polar(1.0, turns), _polar(0.46, turns)]


SHAPES = dict(
    disc=_disc,
    triangle=_triangle,
    square=_square,
    star=_star,
    cross=_cross,
    trefoil=_trefoil,
    crescent=_crescent,
    ring=_ring,
)
"""dict[str, Callable]: shape name -> contours in the unit circle. Contours
are filled by the even-odd rule."""


@cache
def shape_alpha(shape):
    """Antialiased coverage of a shape and of its rim.

    Args:
        shape (str): a key of :data:`SHAPES`.

    Returns:
        tuple[np.ndarray, np.ndarray]: alpha and rim, each float32
        (112, 112) in [0, 1], read-only.
    """
    size = SPRITE_SIZE * _OVERSAMPLING
    canvas = np.zeros((size, size), np.uint8)
    # pixel i covers [i, i + 1), hence the centre of the canvas is at size / 2
    # in continuous coordinates and at size / 2 - 0.5 in OpenCV's
    contours = [
        np.rint(
            (points * SPRITE_RADIUS * _OVERSAMPLING + size / 2 - 0.5)
            * (1 << _SUBPIXEL_BITS)
        ).astype(np.int32)
        for points in SHAPES[shape]()
    ]
    cv2.fillPoly(canvas, contours, 255, shift=_SUBPIXEL_BITS)
    eroded = cv2.erode(canvas, np.ones((13, 13), np.uint8))
    alpha, inner = (
        cv2.resize(
            image, (SPRITE_SIZE, SPRITE_SIZE), interpolation=cv2.INTER_AREA
        ).astype(np.float32)
        / 255.0
        for image in (canvas, eroded)
    )
    rim = alpha - inner
    alpha.setflags(write=False)  # shared between threads through the cache
    rim.setflags(write=False)
    return alpha, rim


@cache
def _grid():
    """Sprite coordinates in radii: right u, down v, radius, angle."""
    axis = (
        (np.arange(SPRITE_SIZE) + 0.5 - SPRITE_SIZE / 2) / SPRITE_RADIUS
    ).astype(np.float32)
    u, v = np.meshgrid(axis, axis)
    return u, v, np.hypot(u, v), np.arctan2(v, u)


def _edge(field):
    """Turn a wave in [-1, 1] into two tones with a soft edge."""
    return 0.5 + 0.5 * np.clip(3.0 * field, -1.0, 1.0)


def _rings(rng):
    _, _, radius, _ = _grid()
    return _edge(np.cos(2 * np.pi * (2.0 * radius + rng.uniform(-0.1, 0.1))))


def _stripes(rng):
    _, v, _, _ = _grid()
    return _edge(np.sin(2 * np.pi * (2.2 * v + rng.uniform())))


def _shading(rng):
    u, v, _, _ = _grid()
    tilt = rng.uniform(-0.3, 0.3)
    return np.clip(0.5 + 0.55 * (tilt * u - v), 0.0, 1.0)


def _dots(rng):
    u, v, _, _ = _grid()
    shift = rng.uniform(size=2)
    wave = np.cos(2 * np.pi * (2.0 * u + shift[0])) + np.cos(
        2 * np.pi * (2.0 * v + shift[1])
    )
    return _edge(wave - 0.6)


def _speckle(rng):
    coarse = rng.uniform(-1.0, 1.0, (14, 14)).astype(np.float32)
    return _edge(
        cv2.resize(
            coarse, (SPRITE_SIZE, SPRITE_SIZE), interpolation=cv2.INTER_CUBIC
        )
    )


def _checker(rng):
    u, v, _, _ = _grid()
    shift = rng.uniform(size=2)
    return _edge(
        2.0
        * np.sin(2 * np.pi * (1.3 * u + shift[0]))
        * np.sin(2 * np.pi * (1.3 * v + shift[1]))
    )


def _zigzag(rng):
    u, v, _, _ = _grid()
    tooth = np.abs((1.6 * u + rng.uniform()) % 1.0 - 0.5)
    return _edge(np.sin(2 * np.pi * (1.8 * v + 0.9 * tooth)))


def _spokes(rng):
    _, _, _, angle = _grid()
    return _edge(np.sin(8.0 * angle + rng.uniform(0, 2 * np.pi)))


TEXTURES = dict(
    rings=_rings,
    stripes=_stripes,
    shading=_shading,
    dots=_dots,
    speckle=_speckle,
    checker=_checker,
    zigzag=_zigzag,
    spokes=_spokes,
)
"""dict[str, Callable]: texture name -> ``(rng) -> (112, 112)`` in [0, 1],
the blend between the dark and the light tone."""


def _rgb(hue_deg, saturation, value):
    return (
        np.array(
            colorsys.hsv_to_rgb(hue_deg / 360.0 % 1.0, saturation, value),
            np.float32,
        )
        * 255.0
    )


def draw_sprite(species, rng):
    """Draw one object upright.

    Args:
        species (Species): what to draw.
        rng (np.random.Generator): hue (within 9 degrees of the family),
            saturation, brightness and texture phase.

    Returns:
        np.ndarray: float32 (112, 112, 4), RGB in [0, 255] premultiplied by
        the coverage, and the coverage in [0, 1].
    """
    hue_deg = species.hue_deg + rng.uniform(-9.0, 9.0)
    saturation, value = rng.uniform(0.72, 0.95), rng.uniform(0.78, 0.98)
    dark = _rgb(hue_deg, saturation, 0.42 * value)
    light = _rgb(hue_deg, 0.8 * saturation, value)
    blend = TEXTURES[species.texture](rng).astype(np.float32)[..., None]
    colour = dark + (light - dark) * blend
    alpha, rim = shape_alpha(species.shape)
    sprite = np.empty((SPRITE_SIZE, SPRITE_SIZE, 4), np.float32)
    sprite[..., :3] = colour * (alpha - 0.75 * rim)[..., None]
    sprite[..., 3] = alpha
    return sprite
