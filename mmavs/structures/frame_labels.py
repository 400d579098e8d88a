"""The masks of a batch, read from the data samples exactly once."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class FrameLabels:
    """Labels of the labelled frames of a batch.

    Attributes:
        labels: class indices of the labelled frames; pixels with
            ``ignore_index`` carry no label.
        index: positions of the labelled frames among the N frames.
        ignore_index: the value that marks an unlabelled pixel.

    Shapes:
        - labels: (M, H, W) int64, M <= N labelled frames.
        - index: (M,) int64.
    """

    labels: Tensor
    index: Tensor
    ignore_index: int = 255

    @classmethod
    def from_samples(cls, data_samples, ignore_index: int = 255):
        """Read the masks of N frame samples.

        A frame without a single labelled pixel is unlabelled: in S4 that is
        every training frame but the first.

        Args:
            data_samples: N samples with ``gt_sem_seg`` of shape (1, H, W).
            ignore_index: the value that marks an unlabelled pixel.

        Raises:
            ValueError: if a sample has no ``gt_sem_seg``, or if no frame of
                the batch is labelled.
        """
        for sample in data_samples:
            if 'gt_sem_seg' not in sample:
                raise ValueError(
                    'training needs gt_sem_seg in every data sample; '
                    f'{sample.get("img_path", "a sample")} has none'
                )
        labels = torch.cat([s.gt_sem_seg.data for s in data_samples]).long()
        labelled = (labels != ignore_index).flatten(1).any(1)
        index = labelled.nonzero().squeeze(1)
        if index.numel() == 0:
            raise ValueError(
                f'none of the {len(labels)} frames of the batch is labelled: '
                f'every pixel is {ignore_index}; a training batch needs at '
                'least one mask'
            )
        return cls(labels[index], index, ignore_index)

    @property
    def foreground(self) -> Tensor:
        """The one-channel mask y that a posterior encoder sees.

        1 for every class but background; ignored pixels count as background,
        so that the ignore value never reaches an encoder.

        Shapes:
            - returns: (M, 1, H, W) float32 of 0 and 1.
        """
        known = self.labels != self.ignore_index
        return ((self.labels > 0) & known).float().unsqueeze(1)
