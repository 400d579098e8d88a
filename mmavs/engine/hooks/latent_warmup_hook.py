"""Latent terms that come in slowly."""

from __future__ import annotations

from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmseg.registry import HOOKS

from mmavs.engine.unwrapped_model import unwrapped_model


@HOOKS.register_module()
class LatentWarmupHook(Hook):
    """Raises the weight of every latent term from a start to its full value.

    A divergence that is strong from the first iteration can switch a code
    off before the decoder learns to read it. The hook sets
    ``decode_head.latent_warmup``, the factor that a decode head with latents
    puts on its divergences and regularisers. It is read from the iteration
    of the run, so that a resumed run continues where it stopped.

    Args:
        num_iters: iterations until the full weight.
        start_factor: factor at the first iteration.

    Raises:
        ValueError: if ``num_iters`` is less than 1 or ``start_factor`` is
            outside [0, 1].

    Equation:
        factor = min(1, start + (1 - start) * iter / num_iters).
    """

    def __init__(self, num_iters: int, start_factor: float = 0.0) -> None:
        if num_iters < 1:
            raise ValueError(f'num_iters must be 1 or more, got {num_iters}')
        if not 0 <= start_factor <= 1:
            raise ValueError(
                f'start_factor must be in [0, 1], got {start_factor}'
            )
        self.num_iters = num_iters
        self.start_factor = start_factor

    def factor(self, iteration: int) -> float:
        """Factor on the latent terms at an iteration, counted from 0."""
        grown = (1 - self.start_factor) * iteration / self.num_iters
        return min(1.0, self.start_factor + grown)

    def before_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: dict | None = None
    ) -> None:
        """Set the factor of the decode head.

        Args:
            runner: the runner.
            batch_idx: not used: it restarts with every epoch.
            data_batch: not used.

        Raises:
            TypeError: if the decode head has no latent terms.
        """
        model = unwrapped_model(runner)
        head = getattr(model, 'decode_head', None)
        if not hasattr(head, 'latent_warmup'):
            raise TypeError(
                'LatentWarmupHook needs a decode head with latent_warmup, '
                'that is VAEDecodeHead or a subclass, but the decode head of '
                f'{type(model).__name__} is {type(head).__name__}; leave the '
                'hook out of custom_hooks'
            )
        head.latent_warmup = self.factor(runner.iter)
