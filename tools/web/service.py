"""What happens to a clip that somebody gives to the page."""

from __future__ import annotations

import logging
import os
import shutil
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from mmavs.apis import AVSInferencer
from mmavs.datasets.errors import DataError
from mmavs.datasets.videos import is_silent
from mmavs.inference.results.prediction_files import write_prediction

from .limited_video import LimitedVideo
from .limits import Limits

FPS = {'1': 1, '5': 5, 'native': 'native'}
# Results of so many runs stay in the folder.
_KEPT = 4
_LOGGER = logging.getLogger(__name__)


class RefusedClipError(Exception):
    """A clip cannot be segmented; the message is for who gave it."""


@dataclass(frozen=True)
class Run:
    """What came out of one run.

    Attributes:
        overlay: the mp4 file.
        timeline: the picture.
        num_frames: how many frames were segmented.
        duration_s: the seconds they stand for.
        area_share: the sounding share of the pixels, the mean of the frames.
        uncertainty: its mean over pixels and frames; None without samples.
    """

    overlay: Path
    timeline: Path
    num_frames: int
    duration_s: float
    area_share: float
    uncertainty: float | None


class ClipService:
    """Segments clips one at a time, within limits.

    Args:
        inferencer: The model.
        folder: Where results go; those of the last runs stay.
        limits: How large a file may be.
    """

    def __init__(
        self,
        inferencer: AVSInferencer,
        folder: str | os.PathLike,
        limits: Limits,
    ) -> None:
        self.inferencer = inferencer
        self.folder = Path(folder)
        self.limits = limits
        self._lock = threading.Lock()
        self._is_closed = False
        self._number = 0
        self._kept: deque[Path] = deque()

    def run(
        self,
        video: str | None,
        sound: str = 'matched',
        other: str | None = None,
        fps: str = '1',
        num_samples: int = 0,
        progress: Callable[[float, float | None], None] | None = None,
    ) -> Run:
        """Segment a clip.

        Args:
            video: Its path; None if there is none.
            sound: 'matched', 'silence', 'noise' or 'another'.
            other: Path of the file whose sound is heard, for 'another'.
            fps: A name in ``FPS``.
            num_samples: Draws of the latent codes; 0 takes their means.
            progress: Called with the seconds done and those there are.

        Raises:
            RefusedClipError: If something that was given cannot be used, or
                anything else goes wrong, which is logged.
        """
        if not video:
            raise RefusedClipError('There is no clip yet: upload or record it')
        if sound == 'another' and not other:
            raise RefusedClipError(
                "To hear another clip's sound, upload that clip as well"
            )
        if sound != 'another':
            other = None
        try:
            with self._lock:
                recording = self._open(video, sound, other)
                folder = self._new_folder()
                result = self._write(
                    recording,
                    folder,
                    num_samples,
                    fps=FPS[fps],
                    sound=other or sound,
                    progress=progress,
                )
        except DataError as error:
            message = str(error)
            for path in filter(None, (video, other)):
                message = message.replace(path, os.path.basename(path))
            raise RefusedClipError(message) from error
        except Exception as error:
            # It may speak of the machine, which is not the visitor's.
            _LOGGER.exception('%s could not be segmented', video)
            raise RefusedClipError(
                'The clip could not be segmented: the log of the page says why'
            ) from error
        summary = result['summary']
        return Run(
            folder / result['files']['overlay'],
            folder / result['files']['timeline'],
            summary['num_frames'],
            summary['duration_s'],
            summary['area_share'],
            summary['uncertainty'],
        )

    def _open(self, video: str, sound: str, other: str | None) -> LimitedVideo:
        """Open a clip, if it and its sound can be used."""

        def check(time_s: float) -> None:
            self._go_on()
            self.limits.check_time(video, 'pictures', time_s)

        for path in filter(None, (video, other)):
            self.limits.check_size(path)
        recording = LimitedVideo(video, check)
        if recording.has_sound:
            self.limits.check_sound(video, self._go_on)
        if sound == 'matched' and recording.is_silent():
            raise DataError(
                f'{video} has no sound that can be heard: choose the sound '
                '"silence"'
            )
        if other is not None:
            self.limits.check_sound(other, self._go_on)
            if is_silent(other):
                raise DataError(
                    f'{other} has no sound that can be heard: choose another '
                    'file, or the sound "silence"'
                )
        return recording

    def _write(
        self,
        recording: LimitedVideo,
        folder: Path,
        num_samples: int,
        **options,
    ) -> dict:
        """Segment a clip, with so many draws of the latent codes."""
        inferencer = self.inferencer
        before = inferencer.num_samples
        inferencer.num_samples = num_samples
        try:
            return write_prediction(inferencer, recording, folder, **options)
        finally:
            inferencer.num_samples = before

    def _go_on(self) -> None:
        if self._is_closed:
            raise DataError('The page was closed')

    def _new_folder(self) -> Path:
        """Where the next result goes; the oldest makes room."""
        if len(self._kept) == _KEPT:
            shutil.rmtree(self._kept.popleft(), ignore_errors=True)
        self._number += 1
        self._kept.append(self.folder / f'{self._number:06d}')
        return self._kept[-1]

    def close(self, patience_s: float = 10.0) -> bool:
        """Stop the run that goes on, at what it reads next.

        Args:
            patience_s: How long to wait for it.

        Returns:
            bool: Whether nothing is written any more.
        """
        self._is_closed = True
        return self._lock.acquire(timeout=patience_s)
