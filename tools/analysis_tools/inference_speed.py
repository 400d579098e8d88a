"""Memory and speed of tools/infer.py on long videos.

Makes moving videos (H.264 and AAC) in the work folder and keeps them for the
next time. Each measurement is a process of its own, from its start to its
end, that writes masks, overlay and timeline as a user's does; its peak of
memory is what the system counted, without the memory of a GPU. The speed has
two forms: of the whole process, and of the longest video beyond the shortest,
which leaves out how long it takes to start. Where other programs are at work,
the seconds of computing (CPU s) tell more than those on the clock. Example::

    python tools/analysis_tools/inference_speed.py --minutes 1 10 \\
        --infer-options --batch-size 2
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime, timezone
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmseg.registry import MODELS
from rich.console import Console
from rich.table import Table

import mmavs

# What the scripts share lies a folder above them.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from steps.measured_command import measure_command  # noqa: E402
from steps.moving_video import write_moving_video  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
SIZES = {'360p': (640, 360), '720p': (1280, 720), '1080p': (1920, 1080)}
PACKAGES = ('mmsegmentation', 'mmengine', 'numpy', 'av')
console = Console(highlight=False)


class InferenceError(RuntimeError):
    """tools/infer.py failed, or did not write what it should.

    The message ends with the last lines of its output.
    """


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument(
        '--config',
        default=str(ROOT / 'configs' / 'mmvae_tiny_s4.py'),
        help='default: configs/mmvae_tiny_s4.py',
    )
    parser.add_argument(
        '--checkpoint',
        type=Path,
        metavar='FILE',
        help='default: random weights, which take as long',
    )
    parser.add_argument(
        '--minutes',
        type=int,
        nargs='+',
        default=[1, 10],
        metavar='N',
        help='lengths of the videos; default: 1 10',
    )
    parser.add_argument(
        '--size',
        choices=sorted(SIZES),
        default='720p',
        help='of the videos; default: %(default)s',
    )
    parser.add_argument(
        '--video-fps',
        type=int,
        default=25,
        metavar='N',
        help='frames per second of the videos; default: %(default)s',
    )
    parser.add_argument(
        '--fps',
        nargs='+',
        default=['1', 'native'],
        help='frames per second that are segmented; default: 1 native',
    )
    parser.add_argument(
        '--repeat',
        type=int,
        default=1,
        metavar='N',
        help='how often each is measured; default: %(default)s',
    )
    parser.add_argument(
        '--work-dir',
        type=Path,
        default=Path('work_dirs/inference_speed'),
        help='default: %(default)s',
    )
    parser.add_argument(
        '--json',
        type=Path,
        metavar='FILE',
        help='default: inference_speed.json in the work folder',
    )
    parser.add_argument(
        '--infer-options',
        nargs=argparse.REMAINDER,
        default=[],
        metavar='OPTION',
        help='the rest of the line goes to tools/infer.py',
    )
    args = parser.parse_args(argv)
    smallest = min(*args.minutes, args.video_fps, args.repeat)
    if smallest < 1:
        parser.error(
            '--minutes, --video-fps and --repeat must be at least 1, '
            f'got {smallest}'
        )
    # In order, and each once.
    args.minutes = sorted(set(args.minutes))
    args.fps = list(dict.fromkeys(args.fps))
    args.json = args.json or args.work_dir / 'inference_speed.json'
    return args


def prepare_video(args: argparse.Namespace, minutes: int) -> Path:
    """The video of a length, made if it is not there."""
    name = f'moving_{args.size}_{args.video_fps}fps_{minutes}min.mp4'
    path = args.work_dir / 'videos' / name
    if not path.exists():
        console.print(f'making {path}', markup=False, soft_wrap=True)
        write_moving_video(
            path, 60 * minutes, SIZES[args.size], args.video_fps
        )
    return path


def save_random_weights(config: str, path: Path) -> None:
    """Save a checkpoint of the model of a config, not trained at all."""
    model = Config.fromfile(config).model
    # Frozen, it would not run without these weights.
    model.get('audio_backbone', {}).pop('init_cfg', None)
    init_default_scope('mmseg')
    torch.manual_seed(0)
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save(dict(state_dict=MODELS.build(model).state_dict()), path)


def measure(
    args: argparse.Namespace, checkpoint: Path, video: Path, fps: str
) -> dict:
    """Segment a video once.

    Returns:
        What it took, and the number of frames.

    Raises:
        InferenceError: if the tool fails or writes no mask.
    """
    log = args.work_dir / 'infer.log'
    with tempfile.TemporaryDirectory(dir=args.work_dir) as out:
        # A file that begins with '-' is none here.
        command = [
            *(sys.executable, str(ROOT / 'tools' / 'infer.py')),
            str(video.resolve()),
            *('--config', args.config, '--checkpoint', str(checkpoint)),
            *('--out', out, '--fps', fps, *args.infer_options),
        ]
        usage = measure_command(command, log)
        num_frames = len(list(Path(out).glob('*/masks/*.png')))
    if usage.status or not num_frames:
        lines = log.read_text(errors='replace').splitlines()[-15:]
        raise InferenceError(
            '\n'.join(
                [
                    f'{video}: tools/infer.py --fps {fps} exited with '
                    f'{usage.status} and wrote {num_frames} masks',
                    *lines,
                ]
            )
        )
    return dict(asdict(usage), num_frames=num_frames)


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


def describe_machine() -> dict:
    """What the numbers depend on."""
    cores = os.cpu_count()
    if hasattr(os, 'sched_getaffinity'):
        cores = len(os.sched_getaffinity(0))
    return dict(
        system=platform.system(),
        processor=platform.machine(),
        cpu_count=os.cpu_count(),
        usable_cores=cores,
        omp_num_threads=os.environ.get('OMP_NUM_THREADS'),
        gpu=torch.cuda.get_device_name()
        if torch.cuda.is_available()
        else None,
    )


def describe_versions() -> dict[str, str | None]:
    """Versions of Python and of the packages that count."""
    versions: dict[str, str | None] = dict(
        python=platform.python_version(),
        mmavs=mmavs.__version__,
        torch=torch.__version__,
    )
    for package in PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            versions[package] = None
    return versions


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


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print and write; 1 if an inference fails."""
    args = parse_args(argv)
    checkpoint = args.checkpoint
    if checkpoint is None:
        checkpoint = args.work_dir / 'random_weights.pth'
        save_random_weights(args.config, checkpoint)
    videos = {
        minutes: prepare_video(args, minutes) for minutes in args.minutes
    }
    results = []
    for fps in args.fps:
        for minutes, video in videos.items():
            runs = []
            for number in range(args.repeat):
                console.print(
                    f'{minutes} min at fps {fps}, run {number + 1} of '
                    f'{args.repeat}'
                )
                try:
                    runs.append(measure(args, checkpoint, video, fps))
                except InferenceError as error:
                    console.print(str(error), markup=False, soft_wrap=True)
                    return 1
            results.append(summarise(minutes, fps, runs))
    comparisons = [compare_lengths(results, fps) for fps in args.fps]
    comparisons = [item for item in comparisons if item is not None]
    report = dict(
        date=datetime.now(timezone.utc).isoformat(timespec='seconds'),
        versions=describe_versions(),
        machine=describe_machine(),
        settings=dict(
            config=args.config,
            checkpoint=args.checkpoint and str(args.checkpoint),
            size=SIZES[args.size],
            video_fps=args.video_fps,
            repeat=args.repeat,
            infer_options=args.infer_options,
        ),
        results=results,
        comparisons=comparisons,
    )
    args.json.parent.mkdir(parents=True, exist_ok=True)
    args.json.write_text(json.dumps(report, indent=2) + '\n')
    console.print(make_table(results))
    for comparison in comparisons:
        console.print(describe_comparison(comparison), soft_wrap=True)
    console.print(f'written to {args.json}', markup=False, soft_wrap=True)
    return 0


if __name__ == '__main__':
    sys.exit(main())
