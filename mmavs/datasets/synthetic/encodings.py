"""In which of the forms that are in use the files of a clip are stored."""

from __future__ import annotations

from dataclasses import dataclass

from mmavs.datasets.layout import SPLITS

from .plan import ClipPlan
from .timbres import SAMPLE_RATE_HZ

__all__ = ['ENCODINGS', 'Encoding', 'choose_encoding']

ENCODINGS = ('published', 'mixed')
# Each list is gone through clip by clip; lengths without a common divisor
# bring every combination of rate, format and channels.
_MASKS = (
    ('L', 255),
    ('1', 1),
    ('P', 1),
    ('RGB', 255),
    ('L', 1),
    ('P', 255),
    ('RGB', 1),
)
_SEMANTIC_MASKS = (('L', 'RGB'), ('P', 'P'), ('P', 'RGB'))
_SAMPLE_RATES_HZ = (16000, 44100, 8000, 48000, 11025, 32000, 22050)
_SAMPLE_FORMATS = ('PCM_16', 'FLOAT', 'PCM_24', 'PCM_32')
_NUM_CHANNELS = (1, 2, 2)


@dataclass(frozen=True)
class Encoding:
    """How the files of one clip are stored; by default as published.

    Attributes:
        mask_mode: PIL mode of the masks: ``1``, ``L``, ``P`` or ``RGB``.
        mask_value: what stands for foreground in a binary mask.
        rgb_mask_mode: PIL mode of the coloured masks of AVSBench-semantic.
        sample_rate_hz: rate of the wav file.
        sample_format: ``PCM_16``, ``PCM_24``, ``PCM_32`` or ``FLOAT``.
        num_channels: 1 or 2.
    """

    mask_mode: str = 'L'
    mask_value: int = 255
    rgb_mask_mode: str = 'RGB'
    sample_rate_hz: int = SAMPLE_RATE_HZ
    sample_format: str = 'PCM_16'
    num_channels: int = 1


def choose_encoding(plan: ClipPlan, encodings: str) -> Encoding:
    """Choose how to store a clip.

    Args:
        plan: the clip.
        encodings: ``published`` or ``mixed``, which changes from clip to
            clip: seven in a row have every form of masks and every rate.

    Returns:
        The same for the same clip of any set.

    Raises:
        ValueError: if ``encodings`` is neither.
    """
    if encodings not in ENCODINGS:
        raise ValueError(
            f'encodings must be one of {ENCODINGS}, got {encodings!r}'
        )
    if encodings == 'published':
        return Encoding()
    turn = plan.index + 3 * SPLITS.index(plan.split)
    mask_mode, mask_value = _MASKS[turn % len(_MASKS)]
    rgb_mask_mode = 'RGB'
    if plan.layout.semantic:
        mask_mode, rgb_mask_mode = _SEMANTIC_MASKS[turn % len(_SEMANTIC_MASKS)]
    return Encoding(
        mask_mode,
        mask_value,
        rgb_mask_mode,
        _SAMPLE_RATES_HZ[turn % len(_SAMPLE_RATES_HZ)],
        _SAMPLE_FORMATS[turn % len(_SAMPLE_FORMATS)],
        _NUM_CHANNELS[turn % len(_NUM_CHANNELS)],
    )
