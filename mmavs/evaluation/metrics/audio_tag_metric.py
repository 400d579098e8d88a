"""How well an audio network names what sounds."""

from __future__ import annotations

from collections.abc import Sequence

from mmengine.evaluator import BaseMetric
from mmseg.registry import METRICS


@METRICS.register_module()
class AudioTagMetric(BaseMetric):
    """Share of clips whose most likely category is one of theirs.

    Result: ``accuracy``, 0 to 1. Arguments as in mmengine's BaseMetric.
    """

    def process(self, data_batch: dict, data_samples: Sequence[dict]) -> None:
        """Store one hit or miss per clip.

        Args:
            data_batch: not read.
            data_samples: with ``scores`` and ``tags``, (num_categories,).
        """
        for sample in data_samples:
            best = sample['scores'].argmax()
            self.results.append(bool(sample['tags'][best] > 0))

    def compute_metrics(self, results: list[bool]) -> dict[str, float]:
        """Average the hits of all clips."""
        return dict(accuracy=sum(results) / len(results))
