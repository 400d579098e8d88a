"""Visualizer with one sheet per clip."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import mmcv
import numpy as np
import torch
from mmseg.registry import VISUALIZERS
from mmseg.structures import SegDataSample
from mmseg.visualization import SegLocalVisualizer

from mmavs.evaluation.functional import binary_iou, count_classes
from mmavs.visualization.clip_sheet import (
    SheetRow,
    draw_clip_sheet,
    log_mel_row,
    uncertainty_row,
)
from mmavs.visualization.overlay import (
    PREDICTION_COLOUR,
    TRUTH_COLOUR,
    overlay_classes,
)

UNLABELLED = 255
# How many names fit over a frame.
MAX_NAMES = 3


@VISUALIZERS.register_module()
class AVSLocalVisualizer(SegLocalVisualizer):
    """mmseg's visualizer that also draws clips.

    Sheets go to every backend of ``vis_backends``: files, TensorBoard,
    WandB. Names and colours of the classes are those of ``dataset_meta``,
    which the loops of a runner set. With two classes, the default, masks are
    drawn in a colour for truth and one for prediction; with more, each class
    in its colour of the palette.

    Args:
        name: under which the process finds it again.
        *args: as in ``SegLocalVisualizer``.
        classes: names of the classes, background first.
        palette: their RGB colours.
        dataset_name: one of mmseg's data sets, in the place of both.
        **kwargs: as in ``SegLocalVisualizer``.
    """

    def __init__(
        self,
        name: str = 'visualizer',
        *args,
        classes: Sequence[str] | None = None,
        palette: Sequence[Sequence[int]] | None = None,
        dataset_name: str | None = None,
        **kwargs,
    ) -> None:
        super().__init__(name, *args, **kwargs)
        if classes is None and dataset_name is None:
            # The default of mmseg is Cityscapes.
            classes = ('background', 'sounding')
            palette = ((0, 0, 0), TRUTH_COLOUR)
        # By name: the constructor of mmseg mixes up their order.
        self.set_dataset_meta(
            classes=classes, palette=palette, dataset_name=dataset_name
        )

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
            for key in ('video_id', 'category', 'objects', 'sound_condition')
            if key in samples[0].metainfo
        )
        sheet = draw_clip_sheet(
            self.clip_rows(samples, log_mel),
            title=title,
            legend=self.clip_legend(samples),
        )
        if show:
            self.show(sheet, win_name=name, wait_time=wait_time)
        self.add_image(name, sheet, step)
        return sheet

    def clip_rows(
        self,
        samples: Sequence[SegDataSample],
        log_mel: np.ndarray | None = None,
    ) -> list[SheetRow]:
        """Rows of a sheet: frame, truth, prediction, uncertainty and sound.

        All but the frame appear where they are given; masks and maps of
        another size than the frame's file are resized to it. A subclass adds
        its own rows here.
        """
        frames = [
            mmcv.imread(sample.img_path, channel_order='rgb')
            for sample in samples
        ]
        rows = [SheetRow('frame', frames)]
        truth = _masks(samples, 'gt_sem_seg')
        predicted = _masks(samples, 'pred_sem_seg')
        if truth is not None:
            captions = [self._truth_caption(mask) for mask in truth]
            rows.append(
                self._mask_row('truth', frames, truth, TRUTH_COLOUR, captions)
            )
        if predicted is not None:
            # What is nowhere labelled has no score.
            masks = truth or [np.full_like(m, UNLABELLED) for m in predicted]
            captions = [
                self._prediction_caption(*pair)
                for pair in zip(predicted, masks, strict=True)
            ]
            rows.append(
                self._mask_row(
                    'prediction',
                    frames,
                    predicted,
                    PREDICTION_COLOUR,
                    captions,
                )
            )
        if all('uncertainty' in sample for sample in samples):
            rows.append(
                uncertainty_row(
                    [
                        cv2.resize(
                            sample.uncertainty.data[0].float().cpu().numpy(),
                            frame.shape[1::-1],
                        )
                        for sample, frame in zip(samples, frames, strict=True)
                    ]
                )
            )
        if log_mel is not None:
            rows.append(log_mel_row(np.asarray(log_mel)))
        return rows

    def clip_legend(
        self, samples: Sequence[SegDataSample]
    ) -> dict[str, Sequence[int]]:
        """Name to colour of the classes in a sheet; none for binary masks."""
        if not self._semantic:
            return {}
        masks = [
            mask
            for key in ('gt_sem_seg', 'pred_sem_seg')
            for mask in _masks(samples, key) or ()
        ]
        present = _foreground_classes(np.stack(masks)) if masks else []
        classes, palette = (
            self.dataset_meta[key] for key in ('classes', 'palette')
        )
        return {classes[c]: palette[c] for c in sorted(present)}

    @property
    def _semantic(self) -> bool:
        return len(self.dataset_meta['classes']) > 2

    def _names(self, mask: np.ndarray) -> list[str]:
        """Names of the sounding classes of a mask, the largest first."""
        if not self._semantic:
            return []
        classes = self.dataset_meta['classes']
        names = [classes[c] for c in _foreground_classes(mask)]
        if len(names) > MAX_NAMES:
            names[MAX_NAMES - 1 :] = [f'+ {len(names) - MAX_NAMES + 1} more']
        return names

    def _truth_caption(self, mask: np.ndarray) -> str:
        """Tell a frame without a label from one in which nothing sounds."""
        if (mask == UNLABELLED).all():
            return 'unlabelled'
        if not _foreground_classes(mask):
            return 'silent'
        return '\n'.join(self._names(mask))

    def _prediction_caption(
        self, predicted: np.ndarray, truth: np.ndarray
    ) -> str:
        """What is predicted, and the score of a labelled frame.

        The score is the IoU as ``AVSMetric`` counts it, or the mean IoU of
        the classes of the frame, background included.
        """
        lines = self._names(predicted)
        if (truth != UNLABELLED).any():
            masks = (torch.from_numpy(m)[None] for m in (predicted, truth))
            if self._semantic:
                num_classes = len(self.dataset_meta['classes'])
                counts = count_classes(*masks, num_classes)
                there = counts.union > 0
                iou = counts.true_positive[there] / counts.union[there]
                lines.append(f'mIoU {iou.mean():.2f}')
            else:
                lines.append(f'IoU {binary_iou(*masks).item():.2f}')
        return '\n'.join(lines)

    def _mask_row(
        self,
        label: str,
        frames: Sequence[np.ndarray],
        masks: Sequence[np.ndarray],
        colour: tuple[int, int, int],
        captions: Sequence[str],
    ) -> SheetRow:
        palette = self.dataset_meta['palette']
        if not self._semantic:
            palette = (colour,) * UNLABELLED
        images = [
            overlay_classes(frame, mask, palette, UNLABELLED)
            for frame, mask in zip(frames, masks, strict=True)
        ]
        return SheetRow(label, images, captions)


def _masks(
    samples: Sequence[SegDataSample], key: str
) -> list[np.ndarray] | None:
    """A field of every sample, T x (H, W) whole numbers, or None."""
    if not all(key in sample for sample in samples):
        return None
    return [sample.get(key).data[0].long().cpu().numpy() for sample in samples]


def _foreground_classes(mask: np.ndarray) -> list[int]:
    """Classes in a mask but the background, the largest first."""
    classes, sizes = np.unique(mask, return_counts=True)
    order = np.argsort(-sizes, kind='stable')
    return [int(c) for c in classes[order] if c not in (0, UNLABELLED)]
