"""A training of a toy in each of two processes, for torchrun.

Arguments: work directory, how many batches may be skipped.
"""

import os
import sys
from pathlib import Path

import torch
from mmengine.hooks import Hook
from mmengine.registry import init_default_scope
from mmengine.runner import Runner
from toy_runs import toy_config

import mmavs  # noqa: F401 (registers the components)
from mmavs.engine.hooks.finite_loss_hook import NotFiniteError


class NoiseHook(Hook):
    """Draws what the model would draw first."""

    noise = None

    def before_train_iter(self, runner, *args, **kwargs):
        """Draw, and put the generator back."""
        state = torch.get_rng_state()
        self.noise = torch.randn(4)
        torch.set_rng_state(state)


class StartHook(Hook):
    """Notes where a training begins."""

    iteration = None

    def before_train(self, runner):
        """Note the iteration."""
        self.iteration = runner.iter


def main() -> None:
    """Train, and write what this process has at the end."""
    work, max_skipped = Path(sys.argv[1]), int(sys.argv[2])
    init_default_scope('mmseg')
    config = toy_config(
        launcher='pytorch',
        work_dir=str(work),
        **{
            'train_dataloader.dataset.pipeline': [
                dict(type='ToyLoad', nan=[5])
            ],
            'default_hooks.finite_loss.max_skipped': max_skipped,
        },
    )
    runner = Runner.from_cfg(config)
    noise = NoiseHook()
    runner.register_hook(noise)
    error = ''
    try:
        runner.train()
    except NotFiniteError as raised:
        error = str(raised)
    resumed_at = None
    if not error:
        # The last checkpoint is torn: both go on from the one before.
        torch.distributed.barrier()
        if runner.rank == 0:
            os.truncate(work / 'iter_6.pth', 100)
        torch.distributed.barrier()
        config.resume, config.experiment_name = True, 'resumed'
        again = Runner.from_cfg(config)
        iters = StartHook()
        again.register_hook(iters)
        again.train()
        resumed_at = iters.iteration
    torch.save(
        dict(
            resumed_at=resumed_at,
            weights={
                name: value.detach()
                for name, value in runner.model.module.named_parameters()
            },
            iter=runner.iter,
            error=error,
            noise=noise.noise,
        ),
        work / f'process{runner.rank}.pth',
    )


if __name__ == '__main__':
    main()
