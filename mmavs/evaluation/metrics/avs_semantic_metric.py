"""mIoU and F-measure of semantic audio-visual segmentation."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from mmengine.logging import MMLogger, print_log
from mmseg.registry import METRICS
from PIL import Image
from prettytable import PrettyTable
from torch import Tensor

from mmavs.evaluation.functional.class_scores import (
    ClassCounts,
    FrameMeans,
    count_classes,
    dataset_iou,
    frame_means,
)
from mmavs.evaluation.metrics.clip_metric import ClipMetric


@METRICS.register_module()
class AVSSemanticMetric(ClipMetric):
    """AVSBench-semantic's mIoU and F, and that of the data set, 0 to 1.

    Predictions are the classes in ``pred_sem_seg``. Names, number and
    colours of the classes come from the data set's metainfo; class 0 is the
    background.

    Results:
        - ``mIoU``, ``F``: AVSBench's protocol. The score of a class is the
          mean over the frames in which it is labelled or predicted, the
          result the mean over *all* classes, background included. A class
          that occurs in no frame counts 0, as in the published numbers: they
          are lower on a part of the test set that lacks classes.
        - ``mIoU_foreground``, ``F_foreground``: the same without the
          background. The «noBg» of published logs is another number: it
          leaves out the last class, a real one.
        - ``mIoU_dataset``: mean IoU of the confusion matrix of all pixels,
          over the classes that occur, which is MMSegmentation's
          ``IoUMetric``. It is not comparable with the published numbers.

    Args:
        beta_squared (float): Weight of the F-measure. Defaults to 0.3.
        **kwargs: Arguments of :class:`ClipMetric`. A mask in ``output_dir``
            holds the index of the class, with the palette of the data set.
    """

    PREDICTION = 'pred_sem_seg'

    def __init__(self, beta_squared: float = 0.3, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.beta_squared = beta_squared

    @property
    def classes(self) -> Sequence[str]:
        """The names of the classes.

        Raises:
            ValueError: If the data set has not said them.
        """
        classes = (self.dataset_meta or {}).get('classes')
        if not classes:
            raise ValueError(
                "AVSSemanticMetric needs 'classes' in the metainfo of the "
                f'data set, got {self.dataset_meta}'
            )
        return classes

    def score_clip(
        self, video_id: str, prediction: Tensor, target: Tensor
    ) -> ClassCounts:
        """Make the record of a clip: pixels per frame and class."""
        return count_classes(
            prediction,
            target,
            len(self.classes),
            self.ignore_index,
            video_id,
        )

    def mask_image(self, prediction: Tensor) -> Image.Image:
        """Make an index image."""
        image = Image.fromarray(prediction.to(torch.uint8).cpu().numpy())
        palette = self.dataset_meta.get('palette')
        if palette is not None:
            image.putpalette([int(x) for colour in palette for x in colour])
        return image

    def compute_metrics(self, results: list[ClassCounts]) -> dict[str, float]:
        """Score the data set.

        Args:
            results: The records of all clips, in any order.

        Returns:
            dict: The results above.

        Raises:
            ValueError: If no frame is labelled.
        """
        counts = ClassCounts.join(results)
        means, iou = (
            frame_means(counts, self.beta_squared),
            dataset_iou(counts),
        )
        metrics = dict(
            mIoU=means.iou.mean(),
            F=means.f_score.mean(),
            mIoU_foreground=means.iou[1:].mean(),
            F_foreground=means.f_score[1:].mean(),
            mIoU_dataset=np.nanmean(iou),
        )
        metrics = {name: float(value) for name, value in metrics.items()}
        self._log(means, iou, metrics, len(results), len(counts.actual))
        return metrics

    def _log(
        self,
        means: FrameMeans,
        iou: np.ndarray,
        metrics: dict[str, float],
        num_clips: int,
        num_frames: int,
    ) -> None:
        """Write a table of the classes and one of the results."""
        classes = PrettyTable(['class', 'frames', 'IoU', 'F', 'IoU_dataset'])
        classes.align['class'] = 'l'
        rows = zip(
            self.classes,
            means.num_frames,
            means.iou,
            means.f_score,
            iou,
            strict=True,
        )
        for name, frames, *values in rows:
            values = [f'{x:.4f}' if frames else '-' for x in values]
            classes.add_row([name, frames, *values])
        summary = PrettyTable(['clips', 'frames', *metrics])
        values = [f'{value:.4f}' for value in metrics.values()]
        summary.add_row([num_clips, num_frames, *values])
        logger = MMLogger.get_current_instance()
        for title, table in (('class', classes), ('data set', summary)):
            print_log(f'per {title}:\n{table.get_string()}', logger=logger)
