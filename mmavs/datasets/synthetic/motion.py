"""Where the objects of a clip are.

The paths of all objects are drawn at once and accepted or rejected together,
so they are exchangeable: no slot, and hence nothing that is later assigned
to a slot, has a preferred place, size or movement.
"""

import numpy as np

from .layout import FRAME_SIZE, NUM_FRAMES

__all__ = ['MAX_RADIUS', 'MIN_RADIUS', 'draw_paths']

MIN_RADIUS, MAX_RADIUS = 26.0, 46.0
_RADIUS_SWING = 0.06
_MIN_GAP = 0.85  # of the sum of the radii: circles overlap a little at most
_TRIALS = 64


def draw_paths(num_objects, rng):
    """Draw smooth paths that stay in the picture and hardly overlap.

    Frame k = 1..5 of a clip is shown at k - 1/16 s, as in AVSBench.

    Args:
        num_objects (int): objects in the clip.
        rng (np.random.Generator): source of randomness.

    Returns:
        dict[str, np.ndarray]: float64, ``centres`` (num_objects, 5, 2) as
        x, y in pixels (pixel i spans [i, i + 1)), ``radii``
        (num_objects, 5) in pixels within [26, 46], ``angles_deg``
        (num_objects, 5).
    """
    time_s = np.arange(NUM_FRAMES) + 1.0 - 1.0 / 16.0 - NUM_FRAMES / 2.0
    first, second = np.triu_indices(num_objects, 1)
    while True:
        shape = (_TRIALS, num_objects, 1)
        radii = rng.uniform(
            MIN_RADIUS / (1 - _RADIUS_SWING),
            MAX_RADIUS / (1 + _RADIUS_SWING),
            shape,
        )
        phase = rng.uniform(0, 2 * np.pi, shape)
        radii = radii * (
            1 + _RADIUS_SWING * np.sin(2 * np.pi * time_s / 8.0 + phase)
        )
        margin = radii.max(-1, keepdims=True)
        centres = rng.uniform(margin, FRAME_SIZE - margin, (*shape[:2], 2))[
            :, :, None
        ]
        speed, heading = (
            rng.uniform(1.0, 9.0, shape),
            rng.uniform(0, 2 * np.pi, shape),
        )
        # straight on, with a slow bend across the heading
        along = speed * time_s
        across = rng.uniform(-4.0, 4.0, shape) * np.sin(
            2 * np.pi * time_s / 6.0 + rng.uniform(0, 2 * np.pi, shape)
        )
        cosine, sine = np.cos(heading), np.sin(heading)
        centres = centres + np.stack(
            [cosine * along - sine * across, sine * along + cosine * across],
            -1,
        )
        angles_deg = rng.uniform(-20.0, 20.0, shape) + time_s * rng.uniform(
            -6.0, 6.0, shape
        )

        reach = radii[..., None]
        inside = ((centres >= reach) & (centres <= FRAME_SIZE - reach)).all(
            (1, 2, 3)
        )
        distance = np.linalg.norm(
            centres[:, first] - centres[:, second], axis=-1
        )
        apart = (
            distance >= _MIN_GAP * (radii[:, first] + radii[:, second])
        ).all((1, 2))
        accepted = np.flatnonzero(inside & apart)
        if accepted.size:
            trial = accepted[0]
            return dict(
                centres=centres[trial],
                radii=radii[trial],
                angles_deg=angles_deg[trial],
            )
