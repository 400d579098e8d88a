"""Clips with noise."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from mmcv.transforms.utils import cache_randomness
from mmseg.registry import TRANSFORMS

from mmavs.datasets.transforms.audio_augmentation import (
    AudioAugmentation,
    check_range,
)
from mmavs.functional.sounds import (
    NOISE_EXPONENTS,
    coloured_noise,
    mix_at_snr,
)


class NoiseDraw(NamedTuple):
    """What was drawn for one clip; ``seed`` gives the samples."""

    colour: str
    snr_db: float
    seed: int


@TRANSFORMS.register_module()
class RandomNoise(AudioAugmentation):
    """Add white or pink noise to the whole of a clip.

    Between ``LoadAudio`` and ``VGGishLogMel``. Keys as in
    :class:`AudioAugmentation`; also ``sample_rate_hz`` is required.

    Args:
        snr_db (Sequence[float]): The smallest and the largest ratio of the
            signal's power to the noise's; each in between is as likely.
            Defaults to (15, 40).
        colours (Sequence[str]): One of them is drawn: 'white' has the same
            power in every hertz, 'pink' in every octave, as many natural
            backgrounds. Defaults to both.
        floor_dbfs (float): A clip softer than this, in decibels below a full
            scale of RMS 1, gets noise as if it were this loud. Defaults to
            -60.
        prob (float): How likely a clip is changed. Defaults to 0.5.

    Raises:
        ValueError: If a value is out of range, or the clip has no waveform.
    """

    def __init__(
        self,
        snr_db: Sequence[float] = (15.0, 40.0),
        colours: Sequence[str] = ('white', 'pink'),
        floor_dbfs: float = -60.0,
        prob: float = 0.5,
    ) -> None:
        super().__init__(prob)
        self.snr_db = check_range('snr_db', snr_db)
        unknown = set(colours) - NOISE_EXPONENTS.keys()
        if isinstance(colours, str) or unknown or not colours:
            raise ValueError(
                f'colours must be a list of {sorted(NOISE_EXPONENTS)}, got '
                f'{colours!r}'
            )
        self.colours = tuple(colours)
        self.floor_dbfs, _ = check_range('floor_dbfs', (floor_dbfs, 0))

    @cache_randomness
    def _draw(self, results: dict) -> NoiseDraw | None:
        if not self._is_chosen():
            return None
        return NoiseDraw(
            colour=self.colours[np.random.randint(len(self.colours))],
            snr_db=np.random.uniform(*self.snr_db),
            seed=np.random.randint(2**31),
        )

    def _augment(self, results: dict, drawn: NoiseDraw) -> np.ndarray:
        noise = coloured_noise(
            len(results['waveform']),
            results['sample_rate_hz'],
            drawn.colour,
            np.random.default_rng(drawn.seed),
        )
        return mix_at_snr(
            results['waveform'], noise, drawn.snr_db, self.floor_dbfs
        )

    def __repr__(self) -> str:
        return (
            f'{self.__class__.__name__}(snr_db={self.snr_db}, '
            f'colours={self.colours}, floor_dbfs={self.floor_dbfs}, '
            f'prob={self.prob})'
        )
