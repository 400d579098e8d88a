"""A recording that is given another sound, to see whether a model listens."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

import numpy as np

from mmavs.datasets.videos import SoundTrack, VideoFrame
from mmavs.functional.sounds import silence, white_noise
from mmavs.inference.endless_sounds import MadeSound, RepeatedSound
from mmavs.inference.recordings import Recording
from mmavs.inference.recordings.recording import Fps

# name -> (number of samples, place of the first one) -> (S,) float32
MADE_SOUNDS: dict[str, Callable[[int, int], np.ndarray]] = dict(
    silence=lambda num_samples, start: silence(num_samples), noise=white_noise
)


def check_sound(sound: str | os.PathLike) -> None:
    """Raise a ValueError unless a sound is a name or the path of a file."""
    names = ('matched', *MADE_SOUNDS)
    if sound not in names and not os.path.isfile(sound):
        raise ValueError(
            f'sound must be {", ".join(map(repr, names))} or the path of a '
            f'file, got {os.fspath(sound)!r}'
        )


def replace_sound(
    recording: Recording, sound: str | os.PathLike = 'matched'
) -> Recording:
    """Give a recording another sound.

    What the conditions of :mod:`mmavs.datasets.sound_conditions` are to a
    clip, for recordings of any length: the noise does not end, and is the
    same for all of them.

    Args:
        recording: The recording; its frames stay.
        sound: 'matched' leaves the recording as it is, 'silence' mutes it,
            'noise' puts white noise in the place of its sound. Anything else
            is the path of a video or an audio file: its sound from the
            beginning, again and again where it is shorter. A file of one of
            these names is ``./noise``.

    Returns:
        Recording: It has a sound also where the recording had none, and that
        does not end: it is played as long as there are pictures.

    Raises:
        ValueError: If the sound is neither a name nor a file.
        DataError: If the file has no sound, or is silent all through.
    """
    check_sound(sound)
    if sound == 'matched':
        return recording
    if sound in MADE_SOUNDS:
        make = MADE_SOUNDS[str(sound)]
        return ReplacedSoundRecording(recording, lambda: MadeSound(make))
    RepeatedSound(sound).close()  # what is wrong with the file shows now
    return ReplacedSoundRecording(recording, lambda: RepeatedSound(sound))


class ReplacedSoundRecording(Recording):
    """The frames of a recording with a sound that does not end.

    Args:
        recording: Where the frames come from.
        open_sound: Opens the sound.
    """

    has_sound = True

    def __init__(
        self,
        recording: Recording,
        open_sound: Callable[[], MadeSound | RepeatedSound],
    ) -> None:
        self.recording = recording
        self.open_sound = open_sound
        self.name = recording.name
        self.source = recording.source
        self.size = recording.size
        self.sample_aspect_ratio = recording.sample_aspect_ratio
        self.duration_s = recording.duration_s
        self.is_clip = recording.is_clip

    def frames(self, fps: Fps = 1) -> Iterator[VideoFrame]:
        """Read the frames of the recording."""
        return self.recording.frames(fps)

    def sound(self) -> MadeSound | RepeatedSound:
        """Open the replacement for reading; a context manager."""
        return self.open_sound()

    def track(self) -> SoundTrack:
        """The replacement as it is played."""
        with self.open_sound() as sound:
            return sound.track()

    def is_silent(self) -> bool:
        """Never: silence that was asked for is not one that was found."""
        return False
