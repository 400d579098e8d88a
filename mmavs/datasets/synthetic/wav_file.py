"""Waveforms as the bytes of wav files.

Written here, as the bytes must not depend on when they are written, and
libsndfile puts the time into files of floats.
"""

from __future__ import annotations

import struct

import numpy as np
from scipy.signal import resample

from .encodings import Encoding
from .timbres import SAMPLE_RATE_HZ

__all__ = ['encode_wav']

_BITS = dict(PCM_16=16, PCM_24=24, PCM_32=32, FLOAT=32)
_PCM, _IEEE_FLOAT = 1, 3


def _resample(samples: np.ndarray, sample_rate_hz: int) -> np.ndarray:
    """All of the band that both rates have."""
    if sample_rate_hz == SAMPLE_RATE_HZ:
        return samples
    return resample(samples, len(samples) * sample_rate_hz // SAMPLE_RATE_HZ)


def _pan(samples: np.ndarray) -> np.ndarray:
    """Two channels of different levels whose mean is the mono signal.

    The left one is louder by half, or by as much as full scale allows.
    """
    room = 1.0 / max(float(np.abs(samples).max()), 1e-9) - 1.0
    share = min(max(room, 0.0), 0.5)
    return np.stack([samples * (1.0 + share), samples * (1.0 - share)], -1)


def _quantise(samples: np.ndarray, sample_format: str) -> bytes:
    """Little-endian samples; what exceeds full scale is clipped."""
    if sample_format == 'FLOAT':
        return samples.astype('<f4').tobytes()
    bits = _BITS[sample_format]
    full = 2.0 ** (bits - 1)
    integers = np.clip(np.rint(samples * full), -full, full - 1.0)
    low_first = integers.astype('<i4').view(np.uint8).reshape(-1, 4)
    return low_first[:, : bits // 8].tobytes()


def encode_wav(waveform: np.ndarray, encoding: Encoding) -> bytes:
    """Encode a waveform.

    Args:
        waveform: int16 (S,), 16 kHz mono.
        encoding: rate, channels and sample format of the file.

    Returns:
        The bytes of the file. At 16 kHz, mono, ``PCM_16`` its samples are
        those of the waveform.
    """
    samples = _resample(waveform / 32768.0, encoding.sample_rate_hz)
    if encoding.num_channels == 2:
        samples = _pan(samples)
    data = _quantise(samples, encoding.sample_format)
    bits = _BITS[encoding.sample_format]
    frame_bytes = encoding.num_channels * bits // 8
    is_float = encoding.sample_format == 'FLOAT'
    form = struct.pack(
        '<HHIIHH',
        _IEEE_FLOAT if is_float else _PCM,
        encoding.num_channels,
        encoding.sample_rate_hz,
        encoding.sample_rate_hz * frame_bytes,
        frame_bytes,
        bits,
    )
    chunks = [(b'fmt ', form), (b'data', data)]
    if is_float:
        # Other formats than PCM say that they have no extension, and how
        # many samples a channel has.
        count = struct.pack('<I', len(data) // frame_bytes)
        chunks = [(b'fmt ', form + b'\0\0'), (b'fact', count), chunks[1]]
    body = b'WAVE'
    for name, content in chunks:
        body += name + struct.pack('<I', len(content)) + content
        body += b'\0' * (len(content) % 2)
    return b'RIFF' + struct.pack('<I', len(body)) + body
