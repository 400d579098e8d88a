"""What a probe is asked to read from a code.

Some questions have an answer that one sense alone cannot give. Of two objects
in view nothing but the sound tells which one sounds; of those that are silent
nothing but the frame tells that they are there. So the frames count in which
the other sense has nothing to say: chance there is 0.5 for a code that only
sees, or only hears, whatever else it knows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from mmavs.evaluation.probes.frame_table import FrameTable

# Name of a target -> what its score means.
MEANINGS = dict(
    sounds='which classes sound',
    sounds_in_view='whether a class that is in view sounds; 0.5 for a code '
    'that only sees',
    sounds_in_twin='the probe of «sounds» against what sounds in the twin; '
    'as high as «sounds» for a code that only sees',
    heard='which classes are heard, off screen as well',
    visible='which classes are in view',
    silent_in_view='whether a class that does not sound is in view; near 0.5 '
    'for a code that only hears',
    number='how many objects sound',
    silence='whether nothing sounds',
    where='whether the middle of what sounds is in the left and in the upper '
    'half',
)
_NUMBERS = ('nothing', 'one', 'two or more')


@dataclass(frozen=True)
class ProbeTarget:
    """Yes or no of every frame and class, as far as it is asked.

    Attributes:
        name: a key of ``MEANINGS``.
        classes: names of the S classes.
        labels: True for yes.
        known: where the answer counts.

    Shapes:
        - labels, known: (N, S) bool.
    """

    name: str
    classes: tuple[str, ...]
    labels: np.ndarray
    known: np.ndarray

    def select(self, rows: np.ndarray) -> ProbeTarget:
        """The target of the frames ``rows``, which may repeat."""
        return ProbeTarget(
            self.name, self.classes, self.labels[rows], self.known[rows]
        )

    @property
    def varies(self) -> np.ndarray:
        """Which classes have both answers, (S,)."""
        yes, no = self.labels & self.known, ~self.labels & self.known
        return yes.any(0) & no.any(0)

    @property
    def is_one_of(self) -> bool:
        """Whether every known frame has exactly one class."""
        known = self.known.all(1)
        return bool(
            len(self.classes) > 1
            and known.any()
            and (self.known.any(1) == known).all()
            and (self.labels[known].sum(1) == 1).all()
        )


def probe_targets(
    table: FrameTable,
    clips: Mapping[str, Mapping] | None,
    classes: Sequence[str] = (),
) -> dict[str, ProbeTarget]:
    """Targets of the frames of a split, by name.

    Args:
        table: the frames.
        clips: what ``clips.json`` of a synthetic set says of every clip; it
            alone tells what is in view.
        classes: the classes that there are, in order: the species, the
            categories, or those of the masks without the background.

    Returns:
        The targets that the set has an answer for: ``sounds`` where there
        are classes, ``silence`` where there are none, ``where`` by the
        masks, and the others of synthetic sets.
    """
    targets = {}
    if clips is not None:
        targets.update(_generator_targets(table, clips, tuple(classes)))
    elif table.categories is not None:
        labels = table.categories[:, None] == np.array(classes)
        targets['sounds'] = _asked('sounds', classes, labels)
    elif table.mask_classes.shape[1]:
        targets['sounds'] = _asked(
            'sounds', classes, table.mask_classes, table.labelled
        )
    if 'number' not in targets:
        targets['silence'] = _asked(
            'silence', ('silence',), ~table.sounding[:, None], table.labelled
        )
    targets['where'] = _asked(
        'where', ('left', 'upper'), table.centres < 0.5, table.sounding
    )
    return {
        name: target for name, target in targets.items() if target.varies.any()
    }


def twin_target(
    sounds: ProbeTarget, table: FrameTable, twins: Mapping[str, str]
) -> ProbeTarget:
    """What sounds in the twin of each clip, asked of the clip."""
    rows = table.rows_of(twins)
    return ProbeTarget(
        'sounds_in_twin',
        sounds.classes,
        sounds.labels[rows],
        sounds.known[rows] & (rows >= 0)[:, None],
    )


def class_names(
    tables: Sequence[FrameTable],
    clips: Mapping[str, Mapping] | None,
    mask_classes: Sequence[str],
) -> tuple[str, ...]:
    """Names of the classes of a set.

    Args:
        tables: the frames of all its splits that are looked at.
        clips: see :func:`probe_targets`.
        mask_classes: classes of its masks, the background first.
    """
    if clips is not None:
        seconds = [
            {item['species'] for item in clip['objects']}.union(
                *clip['sounding'], *clip.get('off_screen', ())
            )
            for clip in clips.values()
        ]
        return tuple(sorted(set().union(*seconds)))
    known = [x.categories for x in tables if x.categories is not None]
    if known:
        return tuple(map(str, np.unique(np.concatenate(known))))
    return tuple(mask_classes[1:]) if len(mask_classes) > 2 else ()


def _generator_targets(
    table: FrameTable, clips: Mapping[str, Mapping], classes: tuple[str, ...]
) -> dict[str, ProbeTarget]:
    """Targets of a synthetic set."""
    missing = sorted(set(table.video_ids) - clips.keys())
    if missing:
        raise ValueError(
            f'clips.json does not tell of the clips {missing[:5]}: it is of '
            'another set'
        )
    sounds, heard, visible = (
        np.zeros((len(table), len(classes)), bool) for _ in range(3)
    )
    index = {name: k for k, name in enumerate(classes)}
    for row, (name, frame) in enumerate(
        zip(table.video_ids, table.frame_idx, strict=True)
    ):
        clip = clips[name]
        sounding = [index[x] for x in clip['sounding'][frame]]
        unseen = clip.get('off_screen') or [[]] * len(clip['sounding'])
        sounds[row, sounding] = True
        heard[row, sounding + [index[x] for x in unseen[frame]]] = True
        visible[row, [index[x['species']] for x in clip['objects']]] = True
    number = np.minimum(sounds.sum(1), len(_NUMBERS) - 1)
    found = [
        _asked('sounds', classes, sounds),
        ProbeTarget('sounds_in_view', classes, sounds, visible),
        _asked('visible', classes, visible),
        # Who is heard from off screen is not silent.
        ProbeTarget('silent_in_view', classes, visible, ~heard),
        _asked('number', _NUMBERS, number[:, None] == np.arange(3)),
    ]
    if (heard != sounds).any():
        found.append(_asked('heard', classes, heard))
    return {target.name: target for target in found}


def _asked(
    name: str,
    classes: Sequence[str],
    labels: np.ndarray,
    rows: np.ndarray | None = None,
) -> ProbeTarget:
    """A target of all classes, in all frames or in some rows."""
    known = np.ones(labels.shape, bool)
    if rows is not None:
        known &= rows[:, None]
    return ProbeTarget(name, tuple(classes), labels, known)
