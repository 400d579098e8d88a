"""The subsets of the three settings, and how many clips each gets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from mmavs.datasets.layout import LAYOUTS, SPLITS, Layout

__all__ = [
    'OFF_SCREEN_KINDS',
    'SUBSETS',
    'Subset',
    'check_num_clips',
    'choose_off_screen',
    'divide_clips',
]

OFF_SCREEN_KINDS = ('none', 'also', 'only')
"""tuple[str]: whether what sounds may be out of the picture: never, beside
an object in view, or in some clips instead of one."""


@dataclass(frozen=True)
class Subset:
    """What the clips of a subset are like.

    Attributes:
        setting: the key of its layout.
        share_of_three: share of the clips that show three objects; the
            others show two.
        changes: the set of what sounds changes over time; else one object
            sounds throughout.
        timed_ids: ids end in the start and the end of the clip, in ms.
        digit_ids: some videos have a name of digits only.
        off_screen: one of :data:`OFF_SCREEN_KINDS`.
    """

    setting: str
    share_of_three: float
    changes: bool
    timed_ids: bool
    digit_ids: bool = True
    off_screen: str = 'none'

    @property
    def layout(self) -> Layout:
        """Where its files lie."""
        return LAYOUTS[self.setting]


# In this order, which is part of the randomness of a clip.
SUBSETS = dict(
    s4=Subset('s4', 0.5, False, True, digit_ids=False),
    ms3=Subset('ms3', 0.75, True, False),
    v1s=Subset('avss', 0.5, False, True, off_screen='also'),
    v1m=Subset('avss', 0.75, True, False, off_screen='only'),
    v2=Subset('avss', 0.75, True, True, off_screen='only'),
)
"""dict[str, Subset]: every subset of every setting by name."""


def choose_off_screen(off_screen: str | None, setting: str) -> dict[str, str]:
    """Choose which sounds out of view the subsets of a setting have.

    Args:
        off_screen: one of :data:`OFF_SCREEN_KINDS`; None is as ever, nothing
            in ``s4`` and ``ms3``.
        setting: ``s4``, ``ms3`` or ``avss``.

    Returns:
        Subset to one of :data:`OFF_SCREEN_KINDS`.

    Raises:
        ValueError: if the kind is unknown, or the setting does not have it:
            the subsets of ``avss`` have their own, and the category of a
            clip of ``s4`` is what sounds in view.
    """
    if off_screen not in (None, *OFF_SCREEN_KINDS):
        raise ValueError(
            f'off_screen must be one of {OFF_SCREEN_KINDS}, got {off_screen!r}'
        )
    if off_screen is not None and setting == 'avss':
        raise ValueError(
            'the subsets of avss have their own sounds off the screen, '
            f'off_screen must be None, got {off_screen!r}'
        )
    if off_screen == 'only' and setting == 's4':
        raise ValueError(
            'the category of an s4 clip is what sounds in view, off_screen '
            "must be 'none' or 'also', got 'only'"
        )
    return {
        name: off_screen or SUBSETS[name].off_screen
        for name in LAYOUTS[setting].subsets
    }


def check_num_clips(
    num_clips: Mapping[str, int], setting: str
) -> dict[str, int]:
    """Check how many clips are asked for and complete the dict.

    Args:
        num_clips: clips per split; missing ones are 0.
        setting: ``s4``, ``ms3`` or ``avss``.

    Returns:
        The same with all three splits, in order.

    Raises:
        ValueError: for an unknown split, a negative count, an odd val or
            test count (they come in pairs), fewer than 4 val or test clips
            for each subset (a clip's audio must be exchangeable with that of
            a clip of other species, hence two pairs), or no clip at all.
    """
    unknown = sorted(set(num_clips) - set(SPLITS))
    if unknown:
        raise ValueError(
            f'num_clips may have the keys {SPLITS}, got {unknown}'
        )
    fewest = 4 * len(LAYOUTS[setting].subsets)
    counts = {split: num_clips.get(split, 0) for split in SPLITS}
    for split, count in counts.items():
        if isinstance(count, bool) or not isinstance(count, int) or count < 0:
            raise ValueError(
                f'the number of {split} clips must be an '
                f'integer >= 0, got {count!r}'
            )
        if split != 'train' and (count % 2 or 0 < count < fewest):
            raise ValueError(
                f'the number of {split} clips must be 0 or an even number '
                f'>= {fewest} (clips come in pairs, and each pair needs '
                'another one of its subset with other species), got '
                f'{count}'
            )
    if not any(counts.values()):
        raise ValueError(f'num_clips asks for no clip at all: {counts}')
    return counts


def divide_clips(setting: str, split: str, count: int) -> dict[str, int]:
    """Share the clips of a split out to the subsets.

    Each gets the same number; what is left over goes to the last ones.
    Val and test clips stay in pairs.

    Args:
        setting: ``s4``, ``ms3`` or ``avss``.
        split: ``train``, ``val`` or ``test``.
        count: clips of the split.

    Returns:
        Clips of each subset.
    """
    subsets = LAYOUTS[setting].subsets
    unit = 1 if split == 'train' else 2
    return {
        subset: (count // unit + i) // len(subsets) * unit
        for i, subset in enumerate(subsets)
    }
