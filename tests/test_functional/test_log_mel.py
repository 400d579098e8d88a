"""The VGGish front end, against reference numbers and by hand."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torchaudio.functional import resample

from mmavs.datasets.transforms.load_audio import resample_waveform
from mmavs.functional.log_mel import (
    hann_window,
    hertz_to_mel,
    mel_matrix,
    vggish_log_mel,
)

DATA = Path(__file__).parents[1] / 'data'


def noise(num_samples, seed=0, scale=0.3):
    return scale * np.random.default_rng(seed).standard_normal(num_samples)


def test_golden_16_khz():
    golden = np.load(DATA / 'vggish_16k_mono.npz')
    patches = vggish_log_mel(golden['pcm'] / 32768)
    assert patches.shape == (2, 96, 64)
    assert patches.dtype == np.float32
    assert np.abs(patches[:, ::3, ::2] - golden['log_mel']).max() < 1e-5


def test_golden_44_khz_stereo():
    golden = np.load(DATA / 'vggish_log_mel_44k.npz')
    waveform = resample_waveform(golden['pcm'].mean(1) / 32768, 44100, 16000)
    padded = np.pad(waveform, (0, 15600 - len(waveform)))
    error = np.abs(vggish_log_mel(padded)[0, :16] - golden['log_mel'])
    # The two resamplers cut off at the same frequency but tabulate their
    # filters differently, which shows in the top bins, at the cut-off.
    assert error.max() < 0.03
    assert error[:, :62].max() < 1e-3


@pytest.mark.parametrize(
    'rate_hz', [8000, 11025, 22050, 32000, 44100, 48000, 96000]
)
def test_other_rates_against_torchaudio(rate_hz):
    waveform = noise(rate_hz, seed=2)
    expected = resample(
        torch.from_numpy(waveform),
        rate_hz,
        16000,
        lowpass_filter_width=50,
        rolloff=0.917347,
        resampling_method='sinc_interp_kaiser',
        beta=12.9846,
    ).numpy()
    resampled = resample_waveform(waveform, rate_hz, 16000)
    assert resampled.shape == expected.shape
    assert np.abs(resampled - expected).max() < 1e-6
    # Most where there is next to nothing to hear: above 4 kHz, if the file
    # has 8 kHz.
    error = np.abs(vggish_log_mel(resampled) - vggish_log_mel(expected))
    assert error.max() < 2e-4


def log_mel_by_loops(waveform):
    """Follow the definition, one window and one mel bin at a time."""
    edges_mel = np.linspace(
        1127 * np.log(1 + 125 / 700), 1127 * np.log(1 + 7500 / 700), 66
    )
    rows = []
    for start in range(0, len(waveform) - 399, 160):
        n = np.arange(400)
        windowed = waveform[start : start + 400] * (
            0.5 - 0.5 * np.cos(2 * np.pi * n / 400)
        )
        row = np.zeros(64)
        for k in range(1, 257):
            basis = np.exp(-2j * np.pi * k * n / 512)
            magnitude = abs(np.dot(windowed, basis))
            mel = 1127 * np.log(1 + (k * 16000 / 512) / 700)
            for b in range(64):
                low, mid, high = edges_mel[b : b + 3]
                if low < mel < high:
                    row[b] += magnitude * min(
                        (mel - low) / (mid - low), (high - mel) / (high - mid)
                    )
        rows.append(np.log(row + 0.01))
    return np.array(rows)


def test_definition():
    waveform = noise(15600, seed=1)
    expected = log_mel_by_loops(waveform[: 400 + 4 * 160])
    assert np.abs(vggish_log_mel(waveform)[0, :5] - expected).max() < 1e-5


def test_window_is_periodic():
    assert hann_window()[0] == 0
    assert hann_window()[200] == 1
    assert np.allclose(hann_window()[1:], hann_window()[1:][::-1])
    assert hann_window()[-1] > 0


def test_mel_matrix_by_hand():
    matrix = mel_matrix()
    assert matrix.shape == (257, 64)
    assert (matrix[0] == 0).all()
    assert (matrix >= 0).all() and (matrix <= 1).all()
    hertz = np.arange(257) * 31.25
    outside = (hertz <= 125) | (hertz >= 7500)
    assert (matrix[outside] == 0).all()
    # Between the first and the last centre two triangles overlap, and being
    # linear in mel their weights add up to 1.
    step = (hertz_to_mel(7500) - hertz_to_mel(125)) / 65
    mel = hertz_to_mel(hertz)
    inner = (mel >= hertz_to_mel(125) + step) & (
        mel <= hertz_to_mel(7500) - step
    )
    assert np.allclose(matrix[inner].sum(1), 1)


def test_tone_peaks_in_its_bin():
    tone_hz = 1000.0
    time_s = np.arange(16000) / 16000
    patch = vggish_log_mel(np.sin(2 * np.pi * tone_hz * time_s))[0]
    step = (hertz_to_mel(7500) - hertz_to_mel(125)) / 65
    expected = (hertz_to_mel(tone_hz) - hertz_to_mel(125)) / step - 1
    assert np.abs(patch.argmax(1) - expected).max() <= 1


def test_shift_by_one_hop():
    waveform = noise(15600 + 160, seed=2)
    first = vggish_log_mel(waveform[:15600])[0]
    shifted = vggish_log_mel(waveform[160:])[0]
    assert np.allclose(first[1:], shifted[:-1], atol=1e-6)


def test_gain_adds_a_constant():
    waveform = noise(15600, seed=3, scale=100.0)
    quiet, loud = vggish_log_mel(waveform), vggish_log_mel(10 * waveform)
    # well above the offset of 0.01
    assert np.allclose(loud - quiet, np.log(10), atol=1e-2)
    assert np.allclose(vggish_log_mel(-waveform), quiet)


def test_silence():
    patches = vggish_log_mel(np.zeros(80000), 5)
    assert patches.shape == (5, 96, 64)
    assert np.allclose(patches, np.log(0.01), atol=1e-6)


@pytest.mark.parametrize(
    'num_samples, num_patches',
    [
        (15600, 1),
        (15600 + 96 * 160 - 1, 1),
        (15600 + 96 * 160, 2),
        (80000, 5),
        (160000, 10),
    ],
)
def test_number_of_whole_patches(num_samples, num_patches):
    assert len(vggish_log_mel(np.zeros(num_samples))) == num_patches


def test_requested_number_of_patches():
    waveform = noise(80000, seed=4)
    patches = vggish_log_mel(waveform)
    assert np.array_equal(vggish_log_mel(waveform, 3), patches[:3])
    longer = vggish_log_mel(waveform, 7)
    assert np.array_equal(longer[:5], patches)
    assert np.array_equal(longer[5], patches[4])
    assert np.array_equal(longer[6], patches[4])
    # Patch j depends on its own 0.96 s (and 15 ms of the next) alone.
    assert np.array_equal(
        vggish_log_mel(waveform[2 * 15360 : 2 * 15360 + 15600])[0], patches[2]
    )


def test_errors():
    with pytest.raises(ValueError, match='15600 samples.*got 15599'):
        vggish_log_mel(np.zeros(15599))
    with pytest.raises(ValueError, match=r'\(S,\), got \(2, 16000\)'):
        vggish_log_mel(np.zeros((2, 16000)))
    with pytest.raises(ValueError, match='num_patches.*got 0'):
        vggish_log_mel(np.zeros(16000), 0)
