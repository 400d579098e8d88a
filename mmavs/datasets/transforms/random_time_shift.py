"""Clips whose sound comes a little earlier or later than their picture."""

from __future__ import annotations

import numpy as np
from mmcv.transforms.utils import cache_randomness
from mmseg.registry import TRANSFORMS

from mmavs.datasets.transforms.audio_augmentation import AudioAugmentation
from mmavs.functional.log_mel import (
    HOP_SAMPLES,
    PATCH_WINDOWS,
    SAMPLE_RATE_HZ,
)

# Half of the patch that belongs to a frame.
LARGEST_SHIFT_S = PATCH_WINDOWS * HOP_SAMPLES / SAMPLE_RATE_HZ / 2


def shift_sound(waveform: np.ndarray, shift_samples: int) -> np.ndarray:
    """Move a sound in time; the clip keeps its length.

    What is missing at one end is silence. Sound that leaves at the other end
    does not come back in: the last second's source would be heard in the
    first, where another one may be marked.

    Args:
        waveform: Samples.
        shift_samples: How much later each sample comes; earlier if
            negative.

    Shapes:
        - waveform, return: (S,).

    Returns:
        np.ndarray: The moved samples.
    """
    shifted = np.zeros_like(waveform)
    kept = max(len(waveform) - abs(shift_samples), 0)
    if shift_samples >= 0:
        shifted[len(waveform) - kept :] = waveform[:kept]
    else:
        shifted[:kept] = waveform[len(waveform) - kept :]
    return shifted


@TRANSFORMS.register_module()
class RandomTimeShift(AudioAugmentation):
    """Let the sound of a clip come earlier or later than its picture.

    Between ``LoadAudio`` and ``VGGishLogMel``. Keys as in
    :class:`AudioAugmentation`; also ``sample_rate_hz`` is required.

    Args:
        max_shift_s (float): The largest shift, to either side; each up to
            it is as likely. Less than 0.48, half of the sound of a frame:
            masks do not move with it. Defaults to 0.1.
        prob (float): How likely a clip is changed. Defaults to 0.5.

    Raises:
        ValueError: If a value is out of range, or the clip has no waveform.
    """

    def __init__(self, max_shift_s: float = 0.1, prob: float = 0.5) -> None:
        super().__init__(prob)
        if not 0 < max_shift_s < LARGEST_SHIFT_S:
            raise ValueError(
                f'max_shift_s must be above 0 and below {LARGEST_SHIFT_S}, '
                'half of the sound of a frame (beyond, a frame would mostly '
                f"have its neighbour's), got {max_shift_s!r}"
            )
        self.max_shift_s = max_shift_s

    @cache_randomness
    def _draw(self, results: dict) -> float | None:
        if not self._is_chosen():
            return None
        return np.random.uniform(-self.max_shift_s, self.max_shift_s)

    def _augment(self, results: dict, drawn: float) -> np.ndarray:
        return shift_sound(
            results['waveform'], round(drawn * results['sample_rate_hz'])
        )

    def __repr__(self) -> str:
        return (
            f'{self.__class__.__name__}(max_shift_s={self.max_shift_s}, '
            f'prob={self.prob})'
        )
