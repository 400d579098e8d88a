"""The eight timbres.

Every timbre shows its signature in any 0.96 s (one VGGish patch): clicks come
at 7 a second or faster, a sweep takes at most 0.4 s, a bell is struck at
least 2.5 times a second. What varies from voice to voice is the pitch (by a
factor, within a range that keeps the timbres apart), the level and the phase
of everything periodic.

All functions return float32 of shape (num_samples,) at 16 kHz with an
arbitrary level; :func:`render_voice` sets the level.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np
from scipy.signal import butter, sosfilt

__all__ = ['SAMPLE_RATE_HZ', 'TIMBRES', 'Voice', 'draw_voice', 'render_voice']

SAMPLE_RATE_HZ = 16000
_TABLE_SIZE = 1 << 14


@dataclass(frozen=True)
class Voice:
    """How one object of a clip sounds.

    Attributes:
        pitch (float): factor on the timbre's middle pitch, 0.8 to 1.25.
        pace (float): factor on the timbre's middle rhythm, 0.85 to 1.18.
        level_dbfs (float): root mean square level, dB re full scale.
        phase (float): where periodic parts start, in periods, [0, 1).
        noise_seed (int): seed of the random parts.
    """

    pitch: float
    pace: float
    level_dbfs: float
    phase: float
    noise_seed: int


def draw_voice(rng):
    """Draw a voice.

    Args:
        rng (np.random.Generator): source of randomness.

    Returns:
        Voice: pitch and pace log-uniform, level between -29 and -23 dBFS.
    """
    return Voice(
        pitch=float(np.exp2(rng.uniform(-0.32, 0.32))),
        pace=float(np.exp2(rng.uniform(-0.23, 0.23))),
        level_dbfs=float(rng.uniform(-29.0, -23.0)),
        phase=float(rng.uniform()),
        noise_seed=int(rng.integers(1 << 32)),
    )


@cache
def _wavetable(amplitudes):
    """One period of a sum of sines, harmonic h with amplitudes[h - 1]."""
    turn = 2 * np.pi * np.arange(_TABLE_SIZE) / _TABLE_SIZE
    table = sum(
        amplitude * np.sin((h + 1) * turn)
        for h, amplitude in enumerate(amplitudes)
    )
    table = table.astype(np.float32)
    table.setflags(write=False)  # shared between threads through the cache
    return table


def _oscillate(amplitudes, cycles):
    """Read a wavetable at a running phase, given in cycles."""
    index = (cycles * _TABLE_SIZE).astype(np.int64) & (_TABLE_SIZE - 1)
    return _wavetable(amplitudes)[index]


def _time(num_samples):
    return np.arange(num_samples) / SAMPLE_RATE_HZ


def _noise_band(num_samples, voice, low_hz, high_hz, order=3):
    """White noise through a Butterworth band-pass; edges follow the pitch."""
    rng = np.random.default_rng(voice.noise_seed)
    # the filter settles before the clip starts
    settle = SAMPLE_RATE_HZ // 10
    noise = rng.standard_normal(num_samples + settle, dtype=np.float32)
    sos = butter(
        order,
        (low_hz * voice.pitch, high_hz * voice.pitch),
        'bandpass',
        fs=SAMPLE_RATE_HZ,
        output='sos',
    )
    return sosfilt(sos, noise)[settle:].astype(np.float32)


def organ(num_samples, voice):
    """A steady stack of eight harmonics over about 200 Hz."""
    cycles = 200.0 * voice.pitch * _time(num_samples) + voice.phase
    return _oscillate(tuple(1.0 / h for h in range(1, 9)), cycles)


def whistle(num_samples, voice):
    """A nearly pure tone around 1.15 kHz with a vibrato of 6 Hz."""
    time = _time(num_samples)
    centre_hz, rate_hz, depth = 1150.0 * voice.pitch, 6.0 * voice.pace, 0.05
    swing = np.sin(2 * np.pi * (rate_hz * time + voice.phase))
    cycles = centre_hz * (time + depth / (2 * np.pi * rate_hz) * swing)
    return _oscillate((1.0, 0.08), cycles + voice.phase)


def rumble(num_samples, voice):
    """Noise between about 140 and 380 Hz."""
    return _noise_band(num_samples, voice, 140.0, 380.0)


def hiss(num_samples, voice):
    """Noise between about 3.6 and 6.2 kHz."""
    return _noise_band(num_samples, voice, 3600.0, 6200.0)


def siren(num_samples, voice):
    """Rising sweeps over two and a half octaves, one every 0.3 s."""
    sweeps = _time(num_samples) * (voice.pace / 0.3) + voice.phase
    frequency_hz = 450.0 * voice.pitch * np.exp2(2.5 * (sweeps % 1.0))
    cycles = np.cumsum(frequency_hz) / SAMPLE_RATE_HZ
    return _oscillate((1.0, 0.15), cycles)


def click(num_samples, voice):
    """Broadband clicks of a few milliseconds, about nine a second."""
    beats = _time(num_samples) * (9.0 * voice.pace) + voice.phase
    since_s = (beats % 1.0) / (9.0 * voice.pace)
    noise = _noise_band(num_samples, voice, 700.0, 5600.0, order=1)
    return noise * np.exp(-since_s.astype(np.float32) / 0.008)


def buzz(num_samples, voice):
    """A bright, rough tone: 95 Hz with 40 strong harmonics, fluttering."""
    time = _time(num_samples)
    cycles = 95.0 * voice.pitch * time + voice.phase
    flutter_turns = 28.0 * voice.pace * time + voice.phase
    flutter = 1.0 + 0.6 * _oscillate((1.0,), flutter_turns)
    amplitudes = tuple(h**-0.3 for h in range(1, 41))
    return _oscillate(amplitudes, cycles) * flutter


def bell(num_samples, voice):
    """Inharmonic partials over about 650 Hz, struck three times a second."""
    time = _time(num_samples)
    beats = time * (3.0 * voice.pace) + voice.phase
    since_s = ((beats % 1.0) / (3.0 * voice.pace)).astype(np.float32)
    wave = np.zeros(num_samples, np.float32)
    # (ratio, amplitude, decay): higher partials are weaker and die sooner
    for ratio, amplitude, decay_s in (
        (1.0, 1.0, 0.20),
        (2.76, 0.7, 0.13),
        (5.40, 0.45, 0.08),
    ):
        partial = _oscillate((1.0,), 650.0 * voice.pitch * ratio * time)
        wave += amplitude * partial * np.exp(-since_s / decay_s)
    # an attack of 2 ms, as a step at the strike would be a click
    return wave * np.minimum(since_s / 0.002, 1.0)


TIMBRES = dict(
    organ=organ,
    whistle=whistle,
    rumble=rumble,
    hiss=hiss,
    siren=siren,
    click=click,
    buzz=buzz,
    bell=bell,
)
"""dict[str, Callable]: timbre name -> ``(num_samples, voice) -> waveform``."""


def render_voice(timbre, voice, num_samples):
    """Render an object's sound at the voice's level.

    Args:
        timbre (str): a key of :data:`TIMBRES`.
        voice (Voice): pitch, pace, level and phase.
        num_samples (int): length at 16 kHz.

    Returns:
        np.ndarray: float32 (num_samples,), root mean square as the level
        says. Peaks may exceed 1; the mixture takes care of clipping.

    Raises:
        KeyError: if the timbre is unknown.
    """
    if timbre not in TIMBRES:
        raise KeyError(
            f'timbre must be one of {sorted(TIMBRES)}, got {timbre!r}'
        )
    wave = TIMBRES[timbre](num_samples, voice)
    rms = float(np.sqrt(np.mean(np.square(wave, dtype=np.float64))))
    return wave * np.float32(10.0 ** (voice.level_dbfs / 20.0) / rms)
