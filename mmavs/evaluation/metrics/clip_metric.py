"""What the metrics of clips share."""

from abc import abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from mmengine.evaluator import BaseMetric
from PIL import Image
from torch import Tensor

from mmavs.evaluation.clips import group_clips


class ClipMetric(BaseMetric):
    """Base of the metrics with one record per clip.

    MMEngine keeps as many records as the data set has samples, and a sample
    is a clip. Of each clip the labelled frames are scored: pixels labelled
    ``ignore_index`` are left out, a frame without another label is skipped.

    A subclass names the field it scores and implements :meth:`score_clip`,
    :meth:`mask_image` and ``compute_metrics``.

    Args:
        ignore_index (int): Label of pixels without a label. Defaults to
            255.
        output_dir (str, optional): Where to write the predicted masks, one
            PNG per frame, ``VIDEO_ID/NAME_OF_THE_FRAME.png``; what
            ``tools/test.py --out`` sets. Defaults to None.
        keep_results (bool): Accepted for ``tools/test.py --out``: the masks
            in ``output_dir`` are always kept.
        **kwargs: ``collect_device``, ``prefix`` and ``collect_dir`` of
            :class:`mmengine.evaluator.BaseMetric`.
    """

    PREDICTION: str

    def __init__(
        self,
        ignore_index: int = 255,
        output_dir: str | None = None,
        keep_results: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.ignore_index = ignore_index
        self.output_dir = output_dir

    @abstractmethod
    def score_clip(
        self, video_id: str, prediction: Tensor, target: Tensor
    ) -> Any:
        """Make the record of a clip.

        Args:
            video_id: The clip.
            prediction: Field ``PREDICTION`` of the labelled frames.
            target: Their masks.

        Shapes:
            - prediction, target: (M, H, W), M labelled frames
        """

    @abstractmethod
    def mask_image(self, prediction: Tensor) -> Image.Image:
        """Make the image to write of a predicted frame, (H, W)."""

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Measure the clips of one batch.

        Args:
            data_batch: Not used.
            data_samples: The N predicted samples, as dicts.

        Raises:
            ValueError: If a clip is incomplete, or a prediction has another
                size than its mask.
        """
        for clip in group_clips(data_samples):
            prediction, target = self._read(clip)
            labelled = (target != self.ignore_index).flatten(1).any(1)
            record = self.score_clip(
                clip[0]['video_id'], prediction[labelled], target[labelled]
            )
            self.results.append(record)
            if self.output_dir is not None:
                self._write_masks(clip, prediction, Path(self.output_dir))

    def _read(self, clip: Sequence[dict]) -> tuple[Tensor, Tensor]:
        """Predictions and masks of all T frames, (T, H, W) each."""
        video_id = clip[0]['video_id']
        for key in (self.PREDICTION, 'gt_sem_seg'):
            if any(key not in frame for frame in clip):
                raise ValueError(
                    f'{type(self).__name__} needs {key!r} in every frame of '
                    f'clip {video_id!r}'
                )
        prediction, target = (
            [frame[key]['data'] for frame in clip]
            for key in (self.PREDICTION, 'gt_sem_seg')
        )
        shapes = {tuple(x.shape) for x in prediction + target}
        if len(shapes) > 1 or any(shape[0] != 1 for shape in shapes):
            raise ValueError(
                f'clip {video_id!r}: {self.PREDICTION!r} and the mask of all '
                f'frames must be (1, H, W) in one size, got {sorted(shapes)}; '
                'a prediction has the size ori_shape of its sample'
            )
        prediction = torch.cat(prediction)
        return prediction, torch.cat(target).to(prediction.device)

    def _write_masks(
        self, clip: Sequence[dict], prediction: Tensor, output_dir: Path
    ) -> None:
        folder = output_dir / clip[0]['video_id']
        folder.mkdir(parents=True, exist_ok=True)
        for frame, mask in zip(clip, prediction, strict=True):
            name = Path(frame['img_path']).with_suffix('.png').name
            self.mask_image(mask).save(folder / name)
