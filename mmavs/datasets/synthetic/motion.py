"""Where the objects of a clip are.

The paths of all objects are drawn at once and accepted or rejected together,
so they are exchangeable: no slot, and hence nothing that is later assigned
to a slot, has a preferred place, size or movement.
"""

import numpy as np

__all__ = ['MAX_RADIUS', 'MIN_RADIUS', 'draw_paths', 'object_scale']

# Pixels at the published size of S4 and MS3.
MIN_RADIUS, MAX_RADIUS, _FRAME_SIDE = 26.0, 46.0, 224
_RADIUS_SWING = 0.06
_MIN_GAP = 0.85  # of the sum of the radii: circles overlap a little at most
_TRIALS = 64


def object_scale(frame_size):
    """Size of the objects of a frame relative to those of 224 x 224.

    Args:
        frame_size (tuple[int, int]): height and width.

    Returns:
        float: such that an object's share of the frame stays the same.
    """
    height, width = frame_size
    return (height * width) ** 0.5 / _FRAME_SIDE


def draw_paths(num_objects, num_frames, frame_size, rng):
    """Draw smooth paths that stay in the picture and hardly overlap.

    The k-th frame of a clip, k = 1.., is shown at k - 1/16 s, as in AVSBench.

    Args:
        num_objects (int): objects in the clip.
        num_frames (int): T.
        frame_size (tuple[int, int]): height and width in pixels.
        rng (np.random.Generator): source of randomness.

    Returns:
        dict[str, np.ndarray]: float64, ``centres`` (num_objects, T, 2) as
        x, y in pixels (pixel i spans [i, i + 1)), ``radii``
        (num_objects, T) in pixels within [26, 46] times
        :func:`object_scale`, ``angles_deg`` (num_objects, T).
    """
    time_s = np.arange(num_frames) + 1.0 - 1.0 / 16.0 - num_frames / 2.0
    scale, corner = object_scale(frame_size), np.array(frame_size[::-1])
    first, second = np.triu_indices(num_objects, 1)
    while True:
        shape = (_TRIALS, num_objects, 1)
        radii = scale * rng.uniform(
            MIN_RADIUS / (1 - _RADIUS_SWING),
            MAX_RADIUS / (1 + _RADIUS_SWING),
            shape,
        )
        phase = rng.uniform(0, 2 * np.pi, shape)
        radii = radii * (
            1 + _RADIUS_SWING * np.sin(2 * np.pi * time_s / 8.0 + phase)
        )
        margin = radii.max(-1, keepdims=True)
        centres = rng.uniform(margin, corner - margin)[:, :, None]
        speed, heading = (
            scale * rng.uniform(1.0, 9.0, shape),
            rng.uniform(0, 2 * np.pi, shape),
        )
        # straight on, with a slow bend across the heading
        along = speed * time_s
        across = (
            scale
            * rng.uniform(-4.0, 4.0, shape)
            * np.sin(
                2 * np.pi * time_s / 6.0 + rng.uniform(0, 2 * np.pi, shape)
            )
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
        inside = ((centres >= reach) & (centres <= corner - reach)).all(
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
