"""What a clip shows: objects moving over a cluttered background.

A scene is drawn without knowing which of its objects sound.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from .background import PAN_MARGIN, draw_background, draw_lighting
from .motion import draw_paths, object_scale
from .species import SPECIES
from .sprites import SPRITE_RADIUS, SPRITE_SIZE, draw_sprite

__all__ = ['Scene', 'draw_scene', 'visible_masks']


@dataclass(frozen=True)
class Scene:
    """The frames of a clip and what is where in them.

    Attributes:
        frames (np.ndarray): uint8 (T, H, W, 3), RGB.
        owner (np.ndarray): uint8 (T, H, W): 0 for background, i + 1
            where object i is the foremost.
        centres (np.ndarray): float64 (num_objects, T, 2), x and y in pixels.
        radii (np.ndarray): float64 (num_objects, T), circumscribed circle.
    """

    frames: np.ndarray
    owner: np.ndarray
    centres: np.ndarray
    radii: np.ndarray


def _window(centre, radius, frame_size):
    """The part of the frame a sprite can touch, as x0, y0, x1, y1."""
    low = np.maximum(np.floor(centre - radius - 2), 0)
    high = np.minimum(np.ceil(centre + radius + 2), frame_size[::-1])
    return (*low.astype(int), *high.astype(int))


def _warp(sprite, centre, radius, angle_deg, window):
    """Warp a sprite into a window of the frame.

    The matrix maps pixel indices of the window to those of the sprite; the
    centre of pixel i lies at i + 0.5.
    """
    x0, y0, x1, y1 = window
    scale, angle = SPRITE_RADIUS / radius, np.deg2rad(angle_deg)
    rotation = scale * np.array(
        [[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]]
    )
    origin = np.array([x0, y0]) + 0.5 - centre
    matrix = np.column_stack(
        [rotation, rotation @ origin + SPRITE_SIZE / 2 - 0.5]
    )
    return cv2.warpAffine(
        sprite,
        matrix,
        (x1 - x0, y1 - y0),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
    )


def _to_uint8(image):
    return (np.clip(image, 0.0, 255.0) + 0.5).astype(np.uint8)


def draw_scene(species_names, num_frames, frame_size, rng):
    """Draw a scene.

    Args:
        species_names (Sequence[str]): the objects, back to front.
        num_frames (int): T.
        frame_size (tuple[int, int]): H and W.
        rng (np.random.Generator): source of randomness.

    Returns:
        Scene: of these objects.
    """
    species = [SPECIES[name] for name in species_names]
    paths = draw_paths(len(species), num_frames, frame_size, rng)
    sprites = [draw_sprite(one, rng) for one in species]
    height, width = frame_size
    canvas_size = (height + 2 * PAN_MARGIN, width + 2 * PAN_MARGIN)
    canvas = draw_background(
        canvas_size,
        object_scale(frame_size),
        [one.hue_deg for one in species],
        rng,
    )
    lighting = draw_lighting(canvas_size, rng)
    canvas = _to_uint8(canvas * lighting)
    start, end = rng.integers(0, 2 * PAN_MARGIN + 1, (2, 2))

    frames = np.empty((num_frames, height, width, 3), np.uint8)
    owner = np.zeros(frames.shape[:3], np.uint8)
    for k in range(num_frames):
        pan = start + (end - start) * k // (num_frames - 1)
        view = (
            slice(pan[1], pan[1] + height),
            slice(pan[0], pan[0] + width),
        )
        frames[k] = canvas[view]
        light = lighting[view]
        for i, sprite in enumerate(sprites):
            centre, radius = paths['centres'][i, k], paths['radii'][i, k]
            window = _window(centre, radius, frame_size)
            x0, y0, x1, y1 = window
            patch = _warp(
                sprite, centre, radius, paths['angles_deg'][i, k], window
            )
            alpha = patch[..., 3]
            mixed = patch[..., :3] * light[y0:y1, x0:x1]
            below = frames[k, y0:y1, x0:x1]
            mixed += below * cv2.merge([1.0 - alpha] * 3)
            below[:] = _to_uint8(mixed)
            owner[k, y0:y1, x0:x1][alpha > 0.5] = i + 1
    return Scene(frames, owner, paths['centres'], paths['radii'])


def visible_masks(owner, sounding, labels=255):
    """Masks of the visible part of the sounding objects.

    Args:
        owner (np.ndarray): uint8 (T, H, W), see :class:`Scene`.
        sounding (np.ndarray): bool (num_objects, T).
        labels (int | Sequence[int]): the value of all, or of each object.

    Returns:
        np.ndarray: uint8 (T, H, W), the label of an object where that is
        seen and sounds, else 0.
    """
    values = np.zeros((len(owner), 256), np.uint8)
    values[:, 1 : len(sounding) + 1] = labels * sounding.T
    return np.stack(
        [
            cv2.LUT(frame, value)
            for frame, value in zip(owner, values, strict=True)
        ]
    )
