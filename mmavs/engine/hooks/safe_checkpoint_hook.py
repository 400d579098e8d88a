"""Checkpoints that a kill or a full disk cannot take away."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mmengine.dist import (
    all_gather_object,
    broadcast_object_list,
    is_main_process,
)
from mmengine.hooks import CheckpointHook
from mmengine.runner import EpochBasedTrainLoop, Runner
from mmseg.registry import HOOKS

from mmavs.engine.atomic_backend import BACKEND, write_atomically
from mmavs.engine.checkpoint_files import (
    NOTE,
    CheckpointError,
    describe_last_whole,
    find_whole_checkpoint,
    noted_checkpoint,
    remove_partial_files,
    what_is_wrong,
)

OUTDATED = 'outdated_ckpts'
# Not val...: mmengine logs what is called so.
VALIDATED = 'last_validated_iter'


class _RemovesLater:
    """A file backend that notes what it is to remove."""

    def __init__(self, backend: Any, outdated: list[str]) -> None:
        self._backend = backend
        self._outdated = outdated

    def __getattr__(self, name: str) -> Any:
        return getattr(self._backend, name)

    def remove(self, path: str) -> None:
        """Note a file; deepspeed's checkpoints are folders."""
        self._outdated.append(str(path))

    rmtree = remove


@HOOKS.register_module()
class SafeCheckpointHook(CheckpointHook):
    """mmengine's hook, with files that are whole or not there.

    - A checkpoint is written under another name, brought to the disk and
      renamed; so is ``last_checkpoint``. Files that a kill left half are
      removed at the next start.
    - What a new checkpoint replaces is removed once that is written, where
      mmengine removes it before.
    - On a full disk the training ends with an error that says what there is
      to go on from. Nothing that was whole before is lost.
    - A run that is to resume takes the last checkpoint that is whole.
    - A run that was killed between a checkpoint and the validation that
      belongs to it validates when it goes on. Its best checkpoint is that of
      the uninterrupted run.

    Args:
        **kwargs: As in mmengine's ``CheckpointHook``. The atomic writes are
            those of local files; another ``backend_args`` or an ``out_dir``
            elsewhere keeps its own.

    Raises:
        CheckpointError: If a checkpoint cannot be written, or those to go on
            from cannot be read. In a distributed training all processes
            raise it.
    """

    def __init__(self, *args, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        elsewhere = '://' in str(self.out_dir or '')
        if not (self.backend_args or self.file_client_args or elsewhere):
            self.backend_args = dict(backend=BACKEND)
        self._outdated: list[str] = []
        self._is_resumed = False

    def before_run(self, runner: Runner) -> None:
        """Choose what to go on from, before the runner loads it.

        Args:
            runner: The runner.
        """
        if not runner._resume:
            return
        found: list = [runner._load_from, None]
        if is_main_process():
            try:
                found[0] = self._choose(runner)
            except CheckpointError as error:
                found[1] = str(error)
        broadcast_object_list(found)
        if found[1] is not None:
            raise CheckpointError(found[1])
        runner._load_from = found[0]
        runner._resume = found[0] is not None

    def before_train(self, runner: Runner) -> None:
        """Clean up what a kill has left.

        Args:
            runner: The runner.
        """
        super().before_train(runner)
        self._is_resumed = runner.iter > 0
        if self._is_resumed:
            # Upstream saves nothing with a new best score before it has
            # saved something in this process.
            self.last_ckpt = runner.message_hub.get_info('last_ckpt')
        self._forget_other_folders()
        if not is_main_process():
            return
        if self.backend_args == dict(backend=BACKEND):
            for path in remove_partial_files([self.out_dir, runner.work_dir]):
                runner.logger.info(f'removed {path}, which a kill left')
        self._outdated = list(runner.message_hub.get_info(OUTDATED) or [])
        self._remove_outdated()

    def before_train_epoch(self, runner: Runner) -> None:
        """Validate, if the run was killed before it did.

        Args:
            runner: The runner.
        """
        self._validate_if_due(runner)

    def after_train(self, runner: Runner) -> None:
        """Validate, if all that was left of the run is its last validation.

        Args:
            runner: The runner.
        """
        self._validate_if_due(runner)
        super().after_train(runner)

    def _validate_if_due(self, runner: Runner) -> None:
        due = self._is_resumed and _validation_is_due(runner)
        self._is_resumed = False
        if due:
            runner.logger.info(
                'the checkpoint does not tell that it was validated, so it '
                'is now'
            )
            runner.val_loop.run()

    def after_val_epoch(self, runner: Runner, metrics: dict) -> None:
        """Save the best checkpoint, if this one is it.

        Args:
            runner: The runner.
            metrics: What was measured.
        """
        runner.message_hub.update_info(VALIDATED, runner.iter)
        super().after_val_epoch(runner, metrics)

    def _choose(self, runner: Runner) -> str | None:
        given = runner._load_from
        if given is None:
            noted = noted_checkpoint(runner.work_dir)
            if '://' in noted:
                return noted  # only its own store can tell
            found = find_whole_checkpoint(runner.work_dir)
            return None if found is None else str(found)
        if '://' not in str(given):
            problem = what_is_wrong(Path(given).expanduser())
            if problem is not None:
                raise CheckpointError(
                    f'{problem}. {describe_last_whole(Path(given).parent)}'
                )
        return str(given)

    def _forget_other_folders(self) -> None:
        """Never remove the best checkpoint of the run this one began as."""
        if getattr(self, 'best_ckpt_path', None) is not None:
            if not self._is_own(self.best_ckpt_path):
                self.best_ckpt_path = None
        for name, path in getattr(self, 'best_ckpt_path_dict', {}).items():
            if path is not None and not self._is_own(path):
                self.best_ckpt_path_dict[name] = None

    def _is_own(self, path: str) -> bool:
        return Path(path).parent == Path(self.out_dir)

    # Upstream's removes before it saves, and writes the note in place.
    def _save_checkpoint_with_step(
        self, runner: Runner, step: int, meta: dict
    ) -> None:
        if self.max_keep_ckpts > 0:
            self._note_step(step)
            runner.message_hub.update_info(
                'keep_ckpt_ids', list(self.keep_ckpt_ids)
            )
        name = self.filename_tmpl.format(step)
        self.last_ckpt = self.file_backend.join_path(self.out_dir, name)
        runner.message_hub.update_info('last_ckpt', self.last_ckpt)
        # A run that is killed right after it has saved finds here what it
        # did not come to remove.
        runner.message_hub.update_info(OUTDATED, list(self._outdated))
        with self._saving(runner, self.last_ckpt):
            runner.save_checkpoint(
                self.out_dir,
                name,
                self.file_client_args,
                save_optimizer=self.save_optimizer,
                save_param_scheduler=self.save_param_scheduler,
                meta=meta,
                by_epoch=self.by_epoch,
                backend_args=self.backend_args,
                **self.args,
            )
            if is_main_process():
                note = Path(runner.work_dir) / NOTE
                write_atomically(note, self.last_ckpt.encode())
        if not isinstance(self.file_backend, _RemovesLater):
            self._remove_outdated()

    def _note_step(self, step: int) -> None:
        """Add a step to those that are kept, and drop the oldest."""
        steps: deque[int] = self.keep_ckpt_ids
        if steps and steps[-1] == step:
            return  # once more, with a new best score
        if len(steps) == self.max_keep_ckpts:
            name = self.filename_tmpl.format(steps.popleft())
            path = self.file_backend.join_path(self.out_dir, name)
            self._outdated.append(path)
        steps.append(step)

    def _save_best_checkpoint(self, runner: Runner, metrics: dict) -> None:
        backend = self.file_backend
        self.file_backend = _RemovesLater(backend, self._outdated)
        try:
            with self._saving(runner, 'of the best weights'):
                super()._save_best_checkpoint(runner, metrics)
        finally:
            self.file_backend = backend
        self._remove_outdated()

    @contextmanager
    def _saving(self, runner: Runner, what: str) -> Iterator[None]:
        """All processes go on, or all end with the same error."""
        failure = None
        try:
            yield
        except OSError as error:
            failure = (
                f'the checkpoint {what} could not be written: '
                f'{error.strerror or error}. Its partial file is removed and '
                'nothing older is touched. '
                f'{describe_last_whole(runner.work_dir)} Make room on the '
                'disk, then go on with tools/train.py CONFIG --resume'
            )
        failures = [text for text in all_gather_object(failure) if text]
        if failures:
            raise CheckpointError(failures[0])

    def _remove_outdated(self) -> None:
        """Remove what newer checkpoints, all of them written, replace."""
        kept = {
            self.last_ckpt,
            getattr(self, 'best_ckpt_path', None),
            *getattr(self, 'best_ckpt_path_dict', {}).values(),
        }
        outdated, self._outdated = self._outdated, []
        if not is_main_process():
            return
        for path in outdated:
            if path in kept or not self._is_own(path):
                continue
            if self.file_backend.isfile(path):
                self.file_backend.remove(path)
            elif self.file_backend.isdir(path):
                self.file_backend.rmtree(path)


def _validation_is_due(runner: Runner) -> bool:
    """Whether a run stands where its loop would validate."""
    if runner.val_loop is None:
        return False
    if runner.message_hub.get_info(VALIDATED) == runner.iter:
        return False
    loop = runner.train_loop
    loop._decide_current_val_interval()
    if isinstance(loop, EpochBasedTrainLoop):
        if runner.iter != runner.epoch * len(loop.dataloader):
            return False
        done, end = runner.epoch, loop.max_epochs
    else:
        done, end = runner.iter, loop.max_iters
    return done >= loop.val_begin and (
        done % loop.val_interval == 0 or done == end
    )
