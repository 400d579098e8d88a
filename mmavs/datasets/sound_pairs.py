"""Which clip's sound the sound conditions play, for any data set."""

from __future__ import annotations

import json
import os
from collections import defaultdict
from collections.abc import Mapping, Sequence

from mmengine.dataset import BaseDataset, ConcatDataset

from mmavs.datasets.files import write_file
from mmavs.datasets.off_screen_sounds import ClipClasses, classes_of_columns
from mmavs.datasets.sound_conditions import condition_rng

Pairs = dict[str, dict[str, str]]
# Clips by their ids, of which nobody may say what sounds in them.
Clips = dict[str, ClipClasses | None]


def make_sound_pairs(
    dataset: BaseDataset | ConcatDataset, seed: int = 0
) -> Pairs:
    """Pair every clip of a data set with clips of other and of its own class.

    The classes are the category (S4) or the audible objects (AVSS). What is
    seen and silent a list of clips does not say, so it may sound in the
    swapped clip; the synthetic sets, which know, have a file of their own. A
    clip with a sound off the screen is played to no other: it may be of any
    class.

    Args:
        dataset: a data set of mmavs, or several in a row.
        seed: which clips are drawn. What is drawn for a clip does not depend
            on the order of the others.

    Returns:
        dict[str, dict[str, str]]: video id -> ``swapped``, a clip none of
        whose classes sounds in this one, in sets without classes (MS3) any
        other clip, and ``same_class``, another clip with the same classes.
        Both have as many frames as the clip, so that their sound fits; a
        relation without such a clip is left out.
    """
    dataset.full_init()
    by_length: defaultdict[int, Clips] = defaultdict(dict)
    for i in range(len(dataset)):
        info = dataset.get_data_info(i)
        by_length[info['num_frames']][info['video_id']] = classes_of_columns(
            info
        )
    pairs: Pairs = {}
    for clips in by_length.values():
        pairs.update(_pair(clips, seed))
    return pairs


def write_sound_pairs(
    path: str | os.PathLike, pairs: Mapping[str, Mapping[str, str]]
) -> None:
    """Write a ``pairs_file``: JSON with one line for each clip.

    Args:
        path: the file, in an existing folder.
        pairs: video id -> {relation: video id}.
    """
    lines = (
        f'{json.dumps(video_id)}: {json.dumps(partners)}'
        for video_id, partners in pairs.items()
    )
    write_file(path, ('{\n' + ',\n'.join(lines) + '\n}\n').encode())


def _pair(clips: Clips, seed: int) -> Pairs:
    """Pair clips of one length."""
    # Clips in which the same sounds share their candidates.
    candidates: dict[frozenset[str] | None, dict[str, list[str]]] = {}
    pairs: Pairs = {}
    for video_id, own in clips.items():
        seen = None if own is None else own.seen
        if seen not in candidates:
            candidates[seen] = _candidates(seen, clips)
        drawn = {
            relation: _draw(others, video_id, relation, seed)
            for relation, others in candidates[seen].items()
        }
        pairs[video_id] = {k: v for k, v in drawn.items() if v is not None}
    return pairs


def _candidates(
    seen: frozenset[str] | None, clips: Clips
) -> dict[str, list[str]]:
    """Clips that may be played where these classes are seen and heard.

    Sorted, because the order of a list of clips has no say.
    """
    if seen is None:
        return dict(swapped=sorted(clips))
    heard = {
        video_id: clip.heard
        for video_id, clip in sorted(clips.items())
        if clip is not None and clip.heard
    }
    return dict(
        swapped=[v for v, names in heard.items() if seen.isdisjoint(names)],
        same_class=[v for v, names in heard.items() if seen == names],
    )


def _draw(
    candidates: Sequence[str], video_id: str, relation: str, seed: int
) -> str | None:
    """One of the candidates, never the clip itself."""
    others = [other for other in candidates if other != video_id]
    if not others:
        return None
    rng = condition_rng(seed, video_id, relation)
    return others[rng.integers(len(others))]
