"""Losses and gradients that are numbers, or no step at all."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

import torch
from mmengine.dist import all_gather_object, all_reduce, is_main_process
from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmseg.registry import HOOKS
from torch import Tensor

from mmavs.engine.atomic_backend import write_atomically
from mmavs.engine.batch_clips import clip_names, not_finite_inputs
from mmavs.engine.loops import (
    ExactEpochBasedTrainLoop,
    ExactIterBasedTrainLoop,
)
from mmavs.engine.skipped_batch import SkippedBatchError
from mmavs.engine.unwrapped_model import unwrapped_model

SKIPPED = 'skipped_batches'
REPORT = 'skipped_batches.json'
_MAX_NAMED = 5


class NotFiniteError(FloatingPointError):
    """A loss or a gradient is NaN or infinite."""


@HOOKS.register_module()
class FiniteLossHook(Hook):
    """Stops a training before NaN or infinity gets into its weights.

    The loss is looked at before the gradients are computed, the gradients
    before the optimiser changes anything. The error names the terms of the
    loss, the clips of the batch and the iteration, and tells clips whose
    inputs are not finite. In a distributed training all processes look at
    what any of them has, and stop together.

    With ``max_skipped`` such a batch is left out instead: weights, optimiser
    and the statistics of batch norms are as if it had never been there. The
    iteration counts, so that schedules end where they should. What was left
    out is in the log and, at the end, in ``skipped_batches.json`` in the
    work directory.

    Under loss scaling (``AmpOptimWrapper``) gradients are left to the
    scaler, which skips steps and lowers its scale by design.

    Args:
        max_skipped (int): How many batches of a training may be left out,
            resumed parts included. Defaults to 0.

    Raises:
        ValueError: If ``max_skipped`` is negative, or the training loop
            cannot skip a batch.
        NotFiniteError: If a loss or a gradient is not finite, and no more
            batches may be left out.
    """

    priority = 'VERY_HIGH'

    def __init__(self, max_skipped: int = 0) -> None:
        if max_skipped < 0:
            raise ValueError(
                f'max_skipped must be 0 or more, got {max_skipped}'
            )
        self.max_skipped = max_skipped
        self._batch: Any = None
        self._buffers: list[Tensor] = []

    def before_train(self, runner: Runner) -> None:
        """Look at every loss and every gradient from now on.

        Args:
            runner: The runner.
        """
        loops = (ExactEpochBasedTrainLoop, ExactIterBasedTrainLoop)
        if self.max_skipped and not isinstance(runner.train_loop, loops):
            raise ValueError(
                f'max_skipped={self.max_skipped} needs train_cfg.type '
                f'{" or ".join(loop.__name__ for loop in loops)}, got '
                f'{type(runner.train_loop).__name__}'
            )
        model = unwrapped_model(runner)
        # DDP computes the losses itself, but parses them here.
        model.parse_losses = partial(
            self._parse_losses, runner, model.parse_losses
        )
        wrapper = runner.optim_wrapper
        if hasattr(wrapper, 'optimizer') and not hasattr(
            wrapper, 'loss_scaler'
        ):
            self._handle = wrapper.optimizer.register_step_pre_hook(
                lambda *_: self._check_gradients(runner)
            )

    def before_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None
    ) -> None:
        """Keep what tells of the batch, and what it may change.

        Args:
            runner: The runner.
            batch_idx: Not used.
            data_batch: Of the iteration.
        """
        self._batch = data_batch
        if self.max_skipped:
            self._buffers = [
                b.clone() for b in unwrapped_model(runner).buffers()
            ]

    def after_train(self, runner: Runner) -> None:
        """Report what was left out.

        Args:
            runner: The runner.
        """
        del unwrapped_model(runner).parse_losses
        if hasattr(self, '_handle'):
            self._handle.remove()
        skipped = runner.message_hub.get_info(SKIPPED) or []
        if is_main_process() and (skipped or self.max_skipped):
            runner.logger.info(
                f'batches left out: {len(skipped)}, at most {self.max_skipped}'
            )
            for report in skipped:
                runner.logger.info(_describe(report))
            write_atomically(
                Path(runner.work_dir) / REPORT,
                (json.dumps(skipped, indent=2) + '\n').encode(),
            )

    def _parse_losses(self, runner: Runner, parse: Any, losses: dict) -> tuple:
        loss, terms = parse(losses)
        # Any term that is not finite makes the sum so.
        if self._is_finite_anywhere(loss):
            return loss, terms
        found = {
            name: str(float(value))
            for name, value in terms.items()
            if 'loss' in name
            and name != 'loss'
            and not torch.isfinite(value).all()
        }
        self._refuse(runner, found, is_counted=False)

    @staticmethod
    def _is_finite_anywhere(loss: Any) -> bool:
        loss = torch.as_tensor(loss).detach()
        flag = (~torch.isfinite(loss).all()).float().reshape(1)
        all_reduce(flag, 'max')
        return not flag.item()

    def _check_gradients(self, runner: Runner) -> None:
        # The same in all processes: they have been averaged.
        named = [
            (name, parameter.grad)
            for name, parameter in unwrapped_model(runner).named_parameters()
            if parameter.grad is not None
        ]
        norm = torch.nn.utils.get_total_norm([grad for _, grad in named])
        if torch.isfinite(norm):
            return
        found = {
            f'gradient of {name}': 'not finite'
            for name, grad in named
            if not torch.isfinite(grad).all()
        }
        kept = dict(list(found.items())[:_MAX_NAMED])
        if len(found) > len(kept):
            kept['gradients of others'] = f'{len(found) - len(kept)}'
        if not found:
            kept['norm of the gradients'] = str(float(norm))
        self._refuse(runner, kept, is_counted=True)

    def _refuse(self, runner: Runner, terms: dict, is_counted: bool) -> None:
        """End the iteration: skip the batch or stop the training.

        All processes get here together.

        Args:
            runner: The runner.
            terms: What is not finite in this process, possibly nothing.
            is_counted: Whether the optimizer wrapper has counted the batch.
        """
        own = dict(
            process=runner.rank,
            terms=terms,
            clips=clip_names(self._batch),
            not_finite_inputs=not_finite_inputs(self._batch),
        )
        report = dict(
            iteration=runner.iter + 1,
            processes=[
                part for part in all_gather_object(own) if part['terms']
            ],
        )
        skipped = [*(runner.message_hub.get_info(SKIPPED) or []), report]
        if len(skipped) > self.max_skipped:
            last = runner.message_hub.get_info('last_ckpt')
            raise NotFiniteError(
                f'{_describe(report)}. The weights are those before this '
                f'iteration. The last checkpoint is {last}. '
                f'{len(skipped) - 1} batches were left out before; to leave '
                'out such batches, at most N in a training: '
                'default_hooks.finite_loss.max_skipped=N'
            )
        runner.message_hub.update_info(SKIPPED, skipped)
        runner.logger.warning(f'batch left out: {_describe(report)}')
        self._take_back(runner, is_counted)
        raise SkippedBatchError

    @torch.no_grad()
    def _take_back(self, runner: Runner, is_counted: bool) -> None:
        for buffer, kept in zip(
            unwrapped_model(runner).buffers(), self._buffers, strict=True
        ):
            buffer.copy_(kept)
        wrapper = runner.optim_wrapper
        # Also what earlier batches of an accumulation have added: in a
        # distributed training the processes have not exchanged it yet.
        wrapper.zero_grad()
        if not is_counted and hasattr(wrapper, '_inner_count'):
            wrapper._inner_count += 1


def _describe(report: dict) -> str:
    """One sentence about a batch, without a full stop."""
    parts = []
    for part in report['processes']:
        terms = ', '.join(f'{k} is {v}' for k, v in part['terms'].items())
        text = f'{terms} (process {part["process"]}, clips {part["clips"]}'
        for clip, kinds in part['not_finite_inputs'].items():
            text += f'; {clip!r} has values that are not finite in {kinds}'
        parts.append(text + ')')
    return f'iteration {report["iteration"]}: {"; ".join(parts)}'
