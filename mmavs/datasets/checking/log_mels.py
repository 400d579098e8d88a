"""Log-mels, read as training reads them and compared with the audio."""

from __future__ import annotations

import numpy as np

from mmavs.datasets.checking.audio import Sound
from mmavs.datasets.checking.images import Reporter
from mmavs.datasets.errors import DataError
from mmavs.datasets.log_mel_files import PICKLE, decode_log_mel
from mmavs.datasets.restricted_pickle import load_pickled_array
from mmavs.functional.log_mel import (
    SAMPLE_RATE_HZ,
    count_patches,
    mel_matrix,
    vggish_log_mel,
)

__all__ = ['check_log_mel', 'check_same_audio']

# Mean difference of two log-mels of one audio file: other resamplers and
# mixing to mono stay below, another file is far above.
_SAME_LOG_MEL = 0.25
# Share of the band of a low rate that resamplers leave as it is.
_PASS_BAND = 0.9


def check_log_mel(
    content: bytes, name: str, num_frames: int, report: Reporter
) -> np.ndarray | None:
    """Check that a log-mel loads and is long enough.

    Args:
        content: the bytes of the file.
        name: its name, which says what it is.
        num_frames: T of its clip.
        report: what a fault is told to.

    Returns:
        (P, 1, 96, 64) float32, None if it does not load.
    """
    try:
        patches = decode_log_mel(content, name)
    except DataError as error:
        report(_log_mel_fault(content, name), str(error))
        return None
    if len(patches) < num_frames:
        report(
            'log_mel_short',
            f'log-mel {name} has {len(patches)} patches, the clip has '
            f'{num_frames} frames: the last one is repeated',
        )
    return patches


def check_same_audio(
    log_mel: np.ndarray, name: str, sound: Sound, report: Reporter
) -> bool:
    """Check that a log-mel is that of an audio file, and tell whether.

    Compared are the mel bins that the rate of the file reaches: a log-mel
    made of the original has more in those above.

    Args:
        log_mel: (P, 1, 96, 64).
        name: its name, for messages.
        sound: what the audio file holds.
        report: what a fault is told to.
    """
    bins = _bins_below(sound.rate_hz)
    if not count_patches(len(sound.waveform)) or not bins.any():
        return True
    expected = vggish_log_mel(sound.waveform, len(log_mel))
    distances = np.abs(log_mel[:, 0] - expected)[..., bins]
    distance = float(distances.mean())
    if distance <= _SAME_LOG_MEL:
        return True
    report(
        'log_mel_differs',
        f'log-mel {name} differs from that of the wav by {distance:.2f} on '
        'average: is it of another clip?',
    )
    return False


def _bins_below(rate_hz: int) -> np.ndarray:
    """Which of the (64,) mel bins a sample rate reaches."""
    weights = mel_matrix()
    if rate_hz >= SAMPLE_RATE_HZ:
        return np.ones(weights.shape[1], bool)
    fft_hz = np.linspace(0, SAMPLE_RATE_HZ / 2, len(weights))
    above = weights[fft_hz > _PASS_BAND * rate_hz / 2]
    return np.asarray(above.max(axis=0) == 0)


def _log_mel_fault(content: bytes, name: str) -> str:
    """Kind of the fault of a log-mel file that was refused."""
    if not name.endswith(PICKLE):
        return 'unreadable'
    try:
        values = load_pickled_array(content, name)
    except DataError:
        # A pickle ends in its opcode STOP.
        return 'log_mel_refused' if content.endswith(b'.') else 'truncated'
    return 'log_mel_shape' if np.isfinite(values).all() else 'not_finite'
