"""Clips that cannot be read, and what a training does about them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from mmengine.dist import all_gather_object, is_main_process
from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmseg.registry import HOOKS

from mmavs.datasets.errors import DataError
from mmavs.datasets.visit_dataset import UNREADABLE, VisitDataset
from mmavs.engine.atomic_backend import write_atomically
from mmavs.engine.batch_clips import clip_samples

FOUND = 'unreadable_clips'
REPORT = 'unreadable_clips.json'


@HOOKS.register_module()
class UnreadableClipsHook(Hook):
    """Lets a training go on without some clips that cannot be read.

    By default a file that cannot be read ends a training with a
    ``DataError`` that names it. With ``max_clips`` the next clip of the data
    set that is as long takes its place, whoever loads it and whenever it is
    drawn. Each file is reported once, and the training ends where there are
    more. At the end ``unreadable_clips.json`` in the work directory has all
    of them. Validation and test replace nothing.

    Args:
        max_clips (int): How many files each process may find unreadable.
            Defaults to 0.

    Raises:
        ValueError: If ``max_clips`` is negative, or the training loop is not
            one of mmavs.
        DataError: If there are more.
    """

    priority = 'VERY_HIGH'

    def __init__(self, max_clips: int = 0) -> None:
        if max_clips < 0:
            raise ValueError(f'max_clips must be 0 or more, got {max_clips}')
        self.max_clips = max_clips
        self._found: dict[str, dict] = {}

    def before_train(self, runner: Runner) -> None:
        """Let the data set replace clips.

        Args:
            runner: The runner.
        """
        if not self.max_clips:
            return
        dataset = runner.train_dataloader.dataset
        if not isinstance(dataset, VisitDataset):
            raise ValueError(
                f'max_clips={self.max_clips} needs train_cfg.type '
                'ExactEpochBasedTrainLoop or ExactIterBasedTrainLoop, got '
                f'{type(runner.train_loop).__name__}'
            )
        # The workers have not been started yet.
        dataset.max_unreadable = self.max_clips
        if is_main_process():
            # A checkpoint has what the first process has found.
            self._found = dict(runner.message_hub.get_info(FOUND) or {})

    def before_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None
    ) -> None:
        """Note which clips of the batch stand in for others.

        Args:
            runner: The runner.
            batch_idx: Not used.
            data_batch: Of the iteration.
        """
        if not self.max_clips:
            return
        for sample in clip_samples(data_batch):
            for clip in sample.metainfo.get(UNREADABLE, ()):
                self._note(runner, clip)

    def after_train(self, runner: Runner) -> None:
        """Report what was replaced.

        Args:
            runner: The runner.
        """
        if not self.max_clips:
            return
        merged: dict[str, dict] = {}
        for found in all_gather_object(self._found):
            for reason, clip in found.items():
                times = merged.get(reason, dict(times=0))['times']
                merged[reason] = dict(clip, times=times + clip['times'])
        if not is_main_process():
            return
        runner.logger.info(f'files that could not be read: {len(merged)}')
        for reason, clip in merged.items():
            runner.logger.info(
                f'{reason} (clip {clip["video_id"]}, replaced '
                f'{clip["times"]} times)'
            )
        report = [dict(clip, reason=reason) for reason, clip in merged.items()]
        write_atomically(
            Path(runner.work_dir) / REPORT,
            (json.dumps(report, indent=2) + '\n').encode(),
        )

    def _note(self, runner: Runner, clip: dict) -> None:
        # The reason names the file: a sound that several clips are heard
        # with counts once.
        reason = clip['reason']
        if reason not in self._found:
            if len(self._found) >= self.max_clips:
                raise DataError(
                    f'more than {self.max_clips} files cannot be read '
                    '(default_hooks.unreadable_clips.max_clips): '
                    f'{"; ".join([*self._found, reason])}'
                )
            runner.logger.warning(
                f'clip {clip["video_id"]!r} is replaced by the next one: '
                f'{reason}'
            )
        times = self._found.get(reason, dict(times=0))['times']
        self._found[reason] = dict(video_id=clip['video_id'], times=times + 1)
        if is_main_process():
            runner.message_hub.update_info(FOUND, dict(self._found))
