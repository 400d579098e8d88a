"""Pack the sound of a clip with the names of what sounds."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from mmcv.transforms import BaseTransform
from mmengine.structures import BaseDataElement
from mmseg.registry import TRANSFORMS


@TRANSFORMS.register_module()
class PackAudioTags(BaseTransform):
    """Pack log-mel patches and a multi-hot vector of categories.

    Required keys: ``log_mel`` and ``categories``, or ``category`` for a
    single one.

    Args:
        categories: names of all categories, in the order of the classifier.

    Shapes:
        - inputs: (T, 1, 96, 64) float32.
        - data_samples.tags: (num_categories,) float32 of 0 and 1.

    Raises:
        ValueError: for a category that is not in the list.
    """

    def __init__(self, categories: Sequence[str]) -> None:
        self.categories = tuple(categories)

    def transform(self, results: dict) -> dict:
        """Pack the results of one clip."""
        tags = torch.zeros(len(self.categories))
        for name in results.get('categories') or [results['category']]:
            if name not in self.categories:
                raise ValueError(
                    f'clip {results.get("video_id", "?")!r} has category '
                    f'{name!r}, not one of {self.categories}'
                )
            tags[self.categories.index(name)] = 1
        return dict(
            inputs=torch.from_numpy(results['log_mel']),
            data_samples=BaseDataElement(
                metainfo=dict(video_id=results.get('video_id')), tags=tags
            ),
        )

    def __repr__(self) -> str:
        return f'{self.__class__.__name__}(categories={self.categories})'
