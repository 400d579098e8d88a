"""mIoU and F-measure of binary audio-visual segmentation."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import mmcv
import torch
from mmengine.evaluator import BaseMetric
from mmengine.logging import MMLogger, print_log
from mmseg.registry import METRICS
from prettytable import PrettyTable

from mmavs.evaluation.functional.binary_iou import binary_iou
from mmavs.evaluation.functional.f_measure import f_measure_curve
from mmavs.evaluation.functional.scores import SCORES, ClipScores


def group_clips(samples: Sequence[dict]) -> list[list[dict]]:
    """Group the samples of frames by clip.

    Args:
        samples: Samples in clip-major order, with ``video_id``,
            ``frame_idx`` and ``num_frames``.

    Returns:
        list[list[dict]]: The T samples of each clip.

    Raises:
        ValueError: If a clip is incomplete or its frames are not in order.
    """
    clips: list[list[dict]] = []
    start = 0
    while start < len(samples):
        for key in ('video_id', 'frame_idx', 'num_frames'):
            if key not in samples[start]:
                raise ValueError(
                    f'AVSMetric needs {key!r} in every data sample'
                )
        video_id = samples[start]['video_id']
        num_frames = samples[start]['num_frames']
        clip = list(samples[start : start + num_frames])
        found = [(s.get('video_id'), s.get('frame_idx')) for s in clip]
        if found != [(video_id, t) for t in range(num_frames)]:
            raise ValueError(
                f'clip {video_id!r} must come as frames 0 to '
                f'{num_frames - 1} in a row, got {found}'
            )
        clips.append(clip)
        start += num_frames
    return clips


@METRICS.register_module()
class AVSMetric(BaseMetric):
    """AVSBench's mIoU and F-measure, from 0 to 1.

    One record per clip: MMEngine keeps as many records as the data set has
    samples, and a sample is a clip. A record holds the few numbers of each
    labelled frame; pixels labelled ``ignore_index`` are left out, a frame
    without another label is skipped.

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
        ignore_index (int): Label of pixels without a label. Defaults to
            255.
        output_dir (str, optional): Where to write the predicted masks, one
            PNG of 0 and 255 per frame, ``VIDEO_ID/NAME_OF_THE_FRAME.png``;
            what ``tools/test.py --out`` sets. Defaults to None.
        keep_results (bool): Accepted for ``tools/test.py --out``: the masks
            in ``output_dir`` are always kept.
        **kwargs: ``collect_device``, ``prefix`` and ``collect_dir`` of
            :class:`mmengine.evaluator.BaseMetric`.

    Raises:
        ValueError: If the protocol is unknown or ``eval_clips_per_batch``
            does not go with it.
    """

    def __init__(
        self,
        protocol: str = 'dataset',
        eval_clips_per_batch: int | None = None,
        threshold: float = 0.5,
        beta_squared: float = 0.3,
        ignore_index: int = 255,
        output_dir: str | None = None,
        keep_results: bool = False,
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
        self.ignore_index = ignore_index
        self.output_dir = output_dir

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Measure the clips of one batch.

        Args:
            data_batch: Not used.
            data_samples: The N predicted samples, as dicts.
        """
        for clip in group_clips(data_samples):
            self.results.append(self._score(clip))
            if self.output_dir is not None:
                self._write_masks(clip, Path(self.output_dir))

    def _write_masks(self, clip: Sequence[dict], output_dir: Path) -> None:
        folder = output_dir / clip[0]['video_id']
        folder.mkdir(parents=True, exist_ok=True)
        for frame in clip:
            mask = frame['seg_logits']['data'][0] > self.threshold
            name = Path(frame['img_path']).with_suffix('.png').name
            image = mask.to(torch.uint8).mul(255).cpu().numpy()
            mmcv.imwrite(image, str(folder / name))

    def _score(self, clip: Sequence[dict]) -> ClipScores:
        video_id = clip[0]['video_id']
        for key in ('seg_logits', 'gt_sem_seg'):
            if any(key not in frame for frame in clip):
                raise ValueError(
                    f'AVSMetric needs {key!r} in every frame of '
                    f'clip {video_id!r}'
                )
        # (T, H, W) each; probabilities already: no second sigmoid.
        probability = torch.cat([f['seg_logits']['data'] for f in clip])
        target = torch.cat([f['gt_sem_seg']['data'] for f in clip])
        if len(probability) != len(clip) or (
            probability.shape != target.shape
        ):
            raise ValueError(
                f'clip {video_id!r}: prediction and mask of a frame must be '
                f'(1, H, W) in one size, got {tuple(probability.shape)} and '
                f'{tuple(target.shape)} for {len(clip)} frames; in a test '
                'pipeline the mask is loaded after Resize'
            )
        target = target.to(probability.device)
        labelled = (target != self.ignore_index).flatten(1).any(1)
        probability, target = probability[labelled], target[labelled]
        foreground = (target > 0) & (target != self.ignore_index)
        iou = binary_iou(
            probability > self.threshold, target, self.ignore_index
        )
        curve = f_measure_curve(
            probability, target, self.ignore_index, self.beta_squared
        )
        return ClipScores(
            video_id=video_id,
            iou=iou.cpu().numpy(),
            f_curve=curve.float().cpu().numpy(),
            non_empty=foreground.flatten(1).any(1).cpu().numpy(),
        )

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
