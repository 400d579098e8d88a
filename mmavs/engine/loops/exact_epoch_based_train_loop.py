"""Training in epochs that can be resumed exactly."""

from __future__ import annotations

import logging

from mmengine.logging import print_log
from mmengine.runner import EpochBasedTrainLoop, Runner
from mmseg.registry import LOOPS

from mmavs.engine.loops.visiting_dataloader import (
    begin_pass,
    build_visiting_dataloader,
)
from mmavs.engine.skipped_batch import SkippedBatchError, after_skipped_batch


@LOOPS.register_module()
class ExactEpochBasedTrainLoop(EpochBasedTrainLoop):
    """mmengine's loop, with data that depend on the iteration alone.

    Which clips are in a batch and how they are augmented follows from the
    seed of the run, the process and the iteration. A run resumed in the
    middle of an epoch does the rest of it.

    Args:
        runner: The runner.
        dataloader: Config of the data loader.
        **kwargs: As in mmengine's ``EpochBasedTrainLoop``.
    """

    def __init__(self, runner: Runner, dataloader: dict, **kwargs) -> None:
        loader = build_visiting_dataloader(runner, dataloader, endless=False)
        super().__init__(runner, loader, **kwargs)

    def run_epoch(self) -> None:
        """Do one epoch, or the rest of it."""
        done = self._iter - self._epoch * len(self.dataloader)
        if not 0 <= done <= len(self.dataloader):
            # Of a run with another number of processes or clips.
            print_log(
                f'iteration {self._iter} is not in epoch {self._epoch + 1} '
                f'of {len(self.dataloader)} batches, as this run counts '
                'them: the epoch begins anew',
                logger='current',
                level=logging.WARNING,
            )
            done = 0
        begin_pass(
            self.runner,
            self.dataloader,
            first=self._iter - done,
            start=self._iter,
        )
        self.runner.call_hook('before_train_epoch')
        self.runner.model.train()
        for idx, data_batch in enumerate(self.dataloader, done):
            self.run_iter(idx, data_batch)
        self.runner.call_hook('after_train_epoch')
        self._epoch += 1

    def run_iter(self, idx: int, data_batch: dict) -> None:
        """Do one iteration; a batch may be skipped in it.

        Args:
            idx: Number of the batch in its epoch.
            data_batch: From the data loader.
        """
        try:
            super().run_iter(idx, data_batch)
        except SkippedBatchError:
            after_skipped_batch(self.runner, idx, data_batch)
            self._iter += 1
