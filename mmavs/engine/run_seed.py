"""The seed of a run, the same in all of its processes."""

from mmengine.runner import Runner


def run_seed(runner: Runner) -> int:
    """Seed of a run, without what ``diff_rank_seed`` adds to it.

    A run without a seed in its config has drawn one, which a checkpoint
    keeps and a resumed run has again once it is loaded.

    Args:
        runner: The runner.
    """
    seed = runner.seed
    if runner._randomness_cfg.get('diff_rank_seed'):
        seed -= runner.rank
    return seed
