"""What can be wrong with a data set, and one thing that is."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import NamedTuple

__all__ = ['ERROR', 'KINDS', 'WARNING', 'Kind', 'Problem']

ERROR, WARNING = 'error', 'warning'


class Kind(NamedTuple):
    """A kind of problem.

    Attributes:
        severity: ``error`` if something that training or testing needs is
            not there or cannot be used, else ``warning``.
        title: what a person reads.
    """

    severity: str
    title: str


KINDS = dict(
    # The index.
    csv_missing=Kind(ERROR, 'list of clips missing'),
    csv_unreadable=Kind(ERROR, 'list of clips unreadable'),
    bad_row=Kind(ERROR, 'bad row in the CSV'),
    no_clips=Kind(ERROR, 'no clips listed'),
    no_clips_in_split=Kind(ERROR, 'split without clips'),
    label_file=Kind(ERROR, 'label file missing or wrong'),
    # Files.
    no_files=Kind(ERROR, 'listed, but without files'),
    missing=Kind(ERROR, 'file missing'),
    empty=Kind(ERROR, 'empty file (0 bytes)'),
    unreadable=Kind(ERROR, 'unreadable'),
    truncated=Kind(ERROR, 'cut short'),
    crashed=Kind(ERROR, 'could not be checked'),
    # What is in them.
    wrong_size=Kind(ERROR, 'mask and frame of two sizes'),
    class_index=Kind(ERROR, 'class out of range'),
    empty_mask=Kind(ERROR, 'mask empty (all black)'),
    not_finite=Kind(ERROR, 'values not finite'),
    audio_too_short=Kind(ERROR, 'audio under one patch'),
    log_mel_refused=Kind(ERROR, 'log-mel pickle refused'),
    log_mel_shape=Kind(ERROR, 'log-mel of wrong shape'),
    # What loads all the same.
    frame_size=Kind(WARNING, 'frame of unusual size'),
    black_frame=Kind(WARNING, 'frame all black'),
    mask_values=Kind(WARNING, 'mask values not 0, 1, 255'),
    mask_levels=Kind(WARNING, 'mask of more than 2 values'),
    mask_colour=Kind(WARNING, 'colour not in the palette'),
    masks_disagree=Kind(WARNING, 'colours unlike the indices'),
    audio_short=Kind(WARNING, 'audio shorter than clip'),
    log_mel_short=Kind(WARNING, 'log-mel shorter than clip'),
    silent=Kind(WARNING, 'audio silent'),
    audio_format=Kind(WARNING, 'odd audio format'),
    log_mel_differs=Kind(WARNING, 'log-mel unlike the wav'),
    # Between files, and between files and the index.
    frame_count=Kind(WARNING, 'more frames than expected'),
    unexpected_file=Kind(WARNING, 'unexpected file or folder'),
    not_in_csv=Kind(WARNING, 'files not listed in the CSV'),
    repeated_id=Kind(WARNING, 'id listed twice'),
    id_in_two_splits=Kind(WARNING, 'id in two splits'),
    same_frame=Kind(WARNING, 'same frame in two splits'),
    same_audio=Kind(WARNING, 'same audio in two splits'),
    unknown_split=Kind(WARNING, 'unknown split in the CSV'),
    unknown_category=Kind(WARNING, 'category without a folder'),
    unknown_object=Kind(WARNING, 'object not a class'),
    class_count=Kind(WARNING, 'unusual number of classes'),
)
"""dict[str, Kind]: in the order of a report."""


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong.

    Attributes:
        kind: a key of ``KINDS``.
        severity: ``error`` or ``warning``.
        path: the file, relative to the folder that was checked, with
            forward slashes.
        clip: id of the clip, '' if it is of none.
        message: what is wrong, in words.
    """

    kind: str
    severity: str
    path: str
    clip: str
    message: str

    @classmethod
    def of(cls, kind: str, path: str, message: str, clip: str = '') -> Problem:
        """Make a problem with the severity of its kind."""
        return cls(kind, KINDS[kind].severity, path, clip, message)

    def to_dict(self) -> dict[str, str]:
        """Give it as plain values."""
        return asdict(self)
