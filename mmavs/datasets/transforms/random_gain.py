"""Clips at other levels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from mmcv.transforms.utils import cache_randomness
from mmseg.registry import TRANSFORMS

from mmavs.datasets.transforms.audio_augmentation import (
    AudioAugmentation,
    check_range,
)


def apply_gain(waveform: np.ndarray, gain_db: float) -> np.ndarray:
    """Make a sound louder or softer.

    What gets louder than full scale is not clipped: the front end takes any
    level, and clipping would add harmonics that nothing in the clip makes.

    Args:
        waveform: Samples.
        gain_db: The gain; 20 dB are a factor of 10.

    Shapes:
        - waveform, return: (S,) float32.

    Returns:
        np.ndarray: The samples at the other level.
    """
    return waveform * np.float32(10 ** (gain_db / 20))


@TRANSFORMS.register_module()
class RandomGain(AudioAugmentation):
    """Play a clip at another level.

    Between ``LoadAudio`` and ``VGGishLogMel``. Keys as in
    :class:`AudioAugmentation`.

    Args:
        gain_db (Sequence[float]): The smallest and the largest gain; each
            in between is as likely. Defaults to (-6, 6), from half to twice
            the amplitude.
        prob (float): How likely a clip is changed. Defaults to 0.5.

    Raises:
        ValueError: If a value is out of range, or the clip has no waveform.
    """

    def __init__(
        self, gain_db: Sequence[float] = (-6.0, 6.0), prob: float = 0.5
    ) -> None:
        super().__init__(prob)
        self.gain_db = check_range('gain_db', gain_db)

    @cache_randomness
    def _draw(self, results: dict) -> float | None:
        return np.random.uniform(*self.gain_db) if self._is_chosen() else None

    def _augment(self, results: dict, drawn: float) -> np.ndarray:
        return apply_gain(results['waveform'], drawn)

    def __repr__(self) -> str:
        return (
            f'{self.__class__.__name__}(gain_db={self.gain_db}, '
            f'prob={self.prob})'
        )
