"""Scores per class of semantic masks, from counts of pixels."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor


@dataclass(frozen=True)
class ClassCounts:
    """Numbers of pixels of each class in each of M labelled frames.

    All scores follow from them, and as whole numbers they add up to the same
    in any order.

    Attributes:
        true_positive: Pixels of the class that are predicted to be.
        predicted: Pixels predicted to be of the class.
        actual: Pixels of the class.
        video_id: The clip, where the frames are those of one.

    Shapes:
        - true_positive, predicted, actual: (M, C) int32
    """

    true_positive: np.ndarray
    predicted: np.ndarray
    actual: np.ndarray
    video_id: str = ''

    @classmethod
    def join(cls, parts: Sequence['ClassCounts']) -> 'ClassCounts':
        """Join the frames of several clips.

        Raises:
            ValueError: If no frame is labelled.
        """
        joined = cls(
            np.concatenate([part.true_positive for part in parts]),
            np.concatenate([part.predicted for part in parts]),
            np.concatenate([part.actual for part in parts]),
        )
        if len(joined.actual) == 0:
            raise ValueError('none of the evaluated frames has a mask')
        return joined

    @property
    def union(self) -> np.ndarray:
        """Pixels that are of the class or predicted to be, (M, C)."""
        return self.predicted + self.actual - self.true_positive


def count_classes(
    prediction: Tensor,
    target: Tensor,
    num_classes: int,
    ignore_index: int = 255,
    video_id: str = '',
) -> ClassCounts:
    """Count the pixels of each class in each frame.

    Args:
        prediction: Class of each pixel.
        target: Class of each pixel, ``ignore_index`` left out.
        num_classes: C.
        ignore_index: The label of pixels that do not count.
        video_id: The clip, for error messages too.

    Shapes:
        - prediction, target: (M, H, W), whole numbers

    Returns:
        ClassCounts: On the CPU.

    Raises:
        ValueError: If the shapes differ or a class is not below C.
    """
    if prediction.shape != target.shape or prediction.ndim != 3:
        raise ValueError(
            'prediction and target must be (M, H, W) alike, got '
            f'{tuple(prediction.shape)} and {tuple(target.shape)}'
        )
    valid = (target != ignore_index).flatten(1)
    prediction, target = prediction.flatten(1).long(), target.flatten(1).long()
    for name, classes in (('prediction', prediction), ('mask', target)):
        known = classes[valid]
        if len(known) and not 0 <= known.min() <= known.max() < num_classes:
            raise ValueError(
                f'clip {video_id!r}: a {name} must hold classes 0 to '
                f'{num_classes - 1}, got {known.min()} to {known.max()}: '
                'num_classes and out_channels of the decode head must be '
                f'those of the data set, {num_classes}'
            )
    num_frames = len(target)
    frame = torch.arange(num_frames, device=target.device)[:, None]

    def count(classes: Tensor, where: Tensor) -> np.ndarray:
        bins = (frame * num_classes + classes)[where]
        counts = torch.bincount(bins, minlength=num_frames * num_classes)
        counts = counts.view(num_frames, num_classes)
        return counts.to(torch.int32).cpu().numpy()

    return ClassCounts(
        true_positive=count(target, valid & (prediction == target)),
        predicted=count(prediction, valid),
        actual=count(target, valid),
        video_id=video_id,
    )


@dataclass(frozen=True)
class FrameMeans:
    """Per class, means over the frames in which the class occurs.

    Attributes:
        iou: Mean IoU; 0 for a class that occurs nowhere.
        f_score: Mean F-measure; 0 for a class that occurs nowhere.
        num_frames: The frames in which the class is labelled or predicted.

    Shapes:
        - iou, f_score: (C,) float64
        - num_frames: (C,) int64
    """

    iou: np.ndarray
    f_score: np.ndarray
    num_frames: np.ndarray


def frame_means(counts: ClassCounts, beta_squared: float = 0.3) -> FrameMeans:
    """Score each class as AVSBench's semantic evaluation does.

    Args:
        counts: The counts of all frames.
        beta_squared: The weight of precision against recall.

    Returns:
        FrameMeans: Their mean over all C classes is what AVSBench reports;
        a class that occurs nowhere pulls it down with its 0.

    Equation:
        With tp, p and g pixels in common, predicted and labelled:
        IoU = tp / (p + g - tp) and F = (1 + beta^2) P R / (beta^2 P + R),
        P = tp / p, R = tp / g, that is (1 + beta^2) tp / (beta^2 g + p);
        each the mean over the frames with p + g > 0 (AVSBench-semantic,
        Zhou et al. 2023).
    """
    # Wherever a class does not occur, 0 / 1.
    divisor = counts.union.clip(min=1)
    iou = counts.true_positive / divisor
    weighted = beta_squared * counts.actual + counts.predicted
    f_score = (1 + beta_squared) * counts.true_positive
    f_score = f_score / np.where(weighted > 0, weighted, 1)
    num_frames = (counts.union > 0).sum(0)
    return FrameMeans(
        iou=iou.sum(0) / num_frames.clip(min=1),
        f_score=f_score.sum(0) / num_frames.clip(min=1),
        num_frames=num_frames,
    )


def dataset_iou(counts: ClassCounts) -> np.ndarray:
    """IoU of each class over the pixels of all frames together.

    It is that of the confusion matrix of the data set, MMSegmentation's.

    Returns:
        np.ndarray: (C,) float64; NaN for a class that is neither labelled
        nor predicted anywhere.
    """
    intersection = counts.true_positive.sum(0, dtype=np.int64)
    union = counts.union.sum(0, dtype=np.int64)
    return np.where(union > 0, intersection / union.clip(min=1), np.nan)
