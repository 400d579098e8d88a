"""Which clips a synthetic set has: species, what sounds when, names.

A plan is everything about a clip that is decided before a pixel is drawn.
Every decision takes its randomness from (seed, subset, split, index), so a
clip does not depend on how many others there are.
"""

import itertools
import string
from dataclasses import dataclass

import numpy as np

from .layout import LAYOUTS, NUM_FRAMES, SPLITS
from .species import SPECIES

__all__ = ['ClipPlan', 'check_num_clips', 'clip_rng', 'plan_clips']

MAX_SILENT_SHARE = 0.5
_ID_ALPHABET = string.ascii_letters + string.digits + '-_'
_STREAMS = ('species', 'scene', 'sounding', 'voices', 'name', 'swap')
# of the two numbers of objects a clip may have
_SHARE_OF_THREE = dict(s4=0.5, ms3=0.75)


@dataclass(frozen=True)
class ClipPlan:
    """One clip before it is rendered.

    Attributes:
        subset (str): ``s4`` or ``ms3``.
        split (str): ``train``, ``val`` or ``test``.
        index (int): position in the split.
        scene_index (int): clips of one split with the same scene_index share
            their frames; twins do.
        seed (int): seed of the whole set.
        video_id (str): unique name.
        start_s (int): where the clip is cut from its (imaginary) video.
        species (tuple[str]): the objects, back to front.
        sounding (tuple[tuple[bool]]): [object][second], whether it sounds.
    """

    subset: str
    split: str
    index: int
    scene_index: int
    seed: int
    video_id: str
    start_s: int
    species: tuple
    sounding: tuple

    @property
    def category(self):
        """str: S4 category, the one that sounds; MS3 has none: ''."""
        if self.subset != 's4':
            return ''
        return self.sounding_species()[0][0]

    def sounding_species(self):
        """list[list[str]]: for every second the names of what sounds."""
        by_second = zip(*self.sounding, strict=True)
        return [
            list(itertools.compress(self.species, active))
            for active in by_second
        ]


def clip_rng(seed, subset, split, index, stream):
    """The generator of one kind of decision about one clip.

    Args:
        seed (int): seed of the set, not negative.
        subset (str): ``s4`` or ``ms3``.
        split (str): ``train``, ``val`` or ``test``.
        index (int): index of the clip or of its scene.
        stream (str): the kind of decision, one of ``species``, ``scene``,
            ``sounding``, ``voices``, ``name``, ``swap``.

    Returns:
        np.random.Generator: independent of every other one.
    """
    key = (
        list(LAYOUTS).index(subset),
        SPLITS.index(split),
        index,
        _STREAMS.index(stream),
    )
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=key))


def check_num_clips(num_clips):
    """Check how many clips are asked for and complete the dict.

    Args:
        num_clips (dict[str, int]): clips per split; missing ones are 0.

    Returns:
        dict[str, int]: with all three splits, in order.

    Raises:
        ValueError: for an unknown split, a negative count, an odd val or
            test count (they come in pairs), a val or test count of 2 (a
            clip's audio must be exchangeable with that of a clip of other
            species, hence two pairs), or no clip at all.
    """
    unknown = sorted(set(num_clips) - set(SPLITS))
    if unknown:
        raise ValueError(
            f'num_clips may have the keys {SPLITS}, got {unknown}'
        )
    counts = {split: num_clips.get(split, 0) for split in SPLITS}
    for split, count in counts.items():
        if isinstance(count, bool) or not isinstance(count, int) or count < 0:
            raise ValueError(
                f'the number of {split} clips must be an '
                f'integer >= 0, got {count!r}'
            )
        if split != 'train' and (count % 2 or count == 2):
            raise ValueError(
                f'the number of {split} clips must be 0 or an even number '
                f'>= 4 (clips come in pairs, and each pair needs another '
                f'one with other species), got {count}'
            )
    if not any(counts.values()):
        raise ValueError(f'num_clips asks for no clip at all: {counts}')
    return counts


def _draw_species(subset, rng, forbidden):
    """Two or three species in random order, none of the forbidden ones."""
    pool = [name for name in SPECIES if name not in forbidden]
    number = 3 if rng.uniform() < _SHARE_OF_THREE[subset] else 2
    return tuple(pool[i] for i in rng.permutation(len(pool))[:number])


def _draw_single(num_objects, rng):
    """S4: one object sounds all the time, in the twin another one."""
    original, twin = rng.permutation(num_objects)[:2]
    slots = np.arange(num_objects)[:, None]
    return [np.repeat(slots == one, NUM_FRAMES, 1) for one in (original, twin)]


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


def _draw_multiple(num_objects, rng, silent_share):
    """MS3: the sounding set changes over time, in the twin too."""
    while True:
        silent = rng.uniform(size=NUM_FRAMES) < silent_share
        states = [_draw_split(num_objects, rng)]
        for _ in range(1, NUM_FRAMES):
            stay = rng.uniform() < 0.5
            states.append(
                states[-1] if stay else _draw_split(num_objects, rng)
            )
        sounding = np.stack(states, -1) & ~silent  # (2, objects, seconds)
        if _changes(sounding[0]) and _changes(sounding[1]):
            return list(sounding)


def _draw_name(seed, subset, split, index):
    """A name as YouTube's, with the traps of the real ones in every split.

    Clip 0 of every eight starts with '-', clip 1 with '_'; in MS3 clip 2 is
    all digits, with a leading zero, as no number must be made of it.
    """
    rng = clip_rng(seed, subset, split, index, 'name')
    name = ''.join(
        _ID_ALPHABET[i] for i in rng.integers(len(_ID_ALPHABET), size=11)
    )
    start_s = int(rng.integers(0, 60)) * 5
    trap = index % 8
    if trap < 2:
        name = '-_'[trap] + name[1:]
    elif trap == 2 and subset == 'ms3':
        name = '0' + ''.join(str(i) for i in rng.integers(10, size=10))
    if subset == 's4':
        name = f'{name}_{start_s * 1000}_{start_s * 1000 + 5000}'
    return name, start_s


def plan_clips(subset, num_clips, seed=0, silent_share=0.05):
    """Plan all clips of a subset.

    Val and test clips come in twins (indices 2j and 2j + 1): the same
    frames, other objects sounding. The species of successive pairs have
    nothing in common, so that every clip has one to swap the audio with.

    Args:
        subset (str): ``s4`` or ``ms3``.
        num_clips (dict[str, int]): see :func:`check_num_clips`.
        seed (int): seed of the set, not negative.
        silent_share (float): MS3 only: share of the seconds without any
            sounding object, within [0, 0.5]. At least two seconds of a clip
            sound, so a share above 0.2 comes out a little lower.

    Returns:
        list[ClipPlan]: train, then val, then test.

    Raises:
        ValueError: if an argument is out of its range.
    """
    if subset not in LAYOUTS:
        raise ValueError(
            f'subset must be one of {tuple(LAYOUTS)}, got {subset!r}'
        )
    if not 0.0 <= silent_share <= MAX_SILENT_SHARE:
        raise ValueError(
            'silent_share must be within '
            f'[0, {MAX_SILENT_SHARE}], got {silent_share}'
        )
    if isinstance(seed, bool) or not isinstance(seed, int) or seed < 0:
        raise ValueError(f'seed must be an integer >= 0, got {seed!r}')

    plans = []
    for split, count in check_num_clips(num_clips).items():
        per_scene = 1 if split == 'train' else 2
        species = ()
        for scene_index in range(count // per_scene):
            forbidden = () if split == 'train' else species
            key = (seed, subset, split, scene_index)
            species = _draw_species(
                subset, clip_rng(*key, 'species'), forbidden
            )
            rng = clip_rng(*key, 'sounding')
            if subset == 's4':
                members = _draw_single(len(species), rng)
            else:
                members = _draw_multiple(len(species), rng, silent_share)
            for member in range(per_scene):
                index = scene_index * per_scene + member
                video_id, start_s = _draw_name(seed, subset, split, index)
                plans.append(
                    ClipPlan(
                        subset,
                        split,
                        index,
                        scene_index,
                        seed,
                        video_id,
                        start_s,
                        species,
                        tuple(map(tuple, members[member].tolist())),
                    )
                )
    return plans
