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

# What a checkpoint knows of the epoch in which it was written.
EPOCH = 'epoch_of_batches'


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

    @property
    def max_iters(self) -> int:
        """Iteration at which the training ends, as this run counts them.

        With another number of processes or clips an epoch has another number
        of iterations than those that are done.
        """
        if not hasattr(self, '_epoch'):
            return self._max_iters
        left = (self._max_epochs - self._epoch) * len(self.dataloader)
        return self._iter - self._done_in_epoch() + left

    def _done_in_epoch(self) -> int:
        """Iterations of the current epoch that a resumed run has done."""
        known = self.runner.message_hub.get_info(EPOCH) or {}
        if known.get('epoch') != self._epoch:
            return 0
        if known['num_batches'] != len(self.dataloader):
            return 0
        return self._iter - known['first']

    def run_epoch(self) -> None:
        """Do one epoch, or the rest of it."""
        hub = self.runner.message_hub
        known = hub.get_info(EPOCH) or {}
        done = self._done_in_epoch()
        if known.get('epoch') == self._epoch and (
            known['num_batches'] != len(self.dataloader)
        ):
            print_log(
                f'epoch {self._epoch + 1} was begun with '
                f'{known["num_batches"]} batches and has '
                f'{len(self.dataloader)} in this run, of another number of '
                'processes or clips: it begins anew',
                logger='current',
                level=logging.WARNING,
            )
        hub.update_info(
            EPOCH,
            dict(
                epoch=self._epoch,
                first=self._iter - done,
                num_batches=len(self.dataloader),
            ),
        )
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
