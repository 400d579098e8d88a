"""Data loaders whose clips depend on where the training is alone."""

from __future__ import annotations

from mmengine.runner import Runner
from torch.utils.data import DataLoader

from mmavs.engine.run_seed import run_seed


def build_visiting_dataloader(
    runner: Runner, dataloader: dict, endless: bool
) -> DataLoader:
    """Build the data loader of a training.

    Args:
        runner: The runner.
        dataloader: Its config, as mmengine takes it.
        endless: Whether it goes over the data again and again.

    Returns:
        The data loader of the config, with a ``VisitDataset`` around its
        data set and a ``VisitBatchSampler`` around its batch sampler.

    Raises:
        TypeError: If the data loader is built already.
    """
    if not isinstance(dataloader, dict):
        raise TypeError(
            'the training loops of mmavs build their data loader themselves '
            'and need its config, got a '
            f"{type(dataloader).__name__}; mmengine's loops take one"
        )
    config = dict(dataloader)
    sampler = config['sampler']
    visits = dict(
        type='VisitBatchSampler',
        endless=endless,
        batch_sampler=config.get('batch_sampler'),
        order_has_seed=not isinstance(sampler, dict) or 'seed' in sampler,
    )
    if visits['batch_sampler'] is None:
        visits['drop_last'] = config.pop('drop_last', False)
    config['batch_sampler'] = visits
    config['dataset'] = dict(type='VisitDataset', dataset=config['dataset'])
    return runner.build_dataloader(
        config,
        seed=runner.seed,
        diff_rank_seed=runner._randomness_cfg.get('diff_rank_seed', False),
    )


def begin_pass(
    runner: Runner, loader: DataLoader, first: int, start: int
) -> None:
    """Say where the next pass of a data loader begins.

    Args:
        runner: The runner, which has loaded what it goes on from.
        loader: Of :func:`build_visiting_dataloader`.
        first: Iteration of the first batch of the pass.
        start: Iteration to go on from.
    """
    loader.batch_sampler.begin(run_seed(runner), first, start)
