"""Mixtures of clips, to learn what sounds in them."""

from __future__ import annotations

import numpy as np
from mmcv.transforms import BaseTransform
from mmseg.registry import TRANSFORMS


@TRANSFORMS.register_module()
class MixAudio(BaseTransform):
    """Add the sound of other clips, at random levels.

    For mmseg's ``MultiImageMixDataset``, which supplies the other clips in
    ``mix_results``. The categories of all of them are kept.

    Required keys: ``waveform``, ``category``, ``mix_results``.
    Changed key: ``waveform``. Added key: ``categories``.

    Args:
        max_sources: the largest number of clips in a mixture; every number
            from one on is as likely.
        gain_db: levels are drawn from [-gain_db, gain_db].
    """

    def __init__(self, max_sources: int = 2, gain_db: float = 6.0) -> None:
        if max_sources < 1:
            raise ValueError(
                f'max_sources must be at least 1, got {max_sources}'
            )
        self.max_sources = max_sources
        self.gain_db = gain_db

    def get_indices(self, dataset) -> list[int]:
        """Draw the other clips of the mixture."""
        count = np.random.randint(self.max_sources)
        return list(np.random.randint(len(dataset), size=count))

    def transform(self, results: dict) -> dict:
        """Mix the clip with those of ``mix_results``."""
        sources = [results, *results['mix_results']]
        length = min(len(source['waveform']) for source in sources)
        gains = 10 ** (
            np.random.uniform(-self.gain_db, self.gain_db, len(sources)) / 20
        )
        results['waveform'] = sum(
            np.float32(gain) * source['waveform'][:length]
            for gain, source in zip(gains, sources, strict=True)
        )
        results['categories'] = sorted({s['category'] for s in sources})
        return results

    def __repr__(self) -> str:
        return (
            f'{self.__class__.__name__}(max_sources={self.max_sources}, '
            f'gain_db={self.gain_db})'
        )
