"""What is known of every frame of a split, one row each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

# Of the codes and of what they are compared with, by name.
Features = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class FrameTable:
    """The frames of a split, clip after clip.

    Attributes:
        video_ids: the clip of each frame.
        frame_idx: its place in the clip.
        categories: category of the clip where the set has them, else None.
        labelled: whether the frame has a mask.
        centres: x and y of the middle of what sounds, as shares of the width
            and the height; NaN where nothing sounds or nothing is known.
        mask_classes: which classes the mask holds; (N, 0) where it only
            tells the foreground.

    Shapes:
        - video_ids, frame_idx, labelled: (N,); categories: (N,) or None.
        - centres: (N, 2); mask_classes: (N, S).
    """

    video_ids: np.ndarray
    frame_idx: np.ndarray
    categories: np.ndarray | None
    labelled: np.ndarray
    centres: np.ndarray
    mask_classes: np.ndarray

    def __len__(self) -> int:
        return len(self.video_ids)

    @property
    def sounding(self) -> np.ndarray:
        """Whether the mask of a frame is not empty, (N,)."""
        return ~np.isnan(self.centres[:, 0])

    def rows_of(self, others: Mapping[str, str]) -> np.ndarray:
        """Rows of the same frames of other clips.

        Args:
            others: clip to the other one.

        Shapes:
            - returns: (N,) int, -1 where there is none.
        """
        rows = {
            (name, frame): row
            for row, (name, frame) in enumerate(
                zip(self.video_ids, self.frame_idx, strict=True)
            )
        }
        return np.array(
            [
                rows.get((others.get(name), frame), -1)
                for name, frame in zip(
                    self.video_ids, self.frame_idx, strict=True
                )
            ],
            dtype=int,
        )


def mask_facts(
    masks: np.ndarray, num_classes: int, ignore_index: int = 255
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What masks tell: see ``labelled``, ``centres``, ``mask_classes``.

    Args:
        masks: 0 background, above 0 what sounds, ``ignore_index`` unknown.
        num_classes: S + 1 classes with the background; with two there are
            none to tell apart.
        ignore_index: label of pixels without a label.

    Shapes:
        - masks: (N, H, W).
    """
    valid = masks != ignore_index
    sounds = valid & (masks > 0)
    height, width = masks.shape[1:]
    area = sounds.sum((1, 2))
    middle = np.stack(
        [
            sounds.sum(1) @ ((np.arange(width) + 0.5) / width),
            sounds.sum(2) @ ((np.arange(height) + 0.5) / height),
        ],
        axis=1,
    )
    centres = np.divide(
        middle,
        area[:, None],
        out=np.full(middle.shape, np.nan),
        where=area[:, None] > 0,
    )
    labels = range(1, num_classes if num_classes > 2 else 1)
    classes = [(masks == label).any((1, 2)) for label in labels]
    mask_classes = np.zeros((len(masks), 0), bool)
    if classes:
        mask_classes = np.stack(classes, axis=1)
    return valid.any((1, 2)), centres, mask_classes


def join_tables(tables: Sequence[FrameTable]) -> FrameTable:
    """One table of several, which are of one set."""

    def join(name: str) -> np.ndarray:
        return np.concatenate([getattr(table, name) for table in tables])

    without = any(table.categories is None for table in tables)
    return FrameTable(
        video_ids=join('video_ids'),
        frame_idx=join('frame_idx'),
        categories=None if without else join('categories'),
        labelled=join('labelled'),
        centres=join('centres'),
        mask_classes=join('mask_classes'),
    )
