"""From the voices of a clip to its waveform.

Second k = 0, 1, .. of a clip spans the VGGish patch [0.96 k, 0.96 (k + 1)) s
and not [k, k + 1) s: the patch is what a model is given for that frame, so
sound and mask of a frame agree exactly. What is left after the last patch
(4.8 s of 5 s, 9.6 s of 10 s) continues the last second.
"""

import numpy as np

from .timbres import SAMPLE_RATE_HZ

__all__ = ['PATCH_SAMPLES', 'gate', 'mix']

PATCH_SAMPLES = 96 * SAMPLE_RATE_HZ // 100
FADE_SAMPLES = 5 * SAMPLE_RATE_HZ // 1000
NOISE_FLOOR_DBFS = -62.0
PEAK = 0.95


def gate(active):
    """Envelope that lets a voice through in the seconds it sounds.

    Args:
        active (Sequence[bool]): for every second, whether the voice sounds.

    Returns:
        np.ndarray: float32 (16000 * seconds,) in [0, 1], with linear ramps
        of 5 ms centred on the patch borders where the state changes.
    """
    num_samples = len(active) * SAMPLE_RATE_HZ
    envelope = np.full(num_samples, float(active[-1]), np.float32)
    for second, is_on in enumerate(active[:-1]):
        start = second * PATCH_SAMPLES
        envelope[start : start + PATCH_SAMPLES] = is_on
    ramp = (np.arange(FADE_SAMPLES, dtype=np.float32) + 0.5) / FADE_SAMPLES
    for second in range(1, len(active)):
        before, after = active[second - 1], active[second]
        if before != after:
            start = second * PATCH_SAMPLES - FADE_SAMPLES // 2
            envelope[start : start + FADE_SAMPLES] = (
                ramp if after else 1.0 - ramp
            )
    return envelope


def mix(voices, gates, num_samples, noise_seed):
    """Mix gated voices over a faint noise floor.

    Args:
        voices (list[np.ndarray]): waveforms (num_samples,), may be empty.
        gates (list[np.ndarray]): one envelope per voice.
        num_samples (int): length of the mixture.
        noise_seed (int): seed of the noise floor (-62 dBFS, white).

    Returns:
        np.ndarray: int16 (num_samples,). Where the sum would peak above 0.95
        of full scale, the whole mixture is turned down.
    """
    rng = np.random.default_rng(noise_seed)
    mixture = rng.standard_normal(num_samples, dtype=np.float32)
    mixture *= np.float32(10.0 ** (NOISE_FLOOR_DBFS / 20.0))
    for voice, envelope in zip(voices, gates, strict=True):
        mixture += voice * envelope
    peak = float(np.abs(mixture).max())
    if peak > PEAK:
        mixture *= np.float32(PEAK / peak)
    return np.rint(mixture * 32767.0).astype(np.int16)
