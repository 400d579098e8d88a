"""What is heard of a recording, if anything is."""

from __future__ import annotations

import os

from mmavs.datasets.errors import DataError
from mmavs.functional.log_mel import MIN_SAMPLES, SAMPLE_RATE_HZ
from mmavs.inference.recordings import Recording, Sound
from mmavs.inference.replaced_sound import replace_sound


def with_sound(
    recording: Recording, sound: str | os.PathLike, no_audio_policy: str
) -> Recording:
    """The recording with what is to be heard.

    Raises:
        DataError: if that is nothing although nobody asked for silence.
    """
    if sound != 'matched':
        return replace_sound(recording, sound)
    if not recording.is_silent():
        return recording
    if no_audio_policy == 'silence':
        return replace_sound(recording, 'silence')
    what = 'is silent' if recording.has_sound else 'has no audio track'
    raise DataError(
        f"{recording.source} {what}: no_audio_policy='silence' "
        '(--no-audio-policy silence) segments it as if it had recorded '
        'silence'
    )


def check_length(sound: Sound, source: str) -> None:
    """Check that there is sound for a patch."""
    sound.read(0, 1)
    if sound.end_s is None:
        return
    num_samples = round(sound.end_s * SAMPLE_RATE_HZ)
    if num_samples < MIN_SAMPLES:
        raise DataError(
            f'{source} has too little sound: a log-mel patch needs '
            f'{MIN_SAMPLES} samples at {SAMPLE_RATE_HZ} Hz '
            f'({MIN_SAMPLES / SAMPLE_RATE_HZ:g} s), got {num_samples}'
        )
