"""Log-mels with gaps in time and in frequency."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from mmcv.transforms.utils import cache_randomness
from mmseg.registry import TRANSFORMS

from mmavs.datasets.transforms.audio_augmentation import AudioAugmentation
from mmavs.functional.log_mel import (
    HOP_SAMPLES,
    LOG_OFFSET,
    NUM_MEL_BINS,
    PATCH_WINDOWS,
    SAMPLE_RATE_HZ,
)

WINDOWS_PER_S = SAMPLE_RATE_HZ // HOP_SAMPLES
PATCH_S = PATCH_WINDOWS / WINDOWS_PER_S
# What the front end makes of silence.
SILENCE = np.float32(np.log(LOG_OFFSET))


class Masks(NamedTuple):
    """What is masked in one clip, as ranges [start, stop).

    Attributes:
        windows: Ranges of windows of the clip, 100 a second.
        mel_bins: Ranges of mel bins.
    """

    windows: Sequence[tuple[int, int]]
    mel_bins: Sequence[tuple[int, int]]


def mask_log_mel(
    log_mel: np.ndarray, masks: Masks, value: float = SILENCE
) -> np.ndarray:
    """Cut windows and mel bins out of the spectrogram of a clip.

    The patches of a clip follow each other without a gap, so they are one
    spectrogram of T * 96 windows: windows are counted through the clip, and
    a band of mel bins is missing in all of its patches.

    Args:
        log_mel: The patches.
        masks: What to cut out.
        value: What to put there.

    Shapes:
        - log_mel, return: (T, 1, 96, 64) float32.

    Returns:
        np.ndarray: New patches.

    Raises:
        ValueError: If the patches have another shape.
    """
    if log_mel.ndim != 4 or log_mel.shape[1:] != (
        1,
        PATCH_WINDOWS,
        NUM_MEL_BINS,
    ):
        raise ValueError(
            f'log_mel must be (T, 1, {PATCH_WINDOWS}, {NUM_MEL_BINS}), got '
            f'{log_mel.shape}'
        )
    masked = log_mel.copy()
    spectrogram = masked.reshape(-1, NUM_MEL_BINS)  # a view: T, 1, 96 joined
    for start, stop in masks.windows:
        spectrogram[start:stop] = value
    for start, stop in masks.mel_bins:
        spectrogram[:, start:stop] = value
    return masked


def draw_ranges(
    count: int, max_width: int, size: int
) -> list[tuple[int, int]]:
    """Draw ranges as SpecAugment does.

    Args:
        count: How many.
        max_width: Widths are drawn from 0 to this, it included.
        size: Ranges lie in [0, size), each place as likely.

    Returns:
        list[tuple[int, int]]: start and stop of each, from NumPy's global
        generator.
    """
    ranges = []
    for _ in range(count):
        width = np.random.randint(max_width + 1)
        start = np.random.randint(size - width + 1)
        ranges.append((start, start + width))
    return ranges


@TRANSFORMS.register_module()
class SpecAugment(AudioAugmentation):
    """Mask short times and narrow bands of a clip's log-mel.

    After ``VGGishLogMel``, before ``PackAVSInputs``; also for clips that
    are stored as log-mels. Keys as in :class:`AudioAugmentation`, of
    ``log_mel``.

    The masks are drawn once per clip, on the spectrogram that its patches
    make together. They are filled with the logarithm of the front end's
    offset, log 0.01, which is silence, as if sound had been cut out or a
    band filtered away: a sound that exists, to a frozen network too. Filled
    with the mean of the clip, a mask would add sound wherever the clip is
    softer than that, as in a second in which nothing sounds.

    All masks together must leave every frame some of its sound.

    Args:
        max_time_mask_s (float): The longest masked time. Defaults to 0.15.
        max_mel_mask_bins (int): The widest masked band, of 64 mel bins.
            Defaults to 8.
        num_time_masks (int): How many times are masked. Defaults to 1.
        num_mel_masks (int): How many bands are masked. Defaults to 1.
        prob (float): How likely a clip is changed. Defaults to 0.5.

    Raises:
        ValueError: If a value is out of range, or the clip has no log-mel.

    Origin:
        Park et al., «SpecAugment», 2019, without time warping.
    """

    KEY = 'log_mel'

    def __init__(
        self,
        max_time_mask_s: float = 0.15,
        max_mel_mask_bins: int = 8,
        num_time_masks: int = 1,
        num_mel_masks: int = 1,
        prob: float = 0.5,
    ) -> None:
        super().__init__(prob)
        self._check('time_mask', num_time_masks, max_time_mask_s, 's', PATCH_S)
        self._check(
            'mel_mask', num_mel_masks, max_mel_mask_bins, 'bins', NUM_MEL_BINS
        )
        self.max_time_mask_s = max_time_mask_s
        self.max_mel_mask_bins = max_mel_mask_bins
        self.num_time_masks = num_time_masks
        self.num_mel_masks = num_mel_masks

    @staticmethod
    def _check(
        kind: str, count: int, size: float, unit: str, limit: float
    ) -> None:
        if min(count, size) < 0 or not count * size < limit:
            raise ValueError(
                f'num_{kind}s times max_{kind}_{unit} must be at least 0 and '
                f'less than {limit}, so that every frame keeps some of its '
                f'sound, got {count} times {size}'
            )

    @cache_randomness
    def _draw(self, results: dict) -> Masks | None:
        if not self._is_chosen():
            return None
        return Masks(
            windows=draw_ranges(
                self.num_time_masks,
                round(self.max_time_mask_s * WINDOWS_PER_S),
                len(results['log_mel']) * PATCH_WINDOWS,
            ),
            mel_bins=draw_ranges(
                self.num_mel_masks, self.max_mel_mask_bins, NUM_MEL_BINS
            ),
        )

    def _augment(self, results: dict, drawn: Masks) -> np.ndarray:
        return mask_log_mel(results['log_mel'], drawn)

    def __repr__(self) -> str:
        return (
            f'{self.__class__.__name__}('
            f'max_time_mask_s={self.max_time_mask_s}, '
            f'max_mel_mask_bins={self.max_mel_mask_bins}, '
            f'num_time_masks={self.num_time_masks}, '
            f'num_mel_masks={self.num_mel_masks}, prob={self.prob})'
        )
