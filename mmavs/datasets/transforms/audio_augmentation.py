"""What the augmentations of a clip's sound share."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from mmcv.transforms import BaseTransform


def check_range(name: str, values: Any) -> tuple[float, float]:
    """Return a range (lowest, highest) of finite numbers.

    Args:
        name: What the range is of, for the error message.
        values: Two numbers, the smaller one first; equal ones fix the value.

    Returns:
        tuple[float, float]: The two numbers.

    Raises:
        ValueError: If there are not two, or not in order, or not finite.
    """
    try:
        lowest, highest = (float(value) for value in values)
    except (TypeError, ValueError):
        lowest = highest = math.nan
    if not -math.inf < lowest <= highest < math.inf:
        raise ValueError(
            f'{name} must be (lowest, highest), two finite numbers, got '
            f'{values!r}'
        )
    return lowest, highest


class AudioAugmentation(BaseTransform):
    """Change the sound of a clip at random, one draw per clip.

    The draws come from NumPy's global generator, as those of mmcv's
    transforms do, so the seed of a run fixes them. A subclass says what it
    changes (``KEY``), draws in ``_draw``, decorated with mmcv's
    ``cache_randomness``, and applies the draw in ``_augment``.

    Required key: ``waveform``, or ``log_mel`` if that is ``KEY``.
    Changed key: the same. Added key: ``audio_augmented``, True also where
    the draw left the clip as it is: what is computed from such a clip is
    nothing to keep for the next epoch.

    Args:
        prob (float): How likely a clip is changed.

    Raises:
        ValueError: If ``prob`` is not in [0, 1], or the clip does not have
            the sound in the needed form.
    """

    KEY = 'waveform'

    def __init__(self, prob: float) -> None:
        if not 0 <= prob <= 1:
            raise ValueError(f'prob must be in [0, 1], got {prob!r}')
        self.prob = prob

    def transform(self, results: dict) -> dict:
        """Change ``results[KEY]``, or leave it.

        Args:
            results: Results of the clip.

        Returns:
            dict: The same results; the array in them is a new one.
        """
        self._check_sound(results)
        results['audio_augmented'] = True
        drawn = self._draw(results)
        if drawn is not None:
            results[self.KEY] = self._augment(results, drawn)
        return results

    def _check_sound(self, results: dict) -> None:
        clip = f'clip {results.get("video_id", "?")!r}'
        name = self.__class__.__name__
        if self.KEY == 'waveform' and 'log_mel' in results:
            raise ValueError(
                f'{clip} is a log-mel already and {name} changes the '
                'waveform: put it before VGGishLogMel, load the wav (source='
                "'wav' of LoadAudio), or leave it out and use SpecAugment, "
                'which changes log-mels'
            )
        if self.KEY not in results:
            place = 'LoadAudio' if self.KEY == 'waveform' else 'VGGishLogMel'
            raise ValueError(
                f'{clip} has no {self.KEY}: put {name} after {place}'
            )

    def _is_chosen(self) -> bool:
        """Draw whether the clip is changed at all."""
        return np.random.random_sample() < self.prob

    # Not abstractmethods: mmcv's decorator cannot be looked up in a class.
    def _draw(self, results: dict) -> Any:
        """Draw what happens to the clip; None for nothing."""
        raise NotImplementedError

    def _augment(self, results: dict, drawn: Any) -> np.ndarray:
        """Return the changed sound, in an array of its own."""
        raise NotImplementedError
