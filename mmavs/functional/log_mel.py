"""The log-mel front end of VGGish, in NumPy."""

from functools import cache

import numpy as np

SAMPLE_RATE_HZ = 16000
WINDOW_SAMPLES = 400  # 25 ms
HOP_SAMPLES = 160  # 10 ms
FFT_SAMPLES = 512
NUM_MEL_BINS = 64
MEL_MIN_HZ = 125.0
MEL_MAX_HZ = 7500.0
LOG_OFFSET = 0.01
PATCH_WINDOWS = 96  # 0.96 s
# The fewest samples whose windows fill one patch: 15,600.
MIN_SAMPLES = WINDOW_SAMPLES + (PATCH_WINDOWS - 1) * HOP_SAMPLES


def hertz_to_mel(frequency_hz: np.ndarray | float) -> np.ndarray:
    """Map frequencies to the mel scale, ``1127 ln(1 + f / 700)``.

    Args:
        frequency_hz: Frequencies in hertz, of any shape.

    Returns:
        np.ndarray: Their mel values, of the same shape.
    """
    return 1127.0 * np.log1p(np.asarray(frequency_hz) / 700.0)


@cache
def hann_window() -> np.ndarray:
    """Make the periodic Hann window ``0.5 - 0.5 cos(2 pi n / 400)``.

    Returns:
        np.ndarray: float64 window of shape (400,), read-only.
    """
    phase = 2 * np.pi * np.arange(WINDOW_SAMPLES) / WINDOW_SAMPLES
    window = 0.5 - 0.5 * np.cos(phase)
    window.flags.writeable = False
    return window


@cache
def mel_matrix() -> np.ndarray:
    """Make the weights that sum FFT magnitudes into mel bins.

    The triangles are linear in mel. Ready-made filterbanks (torchaudio,
    librosa) draw them linear in hertz, which gives other numbers.

    Returns:
        np.ndarray: float64 matrix of shape (257, 64), read-only.
    """
    num_fft_bins = FFT_SAMPLES // 2 + 1
    fft_mel = hertz_to_mel(np.linspace(0, SAMPLE_RATE_HZ / 2, num_fft_bins))[
        :, None
    ]
    edges = np.linspace(
        hertz_to_mel(MEL_MIN_HZ), hertz_to_mel(MEL_MAX_HZ), NUM_MEL_BINS + 2
    )
    lower, centre, upper = edges[:-2], edges[1:-1], edges[2:]
    rising = (fft_mel - lower) / (centre - lower)
    falling = (upper - fft_mel) / (upper - centre)
    matrix = np.maximum(0.0, np.minimum(rising, falling))
    matrix.flags.writeable = False
    return matrix


def count_patches(num_samples: int) -> int:
    """Whole patches that so many samples at 16 kHz fill."""
    num_windows = 1 + (num_samples - WINDOW_SAMPLES) // HOP_SAMPLES
    return max(0, num_windows // PATCH_WINDOWS)


def vggish_log_mel(
    waveform: np.ndarray, num_patches: int | None = None
) -> np.ndarray:
    """Turn a 16 kHz mono waveform into the log-mel patches VGGish reads.

    Window w covers the samples [160 w, 160 w + 400); there is no centring
    and no reflection padding. Patch j holds the windows 96 j .. 96 j + 95,
    that is [0.96 j, 0.96 (j + 1)] s, so one patch needs
    400 + 95 * 160 = 15,600 samples. What is left of the audio after the
    last whole patch is unused.

    Args:
        waveform: Samples in [-1, 1] at 16 kHz.
        num_patches: How many patches to return: later ones are dropped,
            missing ones are repetitions of the last. None returns all
            whole patches.

    Shapes:
        - waveform: (S,)
        - return: (P, 96, 64), P patches of 96 windows of 64 mel bins

    Returns:
        np.ndarray: float32 log-mel patches, computed in float64.

    Raises:
        ValueError: If the waveform is not one-dimensional or shorter than
            one patch, or ``num_patches`` is less than 1.

    Equation:
        log(mel_matrix^T abs(rfft(hann * windows, 512)) + 0.01), the front
        end of AudioSet's VGGish (Hershey et al. 2017).
    """
    waveform = np.asarray(waveform, dtype=np.float64)
    if waveform.ndim != 1:
        raise ValueError(f'waveform must be (S,), got {waveform.shape}')
    if waveform.size < MIN_SAMPLES:
        raise ValueError(
            f'a log-mel patch needs at least {MIN_SAMPLES} samples at '
            f'{SAMPLE_RATE_HZ} Hz (96 windows of 400 with a hop of 160), got '
            f'{waveform.size}'
        )
    if num_patches is not None and num_patches < 1:
        raise ValueError(f'num_patches must be at least 1, got {num_patches}')

    available = count_patches(waveform.size)
    wanted = available if num_patches is None else num_patches
    used = min(available, wanted)

    windows = np.lib.stride_tricks.sliding_window_view(
        waveform, WINDOW_SAMPLES
    )[::HOP_SAMPLES][: used * PATCH_WINDOWS]
    # rfft(n=512) pads the 400 windowed samples with zeros at the end.
    spectrum = np.abs(np.fft.rfft(windows * hann_window(), n=FFT_SAMPLES))
    log_mel = np.log(spectrum @ mel_matrix() + LOG_OFFSET)
    patches = log_mel.astype(np.float32).reshape(
        used, PATCH_WINDOWS, NUM_MEL_BINS
    )
    return fit_patches(patches, wanted)


def fit_patches(patches: np.ndarray, num_patches: int) -> np.ndarray:
    """Drop patches that are too many, repeat the last for those that lack.

    Args:
        patches: at least one.
        num_patches: how many are wanted.

    Shapes:
        - patches: (P, ...)
        - return: (num_patches, ...)
    """
    missing = num_patches - len(patches)
    if missing <= 0:
        return patches[:num_patches]
    return np.concatenate([patches, np.repeat(patches[-1:], missing, axis=0)])
