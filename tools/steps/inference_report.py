"""What the benchmark of the inference measured, summed up and shown."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from rich.table import Table


def summarise(minutes: int, fps: str, runs: Sequence[dict]) -> dict:
    """Numbers of the runs of one video at one rate, and these runs."""
    wall_s = statistics.median(run['wall_s'] for run in runs)
    return dict(
        minutes=minutes,
        fps=fps,
        num_frames=runs[0]['num_frames'],
        wall_s=wall_s,
        cpu_s=statistics.median(run['cpu_s'] for run in runs),
        video_s_per_s=60 * minutes / wall_s,
        peak_mib=max(run['peak_mib'] for run in runs),
        runs=list(runs),
    )


def compare_lengths(results: Sequence[dict], fps: str) -> dict | None:
    """How the longest video differs from the shortest at one rate.

    Returns:
        ``memory_ratio``, and the speed beyond the shortest on the clock,
        ``video_s_per_s``, and in seconds of computing, ``video_s_per_cpu_s``
        (None if the longest was not slower). None if there is one length.
    """
    same = [result for result in results if result['fps'] == fps]
    short = min(same, key=lambda result: result['minutes'])
    long = max(same, key=lambda result: result['minutes'])
    if short is long:
        return None
    more_video_s = 60 * (long['minutes'] - short['minutes'])

    def speed(key: str) -> float | None:
        more_s = long[key] - short[key]
        return more_video_s / more_s if more_s > 0 else None

    return dict(
        fps=fps,
        minutes=[short['minutes'], long['minutes']],
        memory_ratio=long['peak_mib'] / short['peak_mib'],
        video_s_per_s=speed('wall_s'),
        video_s_per_cpu_s=speed('cpu_s'),
    )


def make_table(results: Sequence[dict]) -> Table:
    """One row per video and rate."""
    table = Table()
    for column in ('minutes', 'fps', 'frames', 'seconds', 'CPU s'):
        table.add_column(column, justify='right', no_wrap=True)
    table.add_column('video s / s', justify='right', no_wrap=True)
    table.add_column('peak MiB', justify='right', no_wrap=True)
    for result in results:
        table.add_row(
            str(result['minutes']),
            result['fps'],
            str(result['num_frames']),
            f'{result["wall_s"]:.1f}',
            f'{result["cpu_s"]:.1f}',
            f'{result["video_s_per_s"]:.2f}',
            f'{result["peak_mib"]:.0f}',
        )
    return table


def describe_comparison(comparison: dict) -> str:
    """One line on what a longer video takes."""
    short, long = comparison['minutes']
    text = (
        f'fps {comparison["fps"]}: {long} min take '
        f'{comparison["memory_ratio"]:.3f} times the memory of {short} min'
    )
    speeds = comparison['video_s_per_s'], comparison['video_s_per_cpu_s']
    if None in speeds:
        return text
    return (
        f'{text}; without the start {speeds[0]:.2f} s of video a second, '
        f'{speeds[1]:.2f} a second of computing'
    )
