"""The check of a whole folder."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from mmavs.datasets.checking.clip_checker import check_clip
from mmavs.datasets.checking.clip_findings import ClipFindings
from mmavs.datasets.checking.clip_index import ClipIndex, read_index
from mmavs.datasets.checking.clip_task import ClipTask
from mmavs.datasets.checking.duplicates import Seen, find_shared_content
from mmavs.datasets.checking.problem import Problem
from mmavs.datasets.checking.report import Report
from mmavs.datasets.checking.setting import find_settings
from mmavs.datasets.checking.split_counts import SplitCounts
from mmavs.datasets.checking.stray_files import find_stray_files
from mmavs.datasets.layout import SPLITS
from mmavs.datasets.processes import Failure, run_tasks

__all__ = ['check_avsbench']

Progress = Callable[[int, int], None]


def check_avsbench(
    root: str | Path,
    settings: Sequence[str] = (),
    is_quick: bool = False,
    num_workers: int = 0,
    time_limit_s: float = 60.0,
    progress: Progress | None = None,
) -> Report:
    """Check that a folder holds what training and testing read.

    Every file is read by the function that training reads it with, so what
    is checked loads. One fault never hides another.

    Args:
        root: the folder that holds ``Single-source``, ``Multi-sources`` or
            ``AVSBench-semantic``, or one of these.
        settings: ``s4``, ``ms3`` or ``avss``; by default those that are
            there.
        is_quick: read headers only: broken images and duplicates stay
            undetected.
        num_workers: processes; 0 checks in this one, in which a file that
            cannot be read within the limit is waited for.
        time_limit_s: longest time for one clip.
        progress: called with how many clips are done, and of how many.

    Returns:
        What is there, and everything that is wrong.

    Raises:
        MissingDataError: if there is nothing to check.
    """
    found = find_settings(root, settings)
    indices = [read_index(root, setting) for setting in found]
    listed = [(index, clip) for index in indices for clip in index.clips]
    tasks = [
        ClipTask(
            number, str(root), index.setting, clip, index.num_classes, is_quick
        )
        for number, (index, clip) in enumerate(listed)
    ]
    findings = _check_clips(tasks, num_workers, time_limit_s, progress)
    counts: list[SplitCounts] = []
    problems: list[Problem] = []
    start = 0
    for index in indices:
        end = start + len(index.clips)
        clips = findings[start:end]
        counts += _count(index, clips)
        problems += index.problems
        problems += [p for clip in clips for p in clip.problems]
        problems += find_stray_files(root, index.setting, index.clips)
        problems += _find_duplicates(index, clips)
        start = end
    return Report(str(root), is_quick, counts, problems)


def _check_clips(
    tasks: Sequence[ClipTask],
    num_workers: int,
    time_limit_s: float,
    progress: Progress | None,
) -> list[ClipFindings]:
    """Check every clip, without the files that nobody survives reading."""
    findings = [ClipFindings() for _ in tasks]
    crashes: list[list[Problem]] = [[] for _ in tasks]
    waiting, done = list(tasks), 0
    while waiting:
        again = []
        for task, result in run_tasks(
            check_clip, waiting, num_workers, time_limit_s
        ):
            is_done = True
            if isinstance(result, Failure):
                crashes[task.number].append(_crash(task, result))
                is_done = result.at in task.skipped
            else:
                findings[task.number] = result
            if is_done:
                done += 1
                if progress is not None:
                    progress(done, len(tasks))
            else:
                # The other files of the clip may be well.
                skipped = task.skipped | {result.at}
                again.append(replace(task, skipped=skipped))
        waiting = again
    for clip, problems in zip(findings, crashes, strict=True):
        clip.problems += problems
    return findings


def _crash(task: ClipTask, failure: Failure) -> Problem:
    video_id = task.clip['video_id']
    message = f'{failure.at or video_id}: {failure.reason}'
    return Problem.of('crashed', failure.at, message, video_id)


def _count(
    index: ClipIndex, findings: Sequence[ClipFindings]
) -> Iterator[SplitCounts]:
    """Count the clips of each subset and split that is listed or known."""
    layout = index.setting.layout
    for subset in layout.subsets:
        for split in SPLITS:
            chosen = [
                clip_findings
                for clip, clip_findings in zip(
                    index.clips, findings, strict=True
                )
                if (layout.subset(clip), clip['split']) == (subset, split)
            ]
            published = layout.published.get((subset, split))
            if chosen or published is not None:
                yield SplitCounts.of(subset, split, published, chosen)


def _find_duplicates(
    index: ClipIndex, findings: Sequence[ClipFindings]
) -> list[Problem]:
    """Compare what the clips of different splits show and play."""
    frames: list[Seen] = []
    audio: list[Seen] = []
    listed = zip(index.clips, findings, strict=True)
    for clip, found in sorted(
        listed, key=lambda pair: SPLITS.index(pair[0]['split'])
    ):
        of_clip = clip['video_id'], clip['split']
        for files, digests in (
            (frames, found.frame_digests),
            (audio, found.audio_digests),
        ):
            files += [Seen(p, d, *of_clip) for p, d in digests.items()]
    return [
        *find_shared_content(frames, 'same_frame'),
        *find_shared_content(audio, 'same_audio'),
    ]
