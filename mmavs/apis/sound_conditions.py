"""The scores of a model when it is given other sounds."""

from __future__ import annotations

import copy
from collections.abc import Sequence

from mmengine.config import Config
from mmengine.runner import Runner

from mmavs.datasets.transforms import with_sound_condition
from mmavs.datasets.transforms.sound_condition import PAIRED_CONDITIONS


def evaluate_sound_conditions(
    config: Config,
    checkpoint: str,
    conditions: Sequence[str] = ('matched', 'twin', 'swapped', 'silence'),
) -> dict[str, dict[str, float]]:
    """Test a checkpoint once per sound condition.

    Frames and masks stay those of the clip: every score is against the mask
    of the matched sound, so a model that listens falls when it is given
    another sound.

    Args:
        config: a config with a test set and a ``work_dir``; ``twin`` and
            ``swapped`` need the ``pairs_file`` of the set.
        checkpoint: path of the checkpoint.
        conditions: names in ``SOUND_CONDITIONS``.

    Returns:
        Condition to the metrics of ``test_evaluator``.

    Raises:
        ValueError: if a condition is unknown, or needs pairs that the test
            set does not have.
    """
    paired = [name for name in conditions if name in PAIRED_CONDITIONS]
    if paired and not config.test_dataloader.dataset.get('pairs_file'):
        raise ValueError(
            f'the conditions {paired} need a test set with a pairs_file '
            '(test_dataloader.dataset.pairs_file), which the synthetic sets '
            "have; without one, choose among 'matched', 'silence' and 'noise'"
        )
    config = copy.deepcopy(config)
    config.load_from = checkpoint
    config.resume = False
    loaders = {
        condition: _with_condition(config.test_dataloader, condition)
        for condition in conditions
    }
    runner = Runner.from_cfg(config)
    scores = {}
    for condition, loader in loaders.items():
        runner.test_loop.dataloader = runner.build_dataloader(loader)
        scores[condition] = runner.test()
    return scores


def _with_condition(dataloader: dict, condition: str) -> dict:
    dataloader = copy.deepcopy(dataloader)
    dataloader.dataset.pipeline = with_sound_condition(
        dataloader.dataset.pipeline, condition
    )
    return dataloader
