"""Waveforms, read as training reads them."""

from __future__ import annotations

import io
import os
import struct
from typing import NamedTuple

import numpy as np
import soundfile

from mmavs.datasets.checking.images import Reporter
from mmavs.datasets.errors import DataError
from mmavs.datasets.transforms.load_audio import decode_waveform
from mmavs.functional.log_mel import (
    LOG_OFFSET,
    SAMPLE_RATE_HZ,
    count_patches,
)

__all__ = [
    'Sound',
    'check_wav_header',
    'check_waveform',
    'is_silent',
]

# -80 dB of full scale; one bit of 16 is -90 dB.
_SILENCE = 1e-4
# What silence of that level adds to the log-mel of digital silence.
_SILENT_LOG_MEL = float(np.log(LOG_OFFSET)) + 0.1
_USUAL_FORMATS = ('WAV', 'WAVEX', 'RF64')
_USUAL_ENCODINGS = ('PCM_16', 'PCM_24', 'PCM_32', 'FLOAT', 'DOUBLE')
_USUAL_CHANNELS = (1, 2)
# What a program writes that cannot know the size when it begins.
_UNKNOWN_SIZES = (0, 0xFFFFFFFF)
_HEAD_BYTES = 1 << 16


class Sound(NamedTuple):
    """What an audio file holds.

    Attributes:
        waveform: (S,) float32 samples at 16 kHz.
        rate_hz: the rate of the file.
    """

    waveform: np.ndarray
    rate_hz: int


def check_wav_header(path: str, num_frames: int, report: Reporter) -> None:
    """Check format and duration of an audio file by its header.

    Args:
        path: the file.
        num_frames: T of its clip.
        report: what a fault is told to.
    """
    is_whole = True
    try:
        with open(path, 'rb') as file:
            head = file.read(_HEAD_BYTES)
            size = os.fstat(file.fileno()).st_size
        is_whole = _check_end(head, size, path, report)
        with soundfile.SoundFile(path) as audio:
            _check_format(audio, path, report)
            seconds = audio.frames / audio.samplerate
    except (soundfile.SoundFileError, OSError) as error:
        if is_whole:
            report('unreadable', f'audio {path} is not readable: {error}')
        return
    if is_whole:
        num_samples = int(np.ceil(seconds * SAMPLE_RATE_HZ))
        _check_duration(num_samples, path, num_frames, report)


def check_waveform(
    content: bytes, name: str, num_frames: int, report: Reporter
) -> Sound | None:
    """Check that an audio file loads, lasts as long as its clip and sounds.

    Args:
        content: the bytes of the file.
        name: its name, for messages.
        num_frames: T of its clip.
        report: what a fault is told to.

    Returns:
        Its samples, None if it does not load.
    """
    is_whole = _check_end(content, len(content), name, report)
    try:
        waveform = decode_waveform(content, name)
    except DataError as error:
        if is_whole:
            kind = 'unreadable' if _is_finite(content) else 'not_finite'
            report(kind, str(error))
        return None
    with soundfile.SoundFile(io.BytesIO(content)) as file:
        _check_format(file, name, report)
        rate_hz = file.samplerate
    if is_whole:
        _check_duration(len(waveform), name, num_frames, report)
    if is_silent(waveform):
        report('silent', f'audio {name} is silent')
    return Sound(waveform, rate_hz)


def is_silent(audio: np.ndarray) -> bool:
    """Tell whether a waveform or log-mel is silent, as many may be."""
    if audio.ndim == 1:
        return bool(np.abs(audio).max() < _SILENCE)
    return bool(audio.max() < _SILENT_LOG_MEL)


def _check_format(
    file: soundfile.SoundFile, name: str, report: Reporter
) -> None:
    odd = []
    if file.format not in _USUAL_FORMATS:
        odd.append(f'{file.format} in a wav file')
    elif file.subtype not in _USUAL_ENCODINGS:
        odd.append(f'encoding {file.subtype}')
    if file.samplerate < SAMPLE_RATE_HZ:
        odd.append(f'{file.samplerate} Hz, less than {SAMPLE_RATE_HZ}')
    if file.channels not in _USUAL_CHANNELS:
        odd.append(f'{file.channels} channels')
    if odd:
        report('audio_format', f'audio {name}: {", ".join(odd)}')


def _check_duration(
    num_samples: int, name: str, num_frames: int, report: Reporter
) -> None:
    count = count_patches(num_samples)
    if count >= num_frames:
        return
    message = (
        f'audio {name} lasts {num_samples / SAMPLE_RATE_HZ:.2f} s, {count} '
        f'patches of 0.96 s, for {num_frames} frames'
    )
    if count:
        report('audio_short', f'{message}: the last one is repeated')
    else:
        report('audio_too_short', message)


def _check_end(content: bytes, size: int, name: str, report: Reporter) -> bool:
    """Tell whether an audio file is as long as its header says."""
    missing = _missing_bytes(content, size)
    if missing:
        report(
            'truncated',
            f'audio {name} is cut short: by its header {missing} more bytes '
            'belong to it',
        )
    return not missing


def _missing_bytes(content: bytes, size: int) -> int:
    """How many bytes a wav file lacks by its own account.

    Args:
        content: the beginning of the file at least.
        size: how many bytes it has.
    """
    if content[:4] not in (b'RIFF', b'RIFX') or content[8:12] != b'WAVE':
        return 0
    length = struct.Struct('<I' if content[:4] == b'RIFF' else '>I')
    position = 12
    while position + 8 <= len(content):
        (count,) = length.unpack_from(content, position + 4)
        start, name = position + 8, content[position : position + 4]
        if name == b'data':
            if count in _UNKNOWN_SIZES:
                return 0
            return max(0, start + count - size)
        position = start + count + count % 2
    return max(0, position + 8 - size)


def _is_finite(content: bytes) -> bool:
    """Tell whether an audio file is free of samples that are no number.

    What cannot be read is, too.
    """
    try:
        with soundfile.SoundFile(io.BytesIO(content)) as file:
            blocks = file.blocks(blocksize=1 << 16, dtype='float64')
            return all(np.isfinite(block).all() for block in blocks)
    except Exception:  # whatever the bytes make a parser do
        return True
