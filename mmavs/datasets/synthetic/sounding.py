"""What sounds when, in a clip and in its twin.

All functions return one bool array per twin.
"""

import numpy as np

__all__ = ['draw_off_screen', 'draw_sounding']

# Of the seconds in which something unseen might sound.
_OFF_SCREEN_SHARE = 0.7


def _draw_single(num_objects, num_frames, rng):
    """S4: one object sounds all the time, in the twin another one."""
    original, twin = rng.permutation(num_objects)[:2]
    slots = np.arange(num_objects)[:, None]
    return [np.repeat(slots == one, num_frames, 1) for one in (original, twin)]


def _draw_split(num_objects, rng):
    """MS3, one second: who sounds in the original, who in the twin.

    Both sets are non-empty and disjoint; with three objects one of them may
    hold two.
    """
    sizes = (1, 1)
    if num_objects == 3:
        sizes = ((1, 1), (1, 2), (2, 1))[rng.integers(3)]
    order = rng.permutation(num_objects)
    states = np.zeros((2, num_objects), bool)
    states[0, order[: sizes[0]]] = True
    states[1, order[sizes[0] : sum(sizes)]] = True
    return states


def _changes(sounding):
    """Whether what sounds changes between the seconds that have sound."""
    heard = sounding[:, sounding.any(0)]
    return bool((heard != heard[:, :1]).any())


def _draw_multiple(num_objects, num_frames, silent_share, rng):
    """MS3: the sounding set changes over time, in the twin too."""
    while True:
        silent = rng.uniform(size=num_frames) < silent_share
        states = [_draw_split(num_objects, rng)]
        for _ in range(1, num_frames):
            stay = rng.uniform() < 0.5
            states.append(
                states[-1] if stay else _draw_split(num_objects, rng)
            )
        sounding = np.stack(states, -1) & ~silent  # (2, objects, seconds)
        if _changes(sounding[0]) and _changes(sounding[1]):
            return list(sounding)


def draw_sounding(changes, num_objects, num_frames, silent_share, rng):
    """Draw in which seconds the objects in view sound.

    Args:
        changes (bool): the sounding set changes over time; else one object
            sounds throughout.
        num_objects (int): objects in view, 2 or 3.
        num_frames (int): seconds of the clip.
        silent_share (float): share of the seconds without any sounding
            object where the set changes. At least two seconds sound.
        rng (np.random.Generator): source of randomness.

    Returns:
        list[np.ndarray]: two of bool (num_objects, num_frames), disjoint.
    """
    if changes:
        return _draw_multiple(num_objects, num_frames, silent_share, rng)
    return _draw_single(num_objects, num_frames, rng)


def draw_off_screen(num_frames, rng):
    """Draw in which seconds something sounds that is not in view.

    Args:
        num_frames (int): seconds of the clip.
        rng (np.random.Generator): source of randomness.

    Returns:
        list[np.ndarray]: two of bool (num_frames,), each at least once True.
    """
    while True:
        active = rng.uniform(size=(2, num_frames)) < _OFF_SCREEN_SHARE
        if active.any(1).all():
            return list(active)
