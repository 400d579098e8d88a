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
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime, timezone
from pathlib import Path

import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmseg.registry import MODELS
from rich.console import Console

# What the scripts share lies a folder above them.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from steps.environment import describe_environment  # noqa: E402
from steps.inference_report import (  # noqa: E402
    compare_lengths,
    describe_comparison,
    make_table,
    summarise,
)
from steps.measured_command import measure_command  # noqa: E402
from steps.moving_video import write_moving_video  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
SIZES = {'360p': (640, 360), '720p': (1280, 720), '1080p': (1920, 1080)}
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
        failure = (
            f'{video}: tools/infer.py --fps {fps} exited with '
            f'{usage.status} and wrote {num_frames} masks'
        )
        raise InferenceError('\n'.join([failure, *lines]))
    return dict(asdict(usage), num_frames=num_frames)


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
    comparisons = [
        comparison
        for fps in args.fps
        if (comparison := compare_lengths(results, fps))
    ]
    report = dict(
        date=datetime.now(timezone.utc).isoformat(timespec='seconds'),
        **describe_environment(),
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
