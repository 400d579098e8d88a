"""Batches of clips, each with the seed of this visit."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from typing import NamedTuple

from mmengine.dist import get_rank
from mmseg.registry import DATA_SAMPLERS
from torch.utils.data import BatchSampler, Sampler

from mmavs.random_streams import stream_seed


class Visit(NamedTuple):
    """One time that one clip is drawn.

    Attributes:
        index: Of the clip in the data set.
        seed: Of its augmentation this time.
    """

    index: int
    seed: int


@DATA_SAMPLERS.register_module()
class VisitBatchSampler(BatchSampler):
    """Adds to every clip of a batch sampler the seed of its augmentation.

    The seed is made of the seed of the run, the process, the iteration and
    the place in the batch. Which worker loads the clip, how many there are
    and where the run was resumed has no part in it.

    A run that goes on somewhere begins there: what comes before is drawn,
    for the order depends on it, but not loaded.

    Args:
        sampler: Of the data loader.
        batch_size: Clips in a batch.
        batch_sampler: What makes the batches, or its config. Defaults to
            torch's ``BatchSampler``.
        drop_last: Leave out batches that are not full, without a
            ``batch_sampler``.
        endless: Go over the data again and again.
        order_has_seed: The sampler keeps a seed that is its own; otherwise
            it gets that of the run. It was made before a checkpoint could
            tell which seed its run had drawn.

    Attributes:
        batch_sampler: What makes the batches.
    """

    def __init__(
        self,
        sampler: Sampler,
        batch_size: int,
        batch_sampler: dict | BatchSampler | None = None,
        drop_last: bool = False,
        endless: bool = False,
        order_has_seed: bool = False,
    ) -> None:
        super().__init__(sampler, batch_size, drop_last)
        if batch_sampler is None:
            batch_sampler = BatchSampler(sampler, batch_size, drop_last)
        elif isinstance(batch_sampler, dict):
            batch_sampler = DATA_SAMPLERS.build(
                batch_sampler,
                default_args=dict(sampler=sampler, batch_size=batch_size),
            )
        self.batch_sampler = batch_sampler
        self.endless = endless
        self.order_has_seed = order_has_seed
        self.seed = self.first = self.start = 0

    def begin(self, seed: int, first: int = 0, start: int = 0) -> None:
        """Say where the next pass begins.

        Args:
            seed: Of the run.
            first: Iteration of the first batch of the pass.
            start: Iteration to go on from.
        """
        self.seed, self.first, self.start = seed, first, start
        if not self.order_has_seed and hasattr(self.sampler, 'seed'):
            self.sampler.seed = seed

    def __iter__(self) -> Iterator[list[Visit]]:
        rank = get_rank()
        batches = self._passes() if self.endless else self.batch_sampler
        for iteration, batch in enumerate(batches, self.first):
            if iteration >= self.start:
                yield [
                    Visit(
                        index,
                        stream_seed(self.seed, 'clip', rank, iteration, place),
                    )
                    for place, index in enumerate(batch)
                ]

    def _passes(self) -> Iterator[list[int]]:
        for epoch in count():
            if hasattr(self.sampler, 'set_epoch'):
                self.sampler.set_epoch(epoch)
            empty = True
            for batch in self.batch_sampler:
                yield batch
                empty = False
            if empty:
                raise ValueError(
                    f'{type(self.batch_sampler).__name__} gives no batch of '
                    f'{len(self.sampler)} clips: batch_size is '
                    f'{self.batch_size}'
                )

    def __len__(self) -> int:
        """Batches of one pass of this process."""
        return len(self.batch_sampler)
