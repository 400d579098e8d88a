"""All files of one clip, checked in one go."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import lru_cache

import numpy as np

from mmavs.datasets.checking.clip_audio import check_audio
from mmavs.datasets.checking.clip_files import ClipFiles
from mmavs.datasets.checking.clip_findings import ClipFindings
from mmavs.datasets.checking.clip_task import ClipTask
from mmavs.datasets.checking.images import (
    check_binary_mask,
    check_frame,
    check_header,
    check_semantic_mask,
    is_uniform,
)
from mmavs.datasets.layout import class_palette
from mmavs.datasets.transforms.pack_avs_inputs import digest_array

__all__ = ['check_clip']

_NEEDED = ('img_path', 'seg_map_path', 'audio_path', 'log_mel_path')

_palette = lru_cache(maxsize=4)(class_palette)


def check_clip(task: ClipTask, watch: Callable[[str], None]) -> ClipFindings:
    """Check all files of a clip.

    Args:
        task: the clip.
        watch: is told the path of every file before it is opened.

    Returns:
        What was found.
    """
    return _ClipChecker(task, watch).check()


class _ClipChecker:
    """The checks of one clip.

    Args:
        task: the clip.
        watch: is told the path of every file before it is opened.
    """

    def __init__(self, task: ClipTask, watch: Callable[[str], None]) -> None:
        self.task = task
        self.clip = task.clip
        self.layout = task.setting.layout
        self.files = ClipFiles(task, watch)
        # Frame number to (H, W), of what could be read.
        self.frame_sizes: dict[int, tuple[int, int]] = {}
        self.mask_sizes: dict[int, tuple[int, int]] = {}

    def check(self) -> ClipFindings:
        """Check everything."""
        for k in self.layout.frame_numbers(self.clip):
            self._check_frame(k)
        for k in self.layout.labelled_numbers(self.clip):
            self._check_mask(k)
        self._check_sizes()
        check_audio(self.files)
        if 'video_path' in self.layout.patterns:
            path = self.files.path('video_path')
            report = self.files.reporter(path, is_needed=False)
            self.files.is_there('video_path', path, report, is_missed=False)
        if not any(self.files.findings.found[key] for key in _NEEDED):
            self.files.report_no_files()
        return self.files.findings

    def _check_frame(self, k: int) -> None:
        path = self.files.path('img_path', k)
        report = self.files.reporter(path)
        if not self.files.is_there('img_path', path, report):
            return
        content = self.files.read(path, report)
        if content is None:
            return
        if self.task.is_quick:
            size = check_header(content, path, 'frame', report)
            if size is not None:
                self.frame_sizes[k] = size
            return
        frame = check_frame(content, path, report)
        if frame is None:
            return
        self.frame_sizes[k] = frame.shape[:2]
        if not is_uniform(frame):
            self.files.findings.frame_digests[path] = digest_array(frame)

    def _check_mask(self, k: int) -> None:
        """Check the mask of a frame, and the coloured form of it."""
        mask = self._load_mask('seg_map_path', k)
        if mask is not None and not mask.any():
            self._check_emptiness(self.files.path('seg_map_path', k))
        if 'seg_map_rgb_path' not in self.layout.patterns:
            return
        other = self._load_mask('seg_map_rgb_path', k)
        if mask is None or other is None or np.array_equal(mask, other):
            return
        path = self.files.path('seg_map_rgb_path', k)
        if mask.shape == other.shape:
            said = (
                f'shows other classes in {int((mask != other).sum())} pixels'
            )
        else:
            said = f'has the size {other.shape}, not {mask.shape}'
        self.files.reporter(path, is_needed=False)(
            'masks_disagree',
            f'{path} {said} than {self.files.path("seg_map_path", k)}',
        )

    def _load_mask(self, key: str, k: int) -> np.ndarray | None:
        path = self.files.path(key, k)
        # The data set reads the coloured masks only if told to.
        is_needed = key == 'seg_map_path'
        report = self.files.reporter(path, is_needed)
        if not self.files.is_there(key, path, report, is_missed=is_needed):
            return None
        content = self.files.read(path, report)
        if content is None:
            return None
        if self.task.is_quick:
            size = check_header(content, path, 'mask', report)
            if size is not None and is_needed:
                self.mask_sizes[k] = size
            return None
        if not self.layout.semantic:
            mask = check_binary_mask(content, path, report)
        else:
            kind = 'class_index' if is_needed else 'mask_colour'
            mask = check_semantic_mask(
                content, path, _palette(self.task.num_classes), report, kind
            )
        if mask is not None and is_needed:
            self.mask_sizes[k] = mask.shape
        return mask

    def _check_emptiness(self, path: str) -> None:
        if self.layout.allow_empty_masks:
            return
        is_training = self.clip['split'] == 'train'
        self.files.reporter(path, is_needed=is_training)(
            'empty_mask',
            f'mask {path} is empty, '
            + (
                'which its layout excludes in training'
                if is_training
                else 'although something sounds in every frame of its layout'
            ),
        )

    def _check_sizes(self) -> None:
        """Compare every mask with its frame, and frames with each other."""
        usual = self.layout.frame_size
        if usual is None and self.frame_sizes:
            counts = Counter(self.frame_sizes.values())
            usual = counts.most_common(1)[0][0]

        def report(key: str, k: int, kind: str, said: str) -> None:
            path = self.files.path(key, k)
            self.files.reporter(path)(kind, f'{path} is {said}')

        for k, mask in self.mask_sizes.items():
            frame = self.frame_sizes.get(k, usual)
            if frame in (None, mask):
                continue
            if mask == usual:
                key, said = 'img_path', f'{frame}, its mask {mask}'
            else:
                key, said = 'seg_map_path', f'{mask}, its frame {frame}'
            report(key, k, 'wrong_size', said)
        for k, frame in self.frame_sizes.items():
            # One that its usual mask does not fit is reported by now.
            if frame != usual and self.mask_sizes.get(k) != usual:
                report('img_path', k, 'frame_size', f'{frame}, not {usual}')
