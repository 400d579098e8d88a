"""Noise that depends on the iteration alone."""

from __future__ import annotations

import logging

from mmengine.device import get_device
from mmengine.hooks import Hook
from mmengine.logging import print_log
from mmengine.runner import Runner
from mmseg.registry import HOOKS

from mmavs.engine.loops import (
    ExactEpochBasedTrainLoop,
    ExactIterBasedTrainLoop,
)
from mmavs.engine.run_seed import run_seed
from mmavs.random_streams import (
    seed_device_generator,
    seed_generators,
    stream_seed,
)


@HOOKS.register_module()
class IterationSeedHook(Hook):
    """Seeds every random generator before each iteration.

    The seed is made of that of the run, the process and the iteration, so a
    resumed run draws the noise that the uninterrupted one would have drawn,
    with no state of a generator in the checkpoint. The processes of a
    distributed training draw different noise. Before a validation the
    generators are seeded as well.

    With the training loops of mmavs, whose data depend on the iteration
    alone too, a resumed training ends with the weights of the uninterrupted
    one, bit for bit. With others a warning says that it does not.
    """

    # Before whatever draws in an iteration.
    priority = 'VERY_HIGH'

    def before_train(self, runner: Runner) -> None:
        """Warn where the data of a resumed run would be others.

        Args:
            runner: The runner.
        """
        loop = runner.train_loop
        exact = (ExactEpochBasedTrainLoop, ExactIterBasedTrainLoop)
        if not isinstance(loop, exact):
            print_log(
                'a training that is interrupted will not go on exactly as '
                'if it had not been: for that, train_cfg.type must be '
                f'{" or ".join(kind.__name__ for kind in exact)}, got '
                f'{type(loop).__name__}',
                logger='current',
                level=logging.WARNING,
            )

    def before_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: dict | None = None
    ) -> None:
        """Seed the generators for an iteration.

        Args:
            runner: The runner.
            batch_idx: Not used: it restarts with every epoch.
            data_batch: Not used.
        """
        self._seed(runner, 'train')

    def before_val_epoch(self, runner: Runner) -> None:
        """Seed the generators for a validation.

        Args:
            runner: The runner.
        """
        self._seed(runner, 'val')

    def _seed(self, runner: Runner, purpose: str) -> None:
        seed = stream_seed(run_seed(runner), purpose, runner.rank, runner.iter)
        seed_generators(seed)
        seed_device_generator(get_device(), seed)
