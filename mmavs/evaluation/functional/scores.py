"""From the numbers of frames to those of a data set."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class ClipScores:
    """What the metric keeps of the M labelled frames of one clip.

    Attributes:
        video_id: The clip.
        iou: IoU per frame.
        f_curve: F-measure per frame and threshold.
        non_empty: Whether something sounds in the frame.

    A dataclass: MMEngine turns the named tuples of a metric into plain ones.

    Shapes:
        - iou: (M,) float64
        - f_curve: (M, 255) float32
        - non_empty: (M,) bool
    """

    video_id: str
    iou: np.ndarray
    f_curve: np.ndarray
    non_empty: np.ndarray


def _pool(clips: Sequence[ClipScores]) -> tuple[np.ndarray, np.ndarray]:
    """Join the frames: (M,) IoU and the curves (K, 255) of non-empty ones."""
    iou = np.concatenate([clip.iou for clip in clips])
    curves = np.concatenate([clip.f_curve[clip.non_empty] for clip in clips])
    return iou, curves.astype(np.float64)


def dataset_scores(
    clips: Sequence[ClipScores], eval_clips_per_batch: int | None = None
) -> tuple[float, float]:
    """Score a data set as a whole.

    Args:
        clips: The clips of the data set, in any order.
        eval_clips_per_batch: Not used: nothing depends on a batch here.

    Returns:
        tuple: mIoU, the mean over labelled frames; and F, the maximum over
        thresholds of the mean over non-empty frames, NaN if every frame is
        empty.

    Raises:
        ValueError: If no frame is labelled.
    """
    iou, curves = _pool(clips)
    if len(iou) == 0:
        raise ValueError('none of the evaluated frames has a mask')
    f_score = curves.mean(0).max() if len(curves) else np.nan
    return float(iou.mean()), float(f_score)


def batchwise_scores(
    clips: Sequence[ClipScores], eval_clips_per_batch: int | None = None
) -> tuple[float, float]:
    """Score a data set batch by batch, as AVSBench's own evaluation does.

    The threshold is chosen anew for every batch, so the F-measure grows as
    batches get smaller, and a smaller last batch counts as much as a full
    one. A batch of silent frames contributes an F of 0.

    Args:
        clips: The clips of the data set, in its order.
        eval_clips_per_batch: How many consecutive clips form a batch. The
            published numbers of AVSBench are for 4.

    Returns:
        tuple: The unweighted means over batches of mIoU and of the largest
        F. Batches without a labelled frame are left out.

    Raises:
        ValueError: If ``eval_clips_per_batch`` is not positive, or no frame
            is labelled.
    """
    if not eval_clips_per_batch or eval_clips_per_batch < 1:
        raise ValueError(
            'scores by batch need eval_clips_per_batch of at least 1 (4 in '
            f'the published numbers), got {eval_clips_per_batch}'
        )
    ious, f_scores = [], []
    for start in range(0, len(clips), eval_clips_per_batch):
        iou, curves = _pool(clips[start : start + eval_clips_per_batch])
        if len(iou) == 0:
            continue
        ious.append(iou.mean())
        f_scores.append(curves.mean(0).max() if len(curves) else 0.0)
    if not ious:
        raise ValueError('none of the evaluated frames has a mask')
    return float(np.mean(ious)), float(np.mean(f_scores))


# protocol -> (clips, eval_clips_per_batch) -> (mIoU, F)
SCORES: dict[
    str, Callable[[Sequence[ClipScores], int | None], tuple[float, float]]
] = {'dataset': dataset_scores, 'avsbench': batchwise_scores}
