"""mIoU and F-measure of binary audio-visual segmentation."""

from typing import Any

import torch
from mmengine.logging import MMLogger, print_log
from mmseg.registry import METRICS
from PIL import Image
from prettytable import PrettyTable
from torch import Tensor

from mmavs.evaluation.functional.binary_iou import binary_iou
from mmavs.evaluation.functional.f_measure import f_measure_curve
from mmavs.evaluation.functional.scores import SCORES, ClipScores
from mmavs.evaluation.metrics.clip_metric import ClipMetric


@METRICS.register_module()
class AVSMetric(ClipMetric):
    """AVSBench's mIoU and F-measure, from 0 to 1.

    Predictions are read from ``seg_logits``, where MMSegmentation leaves the
    *probabilities* of a one-channel model, in the original frame size. The
    masks must have that size too: load them after ``Resize``.

    Results: ``mIoU`` and ``F``.

    Args:
        protocol (str): 'dataset' (default) averages over frames and chooses
            one threshold for F on the whole set, whatever the batches.
            'avsbench' is the official evaluation, which averages over
            batches and chooses a threshold for each: F depends on
            ``eval_clips_per_batch``.
        eval_clips_per_batch (int, optional): Clips per batch of the
            'avsbench' protocol, 4 in the published numbers. The batch size
            of the data loader plays no part.
        threshold (float): A pixel sounds if its probability is above.
            Defaults to 0.5.
        beta_squared (float): Weight of the F-measure. Defaults to 0.3.
        **kwargs: Arguments of :class:`ClipMetric`. A mask in ``output_dir``
            is 0 and 255.

    Raises:
        ValueError: If the protocol is unknown or ``eval_clips_per_batch``
            does not go with it.
    """

    PREDICTION = 'seg_logits'

    def __init__(
        self,
        protocol: str = 'dataset',
        eval_clips_per_batch: int | None = None,
        threshold: float = 0.5,
        beta_squared: float = 0.3,
        **kwargs: Any,
    ) -> None:
        if protocol not in SCORES:
            raise ValueError(
                f'protocol must be one of {sorted(SCORES)}, got {protocol!r}'
            )
        if (protocol == 'avsbench') != (eval_clips_per_batch is not None):
            raise ValueError(
                "protocol 'avsbench' needs eval_clips_per_batch (4 in the "
                'published numbers) and no other protocol takes it, got '
                f'{protocol!r} with {eval_clips_per_batch}'
            )
        if eval_clips_per_batch is not None and eval_clips_per_batch < 1:
            raise ValueError(
                'eval_clips_per_batch must be at least 1, got '
                f'{eval_clips_per_batch}'
            )
        super().__init__(**kwargs)
        self.protocol = protocol
        self.eval_clips_per_batch = eval_clips_per_batch
        self.threshold = threshold
        self.beta_squared = beta_squared

    def score_clip(
        self, video_id: str, prediction: Tensor, target: Tensor
    ) -> ClipScores:
        """Make the record of a clip: IoU and F-measure curve per frame."""
        # Probabilities already: no second sigmoid.
        iou = binary_iou(
            prediction > self.threshold, target, self.ignore_index
        )
        curve = f_measure_curve(
            prediction, target, self.ignore_index, self.beta_squared
        )
        foreground = (target > 0) & (target != self.ignore_index)
        return ClipScores(
            video_id=video_id,
            iou=iou.cpu().numpy(),
            f_curve=curve.float().cpu().numpy(),
            non_empty=foreground.flatten(1).any(1).cpu().numpy(),
        )

    def mask_image(self, prediction: Tensor) -> Image.Image:
        """Make a grey image, 255 where it sounds."""
        mask = (prediction > self.threshold).to(torch.uint8).mul(255)
        return Image.fromarray(mask.cpu().numpy())

    def compute_metrics(self, results: list[ClipScores]) -> dict[str, float]:
        """Score the data set.

        Args:
            results: The records of all clips, in the data set's order.

        Returns:
            dict: ``mIoU`` and ``F``.
        """
        miou, f_score = SCORES[self.protocol](
            results, self.eval_clips_per_batch
        )
        table = PrettyTable(
            ['protocol', 'clips', 'frames', 'non-empty', 'mIoU', 'F']
        )
        batch = self.eval_clips_per_batch
        table.add_row(
            [
                self.protocol
                if batch is None
                else f'{self.protocol}, {batch} clips per batch',
                len(results),
                sum(len(clip.iou) for clip in results),
                sum(int(clip.non_empty.sum()) for clip in results),
                f'{miou:.4f}',
                f'{f_score:.4f}',
            ]
        )
        logger = MMLogger.get_current_instance()
        print_log('per data set:\n' + table.get_string(), logger=logger)
        return dict(mIoU=miou, F=f_score)
