"""A data set whose clips look as the seed of the visit says."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from mmengine.dataset import BaseDataset
from mmseg.registry import DATASETS

from mmavs.datasets.errors import DataError
from mmavs.datasets.samplers.visit_batch_sampler import Visit
from mmavs.datasets.transforms.random_state import RandomState
from mmavs.random_streams import seed_generators

# Metainfo of a sample that stands in for unreadable clips.
UNREADABLE = 'unreadable'
# Where an object lay in the memory of a process: by its reason a file is
# known again.
ADDRESS = re.compile(' at 0x[0-9a-f]+')


@DATASETS.register_module()
class VisitDataset:
    """Seeds the generators before a clip is loaded, then puts them back.

    It is the outermost wrapper of a training's data set, so whatever the
    wrappers inside draw (which clips to mix, which sound to put in) comes
    from the same seed. All else it leaves to the data set inside. A
    transform with a private generator escapes it; mmcv and MMSegmentation
    have none but the wrapper of Albumentations.

    It can also put another clip in the place of one that cannot be read:
    the next one in the data set that is as long. What was replaced, and
    why, is in the sample's metainfo ``unreadable``, a list of dicts with
    ``video_id`` and ``reason``.

    Args:
        dataset (BaseDataset | dict): What is wrapped, or its config.
        max_unreadable (int): How many clips one after the other are
            replaced by the next one; with 0 the first is an error. Defaults
            to 0.

    Raises:
        DataError: If a clip, and as many after it, cannot be read.
    """

    def __init__(
        self, dataset: BaseDataset | dict, max_unreadable: int = 0
    ) -> None:
        if isinstance(dataset, dict):
            dataset = DATASETS.build(dataset)
        self.dataset = dataset
        self.max_unreadable = max_unreadable

    def __getattr__(self, name: str) -> Any:
        # Only asked for what is not here. Unpickling asks before there is a
        # data set.
        if name == 'dataset' or name.startswith('__'):
            raise AttributeError(name)
        return getattr(self.dataset, name)

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, visit: Visit | int) -> dict:
        if not isinstance(visit, Visit):
            return self._load(visit)
        state = RandomState.capture()
        seed_generators(visit.seed)
        try:
            return self._load(visit.index)
        finally:
            state.restore()

    def _load(self, index: int) -> dict:
        if not self.max_unreadable:
            return self.dataset[index]
        unreadable = []
        for candidate in self._candidates(index):
            try:
                sample = self.dataset[candidate]
            except DataError as error:
                unreadable.append(
                    dict(
                        video_id=self._video_id(candidate),
                        reason=ADDRESS.sub('', str(error)),
                    )
                )
                if len(unreadable) > self.max_unreadable:
                    raise
                last = error
            else:
                if unreadable:
                    sample['data_samples'].set_metainfo(
                        {UNREADABLE: unreadable}
                    )
                return sample
        raise DataError(
            f'no clip can take the place of {unreadable[0]["video_id"]!r}: '
            f'{unreadable[0]["reason"]}'
        ) from last

    def _candidates(self, index: int) -> Iterator[int]:
        """The clip and those after it that fit into its batch."""
        yield index
        length = self._info(index).get('num_frames')
        for step in range(1, len(self)):
            candidate = (index + step) % len(self)
            if self._info(candidate).get('num_frames') == length:
                yield candidate

    def _video_id(self, index: int) -> str:
        return str(self._info(index).get('video_id', index))

    def _info(self, index: int) -> dict:
        if not hasattr(self.dataset, 'get_data_info'):
            return {}
        return self.dataset.get_data_info(index)
