"""Sounds whose source cannot be in view: those of clips of other classes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from mmavs.datasets.errors import DataError
from mmavs.datasets.layout import OFF_SCREEN


@dataclass(frozen=True)
class ClipClasses:
    """What is known of a clip's picture and sound.

    Attributes:
        seen: classes in view.
        heard: classes that sound at some time; None if something sounds of
            which nobody says what it is.
    """

    seen: frozenset[str]
    heard: frozenset[str] | None


def classes_of_columns(info: Mapping) -> ClipClasses | None:
    """Classes by the columns of AVSBench: ``category`` or ``objects``.

    They name what sounds; of what is in view and silent they say nothing.

    Args:
        info: the clip as its dataset lists it.

    Returns:
        ClipClasses: None where there is neither column, as in MS3.
    """
    if 'category' in info:
        names = frozenset([info['category']])
        return ClipClasses(names, names)
    if 'objects' in info:
        names = frozenset(filter(None, info['objects'].split('_')))
        in_view = names - {OFF_SCREEN}
        return ClipClasses(in_view, None if OFF_SCREEN in names else names)
    return None


def classes_of_entry(entry: Mapping) -> ClipClasses:
    """Classes by a synthetic set's ``clips.json``, which tells all of them.

    Args:
        entry: what the file says of the clip.

    Returns:
        ClipClasses: what is in view, sounding or not, and what is heard.
    """
    seconds = [*entry['sounding'], *entry.get('off_screen', ())]
    return ClipClasses(
        frozenset(each['species'] for each in entry['objects']),
        frozenset(name for second in seconds for name in second),
    )


class OffScreenSounds:
    """For every clip the files of sounds that nothing in it makes.

    A clip that is heard with the sound of another, no class of which it
    shows, has nothing to be segmented.

    Args:
        classes: video id -> its classes.
        audio_paths: video id -> its file.

    Raises:
        DataError: If there is no such file for a clip.
    """

    def __init__(
        self,
        classes: Mapping[str, ClipClasses],
        audio_paths: Mapping[str, str],
    ) -> None:
        self.paths = [audio_paths[video_id] for video_id in classes]
        self.seen = {v: clip.seen for v, clip in classes.items()}
        heard = [clip.heard for clip in classes.values()]
        # Clips that show the same share their choices.
        self.choices: dict[frozenset[str], np.ndarray] = {}
        for video_id, seen in self.seen.items():
            if seen not in self.choices:
                self.choices[seen] = _strangers(seen, heard)
            if not len(self.choices[seen]):
                raise DataError(
                    f'no sound is off the screen of clip {video_id!r}, which '
                    f'shows {sorted(seen)}: in each of the {len(heard)} '
                    "clips one of these is heard; leave 'off_screen' out of "
                    'the kinds for so small a set'
                )

    def draw(self, video_id: str, generator: np.random.Generator) -> str:
        """Draw one of the files, each as likely.

        Args:
            video_id: the clip that will be heard with it.
            generator: source of randomness.
        """
        choices = self.choices[self.seen[video_id]]
        return self.paths[choices[generator.integers(len(choices))]]


def _strangers(
    seen: frozenset[str], heard: Sequence[frozenset[str] | None]
) -> np.ndarray:
    """Numbers of the clips in which something is heard, nothing of ``seen``.

    An unknown sound could be of anything that is seen.
    """
    return np.array(
        [i for i, one in enumerate(heard) if one and seen.isdisjoint(one)],
        np.int32,
    )
