"""Which clips a synthetic set has: species, what sounds when, names.

A plan is everything about a clip that is decided before a pixel is drawn.
Every decision takes its randomness from (seed, subset, split, index), so a
clip does not depend on how many others there are.
"""

import itertools
from dataclasses import dataclass

from mmavs.datasets.layout import LAYOUTS, OFF_SCREEN

from .names import draw_name
from .randomness import clip_rng
from .sounding import add_off_screen, draw_sounding
from .species import SPECIES, class_name
from .subsets import (
    SUBSETS,
    check_num_clips,
    choose_off_screen,
    divide_clips,
)

__all__ = ['ClipPlan', 'plan_clips']

MAX_SILENT_SHARE = 0.5
# (H, W) of the scenes in turn where a setting has no size of its own.
_FRAME_SIZES = ((180, 320), (320, 240), (192, 256))


@dataclass(frozen=True)
class ClipPlan:
    """One clip before it is rendered.

    Attributes:
        subset (str): a key of :data:`subsets.SUBSETS`.
        split (str): ``train``, ``val`` or ``test``.
        index (int): position in the split of the subset.
        scene_index (int): clips of one subset and split with the same
            scene_index share their frames; twins do.
        seed (int): seed of the whole set.
        source (str): the (imaginary) video.
        video_id (str): unique name of the clip.
        start_s (int): where the clip is cut from its video.
        frame_size (tuple[int, int]): height and width.
        species (tuple[str]): the objects, back to front.
        off_screen (tuple[str]): species that sound and are not in view.
        sounding (tuple[tuple[bool]]): [source][second], whether it sounds;
            the sources are the objects, then what is off the screen.
    """

    subset: str
    split: str
    index: int
    scene_index: int
    seed: int
    source: str
    video_id: str
    start_s: int
    frame_size: tuple
    species: tuple
    off_screen: tuple
    sounding: tuple

    @property
    def layout(self):
        """Layout: where the files of its setting lie."""
        return SUBSETS[self.subset].layout

    @property
    def num_frames(self):
        """int: frames of the clip, and seconds."""
        return self.layout.num_frames[self.subset]

    @property
    def category(self):
        """str: S4 category, the one that sounds; others have none: ''."""
        if self.subset != 's4':
            return ''
        return self.sounding_species()[0][0]

    def sounding_species(self):
        """list[list[str]]: for every second the objects that sound."""
        by_second = zip(*self.sounding, strict=True)
        return [
            list(itertools.compress(self.species, active))
            for active in by_second
        ]

    def sounding_off_screen(self):
        """list[list[str]]: for every second what sounds out of view."""
        in_view = len(self.species)
        by_second = zip(*self.sounding, strict=True)
        return [
            list(itertools.compress(self.off_screen, active[in_view:]))
            for active in by_second
        ]

    def row(self):
        """dict[str, str]: the values of all columns of the layouts."""
        heard = [
            class_name(name)
            for name, active in zip(self.species, self.sounding, strict=False)
            if any(active)
        ]
        if self.off_screen:
            heard.append(OFF_SCREEN)
        return dict(
            source=self.source,
            video_id=self.video_id,
            start=str(self.start_s),
            s_min=str(self.start_s // 60),
            s_sec=str(self.start_s % 60),
            category=self.category,
            objects='_'.join(heard),
            split=self.split,
            subset=self.subset,
        )


def _draw_species(subset, rng, forbidden):
    """Two or three species in random order, none of the forbidden ones."""
    pool = [name for name in SPECIES if name not in forbidden]
    number = 3 if rng.uniform() < SUBSETS[subset].share_of_three else 2
    return tuple(pool[i] for i in rng.permutation(len(pool))[:number])


def _plan_split(subset, split, count, seed, silent_share, off_screen):
    """Plan the clips of one split of one subset."""
    kind = SUBSETS[subset]
    layout, num_frames = kind.layout, kind.layout.num_frames[subset]
    per_scene = 1 if split == 'train' else 2
    plans, before, unseen = [], (), ((), ())
    for scene_index in range(count // per_scene):
        key = (seed, subset, split, scene_index)
        # Twins must find a stranger in the scene before or after theirs.
        taken = () if split == 'train' else (*before, *unseen[0], *unseen[1])
        species = _draw_species(subset, clip_rng(*key, 'species'), taken)
        objects = draw_sounding(
            kind.changes,
            len(species),
            num_frames,
            silent_share,
            clip_rng(*key, 'sounding'),
        )
        unseen, sounding = add_off_screen(
            off_screen,
            scene_index,
            objects,
            {*species, *before},
            clip_rng(*key, 'off_screen'),
        )
        before = species
        size = _FRAME_SIZES[scene_index % len(_FRAME_SIZES)]
        for member in range(per_scene):
            index = scene_index * per_scene + member
            source, video_id, start_s = draw_name(seed, subset, split, index)
            plans.append(
                ClipPlan(
                    subset,
                    split,
                    index,
                    scene_index,
                    seed,
                    source,
                    video_id,
                    start_s,
                    layout.frame_size or size,
                    species,
                    unseen[member],
                    tuple(map(tuple, sounding[member].tolist())),
                )
            )
    return plans


def plan_clips(subset, num_clips, seed=0, silent_share=0.05, off_screen=None):
    """Plan all clips of a setting.

    Val and test clips come in twins (indices 2j and 2j + 1): the same
    frames, other objects sounding. What is seen and heard in successive
    pairs has nothing in common with what is seen in the other one, so that
    every clip has one to swap the audio with.

    Sounds off the screen: of every eight scenes one has a sound without a
    visible source besides the others (``also``, ``only``), and one has
    nothing else (``only``). Twins differ in it. AVSBench-semantic has them,
    ``v1s`` as ``also``, ``v1m`` and ``v2`` as ``only``.

    Args:
        subset (str): ``s4``, ``ms3`` or ``avss``; the clips of ``avss`` are
            shared out to its subsets, see :func:`subsets.divide_clips`.
        num_clips (dict[str, int]): see :func:`subsets.check_num_clips`.
        seed (int): seed of the set, not negative.
        silent_share (float): where the sounding set changes (all but ``s4``
            and ``v1s``): share of the seconds without any sounding object,
            within [0, 0.5]. At least two seconds of a clip sound, so a share
            above 0.2 comes out a little lower.
        off_screen (str | None): see :func:`subsets.choose_off_screen`.

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
    kinds = choose_off_screen(off_screen, subset)
    plans = []
    for split, count in check_num_clips(num_clips, subset).items():
        for name, share in divide_clips(subset, split, count).items():
            plans += _plan_split(
                name, split, share, seed, silent_share, kinds[name]
            )
    return plans
