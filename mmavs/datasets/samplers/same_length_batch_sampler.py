"""Batches of clips that are equally long."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from functools import cached_property

import torch
from mmengine.dataset import DefaultSampler, InfiniteSampler
from mmseg.registry import DATA_SAMPLERS
from torch.utils.data import BatchSampler, Sampler


@DATA_SAMPLERS.register_module()
class SameLengthBatchSampler(BatchSampler):
    """Puts clips with the same number of frames into a batch.

    Clips of 5 and of 10 frames then train in one run without padding: no
    fusion, loss or metric has to know frames that do not exist, and no
    computation is spent on them.

    - A sampler that shuffles gives batches of random clips in random order,
      the last of each length possibly smaller. In a distributed run every
      process gets as many batches as the others; some batches are repeated
      where their number is not divisible.
    - ``InfiniteSampler`` gives full batches only: what is left of a pass
      waits for the next.
    - A sampler that does not shuffle keeps its order, as the evaluation
      needs it, and a batch ends where the length changes. The AVSBench data
      sets list clips with fewer frames first.

    Args:
        sampler: mmengine's ``DefaultSampler`` or ``InfiniteSampler``. The
            order of any other would be lost where batches are shuffled.
        batch_size: clips in a batch.
        drop_last: leave out batches that are not full.

    Raises:
        ValueError: if ``batch_size`` is less than 1.
        TypeError: if the sampler is another one, or has an order of its own,
            or the data set does not tell ``num_frames`` of a clip.
    """

    sampler: DefaultSampler | InfiniteSampler

    def __init__(
        self, sampler: Sampler, batch_size: int, drop_last: bool = False
    ) -> None:
        super().__init__(sampler, batch_size, drop_last)
        # Shuffled batches are drawn here, with what DefaultSampler draws
        # with; a subclass that only adds to it does no harm.
        keeps_order = type(sampler).__iter__ is DefaultSampler.__iter__
        if not (keeps_order or isinstance(sampler, InfiniteSampler)):
            raise TypeError(
                'SameLengthBatchSampler needs a DefaultSampler, with the '
                'order that is its own, or an InfiniteSampler, got '
                f'{type(sampler).__name__}'
            )

    @cached_property
    def lengths(self) -> list[int]:
        """Number of frames of each clip of the data set."""
        dataset = self.sampler.dataset
        try:
            return [
                dataset.get_data_info(i)['num_frames']
                for i in range(len(dataset))
            ]
        except (AttributeError, KeyError, TypeError) as error:
            raise TypeError(
                'SameLengthBatchSampler needs a data set whose '
                'get_data_info() has num_frames, got '
                f'{type(dataset).__name__}'
            ) from error

    def __iter__(self) -> Iterator[list[int]]:
        if isinstance(self.sampler, InfiniteSampler):
            return self._full_batches()
        if self.sampler.shuffle:
            return iter(self._shuffled_batches())
        return self._consecutive_batches()

    def __len__(self) -> int:
        """Batches of one pass of this process."""
        return self._num_batches

    @cached_property
    def _num_batches(self) -> int:
        # The same in every epoch. mmengine asks once or twice an iteration.
        if isinstance(self.sampler, InfiniteSampler):
            return len(self.sampler) // self.batch_size
        if not self.sampler.shuffle:
            return sum(1 for _ in self._consecutive_batches())
        spare = 0 if self.drop_last else self.batch_size - 1
        total = sum(
            (count + spare) // self.batch_size
            for count in Counter(self.lengths).values()
        )
        return -(-total // self.sampler.world_size)

    def _full_batches(self) -> Iterator[list[int]]:
        waiting: dict[int, list[int]] = defaultdict(list)
        for index in self.sampler:
            batch = waiting[self.lengths[index]]
            batch.append(index)
            if len(batch) == self.batch_size:
                yield waiting.pop(self.lengths[index])

    def _shuffled_batches(self) -> list[list[int]]:
        """Batches of this process; all processes draw the same plan."""
        sampler = self.sampler
        generator = torch.Generator()
        generator.manual_seed(sampler.seed + sampler.epoch)
        by_length: dict[int, list[int]] = defaultdict(list)
        clips = torch.randperm(len(self.lengths), generator=generator)
        for i in clips.tolist():
            by_length[self.lengths[i]].append(i)
        batches = [
            indices[start : start + self.batch_size]
            for _, indices in sorted(by_length.items())
            for start in range(0, len(indices), self.batch_size)
        ]
        if self.drop_last:
            batches = [b for b in batches if len(b) == self.batch_size]
        order = torch.randperm(len(batches), generator=generator).tolist()
        # Repeated until every process has as many.
        missing = -len(order) % sampler.world_size
        order += (order * missing)[:missing]
        return [batches[i] for i in order[sampler.rank :: sampler.world_size]]

    def _consecutive_batches(self) -> Iterator[list[int]]:
        batch: list[int] = []
        for index in self.sampler:
            if batch and (
                len(batch) == self.batch_size
                or self.lengths[index] != self.lengths[batch[0]]
            ):
                yield from self._kept(batch)
                batch = []
            batch.append(index)
        yield from self._kept(batch)

    def _kept(self, batch: list[int]) -> Iterator[list[int]]:
        if batch and not (self.drop_last and len(batch) < self.batch_size):
            yield batch
