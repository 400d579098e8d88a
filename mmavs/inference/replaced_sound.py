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


def replace_sound(
    recording: Recording, sound: str | os.PathLike = 'matched'
) -> Recording:
    """Give a recording another sound.

    The conditions of :class:`mmavs.datasets.transforms.SoundCondition` for
    recordings of any length: the same silence and the same noise.

    Args:
        recording: The recording; its frames stay.
        sound: 'matched' leaves the recording as it is, 'silence' mutes it,
            'noise' puts white noise in the place of its sound. Anything else
            is the path of a video or an audio file: its sound from the
            beginning, again and again where it is shorter. A file of one of
            these names is ``./noise``.

    Returns:
        Recording: It has a sound also where the recording had none. Its
        track is as long as that of the recording and its frames.

    Raises:
        ValueError: If the sound is neither a name nor a file.
        DataError: If the file has no sound, or is silent all through.
    """
    if sound == 'matched':
        return recording
    if sound in MADE_SOUNDS:
        make = MADE_SOUNDS[str(sound)]
        return ReplacedSoundRecording(recording, lambda: MadeSound(make))
    if not os.path.isfile(sound):
        raise ValueError(
            f"sound must be 'matched', {', '.join(map(repr, MADE_SOUNDS))} or "
            f'the path of a file, got {os.fspath(sound)!r}'
        )
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
        """The replacement, as long as what it replaces."""
        with self.open_sound() as sound:
            track = sound.track()
        rate_hz = track.sample_rate_hz

        def chunks() -> Iterator[np.ndarray]:
            done = 0
            rest = np.empty((track.num_channels, 0), np.float32)
            for end_s in self._ends_s():
                end = round(end_s * rate_hz)
                while done < end:
                    if not rest.shape[1]:
                        rest = next(track.chunks)
                    yield rest[:, : end - done]
                    step = min(end - done, rest.shape[1])
                    done, rest = done + step, rest[:, step:]

        return SoundTrack(rate_hz, track.num_channels, chunks())

    def is_silent(self) -> bool:
        """Never: silence that was asked for is not one that was found."""
        return False

    def _ends_s(self) -> Iterator[float]:
        """Times up to which the recording lasts at least, the end at last."""
        track = self.recording.track()
        if track is not None:
            num_samples = 0
            for chunk in track.chunks:
                num_samples += chunk.shape[1]
                yield num_samples / track.sample_rate_hz
        if self.duration_s is not None:
            yield self.duration_s
        elif track is None:
            for frame in self.recording.frames('native'):
                yield float(frame.time_s)
