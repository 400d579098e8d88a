"""Which audio to put under a clip to see whether a model listens."""

import itertools
from collections import defaultdict

from .randomness import clip_rng

__all__ = ['find_sound_pairs']


def find_sound_pairs(plans):
    """Pair every val and test clip with its twin and with a stranger.

    Args:
        plans (list[ClipPlan]): all clips of a setting, in the order of
            :func:`plan.plan_clips`.

    Returns:
        dict[str, dict[str, str]]: video id -> ``twin``, the clip with the
        same frames, and of the same subset and split ``swapped``, a clip of
        which no species, visible or heard, is visible in this one, and
        ``same_class``, one of another scene in which, over the whole clip,
        the same species are heard; left out where there is none.

    Raises:
        ValueError: if a split has no such clip.
    """
    pairs = {}
    for (split, subset), group in itertools.groupby(
        plans, key=lambda plan: (plan.split, plan.subset)
    ):
        if split == 'train':
            continue
        members = list(group)
        alike = defaultdict(list)
        for plan in members:
            alike[_heard(plan)].append(plan)
        strangers = {}
        for species in {frozenset(plan.species) for plan in members}:
            strangers[species] = [
                other
                for other in members
                if species.isdisjoint(other.species + other.off_screen)
            ]
        for i, plan in enumerate(members):
            others = strangers[frozenset(plan.species)]
            if not others:
                raise ValueError(
                    f'no {subset} {split} clip without any of the species '
                    f'{plan.species} of {plan.video_id}: the split is too '
                    f'small, it has {len(members)} clips'
                )
            rng = clip_rng(plan.seed, subset, split, plan.index, 'swap')
            pairs[plan.video_id] = dict(
                twin=members[i ^ 1].video_id,
                swapped=others[rng.integers(len(others))].video_id,
            )
            same = [
                other
                for other in alike[_heard(plan)]
                if other.scene_index != plan.scene_index
            ]
            if same:
                pairs[plan.video_id]['same_class'] = same[
                    rng.integers(len(same))
                ].video_id
    return pairs


def _heard(plan):
    """All that is heard in a clip, in view or not."""
    return frozenset(
        itertools.chain(*plan.sounding_species(), *plan.sounding_off_screen())
    )
