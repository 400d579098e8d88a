"""What sounds when, in a clip and in its twin."""

import numpy as np

from .species import SPECIES

__all__ = ['ONLY_SHARE', 'add_off_screen', 'draw_sounding']

# Of every eight scenes, the one in which something unseen sounds besides, and
# the one in which nothing else does.
_TURNS, _ALSO, _ONLY = 8, 1, 3
ONLY_SHARE = 1 / _TURNS
"""float: of the scenes with ``'only'``, in these nothing in view sounds."""
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


def _draw_off_screen(num_frames, rng):
    """For each twin in which seconds something unseen sounds, at least one."""
    while True:
        active = rng.uniform(size=(2, num_frames)) < _OFF_SCREEN_SHARE
        if active.any(1).all():
            return list(active)


def add_off_screen(kind, scene_index, objects, forbidden, rng):
    """Let something unseen sound in some scenes.

    Args:
        kind (str): one of :data:`subsets.OFF_SCREEN_KINDS`.
        scene_index (int): decides whether.
        objects (list[np.ndarray]): what the objects do in both twins, each
            bool (num_objects, T).
        forbidden (Container[str]): species that are in view, here or in the
            scene before; two at least must be left.
        rng (np.random.Generator): source of randomness.

    Returns:
        tuple[list[tuple[str]], list[np.ndarray]]: for each twin what is off
        the screen, another species in each, and its sources, in the order
        of :attr:`plan.ClipPlan.sounding`.
    """
    turn = scene_index % _TURNS
    is_only = turn == _ONLY and kind == 'only'
    if not (is_only or (turn == _ALSO and kind != 'none')):
        return [(), ()], objects
    pool = [name for name in SPECIES if name not in forbidden]
    unseen = [(pool[i],) for i in rng.permutation(len(pool))[:2]]
    states = _draw_off_screen(objects[0].shape[1], rng)
    return unseen, [
        np.vstack([seen & (not is_only), state])
        for seen, state in zip(objects, states, strict=True)
    ]
