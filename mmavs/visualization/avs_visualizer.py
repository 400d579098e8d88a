"""Visualizer with one sheet per clip."""

from __future__ import annotations

from collections.abc import Sequence

import mmcv
import numpy as np
from mmseg.registry import VISUALIZERS
from mmseg.structures import SegDataSample
from mmseg.visualization import SegLocalVisualizer

from mmavs.evaluation.functional import binary_iou
from mmavs.visualization.clip_sheet import (
    SheetRow,
    draw_clip_sheet,
    log_mel_row,
)
from mmavs.visualization.overlay import (
    PREDICTION_COLOUR,
    TRUTH_COLOUR,
    overlay_mask,
)


@VISUALIZERS.register_module()
class AVSLocalVisualizer(SegLocalVisualizer):
    """mmseg's visualizer that also draws clips.

    Sheets go to every backend of ``vis_backends``: files, TensorBoard,
    WandB. Arguments are those of ``SegLocalVisualizer``.
    """

    def add_clip(
        self,
        name: str,
        samples: Sequence[SegDataSample],
        log_mel: np.ndarray | None = None,
        show: bool = False,
        wait_time: float = 0,
        step: int = 0,
    ) -> np.ndarray:
        """Draw one sheet and hand it to the backends.

        Args:
            name: name of the picture.
            samples: the T frames of one clip, in order, with ``img_path``.
            log_mel: the sound of each frame, (T, 1, 96, 64), or None.
            show: open a window too.
            wait_time: seconds the window stays open.
            step: global step for the backends.

        Returns:
            The sheet, (H, W, 3) uint8, RGB.
        """
        title = ' · '.join(
            str(samples[0].metainfo[key])
            for key in ('video_id', 'category', 'sound_condition')
            if key in samples[0].metainfo
        )
        sheet = draw_clip_sheet(self.clip_rows(samples, log_mel), title=title)
        if show:
            self.show(sheet, win_name=name, wait_time=wait_time)
        self.add_image(name, sheet, step)
        return sheet

    def clip_rows(
        self,
        samples: Sequence[SegDataSample],
        log_mel: np.ndarray | None = None,
    ) -> list[SheetRow]:
        """Rows of a sheet: frame, truth, prediction and sound.

        Truth and prediction appear where the samples have them. A subclass
        adds its own rows here.
        """
        frames = [
            mmcv.imread(sample.img_path, channel_order='rgb')
            for sample in samples
        ]
        rows = [SheetRow('frame', frames)]
        truth = _masks(samples, 'gt_sem_seg')
        predicted = _masks(samples, 'pred_sem_seg')
        if truth is not None:
            captions = [_truth_caption(sample) for sample in samples]
            rows.append(
                _overlay_row('truth', frames, truth, TRUTH_COLOUR, captions)
            )
        if predicted is not None:
            captions = ()
            if truth is not None:
                captions = [_iou_caption(sample) for sample in samples]
            rows.append(
                _overlay_row(
                    'prediction',
                    frames,
                    predicted,
                    PREDICTION_COLOUR,
                    captions,
                )
            )
        if log_mel is not None:
            rows.append(log_mel_row(np.asarray(log_mel)))
        return rows


def _masks(
    samples: Sequence[SegDataSample], key: str
) -> list[np.ndarray] | None:
    """Foreground of a field of every sample, T x (H, W), or None."""
    if not all(key in sample for sample in samples):
        return None
    masks = [sample.get(key).data[0].cpu().numpy() for sample in samples]
    # 255 marks unlabelled pixels of the truth.
    return [(mask > 0) & (mask != 255) for mask in masks]


def _truth_caption(sample: SegDataSample) -> str:
    """Tell a frame without a label from one in which nothing sounds."""
    labels = sample.gt_sem_seg.data
    if (labels == 255).all():
        return 'unlabelled'
    return '' if (labels == 1).any() else 'silent'


def _iou_caption(sample: SegDataSample) -> str:
    """IoU of a labelled frame as the metric counts it."""
    if (sample.gt_sem_seg.data == 255).all():
        return ''
    predicted = sample.pred_sem_seg.data.cpu() > 0
    iou = binary_iou(predicted, sample.gt_sem_seg.data.cpu())
    return f'IoU {iou.item():.2f}'


def _overlay_row(
    label: str,
    frames: Sequence[np.ndarray],
    masks: Sequence[np.ndarray],
    colour: tuple[int, int, int],
    captions: Sequence[str] = (),
) -> SheetRow:
    images = [
        overlay_mask(frame, mask, colour)
        for frame, mask in zip(frames, masks, strict=True)
    ]
    return SheetRow(label, images, captions)
