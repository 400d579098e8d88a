"""Training in iterations that can be resumed exactly."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from mmengine.runner import IterBasedTrainLoop, Runner
from mmseg.registry import LOOPS
from torch.utils.data import DataLoader

from mmavs.engine.loops.visiting_dataloader import (
    begin_pass,
    build_visiting_dataloader,
)
from mmavs.engine.skipped_batch import SkippedBatchError, after_skipped_batch


class _NothingYet:
    """Stands in for the data loader while mmengine builds the loop.

    mmengine lets the loader begin there, before anyone knows where a
    resumed run goes on.
    """

    def __init__(self, loader: DataLoader) -> None:
        self.dataset = loader.dataset

    def __iter__(self) -> Iterator:
        return iter(())


@LOOPS.register_module()
class ExactIterBasedTrainLoop(IterBasedTrainLoop):
    """mmengine's loop, with data that depend on the iteration alone.

    Which clips are in a batch and how they are augmented follows from the
    seed of the run, the process and the iteration. A resumed run loads
    nothing of what comes before, where mmengine's loads every batch that it
    was trained on. The data are gone over again and again by the same
    workers, whatever the sampler.

    Args:
        runner: The runner.
        dataloader: Config of the data loader.
        **kwargs: As in mmengine's ``IterBasedTrainLoop``.
    """

    def __init__(self, runner: Runner, dataloader: dict, **kwargs) -> None:
        loader = build_visiting_dataloader(runner, dataloader, endless=True)
        super().__init__(runner, _NothingYet(loader), **kwargs)
        self.dataloader = loader
        self.dataloader_iterator = self._batches()

    def _batches(self) -> Iterator[Any]:
        # mmengine advances a resumed run batch by batch to where it is.
        for _ in range(self._iter):
            yield None
        begin_pass(
            self.runner,
            self.dataloader,
            first=0,
            start=self._iter,
        )
        yield from self.dataloader

    def run_iter(self, data_batch: dict) -> None:
        """Do one iteration; a batch may be skipped in it.

        Args:
            data_batch: From the data loader.
        """
        try:
            super().run_iter(data_batch)
        except SkippedBatchError:
            after_skipped_batch(self.runner, self._iter, data_batch)
            self._iter += 1
