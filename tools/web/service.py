"""What happens to a clip that somebody gives to the page."""

from __future__ import annotations

import os
import shutil
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch

from mmavs.apis import AVSInferencer
from mmavs.datasets.errors import DataError
from mmavs.datasets.videos import probe_video
from mmavs.inference.results.prediction_files import write_prediction

FPS = {'1': 1, '5': 5, 'native': 'native'}
MEGABYTE = 2**20  # as browsers count
# Results of so many runs stay in the folder.
_KEPT = 4


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
        max_megabytes: Largest file, in units of 2^20 bytes.
        max_seconds: Longest clip.
    """

    def __init__(
        self,
        inferencer: AVSInferencer,
        folder: str | os.PathLike,
        max_megabytes: float = 50,
        max_seconds: float = 60,
    ) -> None:
        self.inferencer = inferencer
        self.folder = Path(folder)
        self.max_megabytes = max_megabytes
        self.max_seconds = max_seconds
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
            RefusedClipError: If something that was given cannot be used.
        """
        if not video:
            raise RefusedClipError('There is no clip yet: upload or record it')
        if sound == 'another' and not other:
            raise RefusedClipError(
                "To hear another clip's sound, upload that clip as well"
            )
        if sound != 'another':
            other = None
        paths = [path for path in (video, other) if path]

        def watch(done_s: float, total_s: float | None) -> None:
            if self._is_closed:
                raise DataError('The page was closed')
            # What a file says of its length may be missing, or wrong.
            self._check_duration(video, done_s)
            if progress is not None:
                progress(done_s, total_s)

        try:
            for path in paths:
                self._check_size(path)
            self._check_duration(video, probe_video(video).duration_s)
            with self._lock:
                folder = self._new_folder()
                self.inferencer.model.test_cfg.num_samples = num_samples
                torch.manual_seed(0)  # the same draws, whatever the sound
                result = write_prediction(
                    self.inferencer,
                    video,
                    folder,
                    fps=FPS[fps],
                    sound=other or sound,
                    progress=watch,
                )
        except (DataError, ValueError) as error:
            message = str(error)
            for path in paths:
                message = message.replace(path, os.path.basename(path))
            raise RefusedClipError(message) from error
        summary = result['summary']
        return Run(
            folder / result['files']['overlay'],
            folder / result['files']['timeline'],
            summary['num_frames'],
            summary['duration_s'],
            summary['area_share'],
            summary['uncertainty'],
        )

    def _check_size(self, path: str) -> None:
        if not os.path.exists(path):
            raise DataError(f'{path} is not here any more: upload it again')
        megabytes = os.path.getsize(path) / MEGABYTE
        if megabytes > self.max_megabytes:
            raise DataError(
                f'{path} has {megabytes:.1f} MB, files on this page have at '
                f'most {self.max_megabytes:g} MB'
            )

    def _check_duration(self, path: str, duration_s: float | None) -> None:
        # A second more: windows are filled up to whole seconds.
        if duration_s is not None and duration_s > self.max_seconds + 1:
            raise DataError(
                f'{path} lasts {duration_s:.1f} s, clips on this page last '
                f'at most {self.max_seconds:g} s'
            )

    def _new_folder(self) -> Path:
        """Where the next result goes; the oldest makes room."""
        if len(self._kept) == _KEPT:
            shutil.rmtree(self._kept.popleft(), ignore_errors=True)
        self._number += 1
        self._kept.append(self.folder / f'{self._number:06d}')
        return self._kept[-1]

    def close(self) -> None:
        """Stop the run that goes on, at its next frame."""
        self._is_closed = True
        with self._lock:
            pass
