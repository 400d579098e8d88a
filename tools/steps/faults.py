"""Transforms that do to a training what machines and disks do."""

from __future__ import annotations

import os
import signal
import time
import zlib
from pathlib import Path

import numpy as np
from mmcv.transforms import BaseTransform
from mmseg.registry import TRANSFORMS
from torch.utils.data import get_worker_info


@TRANSFORMS.register_module()
class SlowDisk(BaseTransform):
    """Waits, for some clips, as on a disk that others use as well.

    Args:
        share: of the clips.
        seconds: to wait for each of them.
    """

    def __init__(self, share: float, seconds: float) -> None:
        self.share = share
        self.seconds = seconds

    def transform(self, results: dict) -> dict:
        """Wait; which clips does not depend on any generator."""
        place = zlib.crc32(results['video_id'].encode()) / 2**32
        if place < self.share:
            time.sleep(self.seconds)
        return results


@TRANSFORMS.register_module()
class NaNClip(BaseTransform):
    """Puts NaN into the sound of one clip.

    Args:
        video_id: of the clip.
    """

    def __init__(self, video_id: str) -> None:
        self.video_id = video_id

    def transform(self, results: dict) -> dict:
        """Damage one value of the log-mel."""
        if results['video_id'] == self.video_id:
            results['log_mel'] = results['log_mel'].copy()
            results['log_mel'].flat[0] = np.nan
        return results


@TRANSFORMS.register_module()
class KilledWorker(BaseTransform):
    """Lets the system kill a process that loads data, once.

    Args:
        video_id: of the clip that it dies at.
        done: a file that says that it has died.
    """

    def __init__(self, video_id: str, done: str) -> None:
        self.video_id = video_id
        self.done = Path(done)

    def transform(self, results: dict) -> dict:
        """Die, in a worker process, if none has died yet."""
        if (
            results['video_id'] == self.video_id
            and get_worker_info() is not None
            and not self.done.exists()
        ):
            self.done.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return results
