"""Make videos of clips of a data set in the layout of AVSBench.

Each becomes OUT/ID.mp4, its frames a second each, with its sound: to watch
them, or to try what works on videos. Example::

    python tools/dataset_converters/avsbench_to_videos.py \\
        data/AVSBench videos --subset ms3 --split test --limit 3
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from mmavs.datasets.conversion import clip_paths, write_clip_video
from mmavs.datasets.errors import DataError
from mmavs.datasets.files import printable, read_file
from mmavs.datasets.layout import LAYOUTS, SPLITS, read_clips

# What the scripts share lies a folder above them.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from steps.progress import progress_bar  # noqa: E402


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        'data', metavar='DATA', help="the folder with the layout's folder"
    )
    parser.add_argument('out', metavar='OUT', help='folder of the videos')
    parser.add_argument('--subset', required=True, choices=sorted(LAYOUTS))
    parser.add_argument(
        '--split', choices=SPLITS, help='only clips of this split'
    )
    parser.add_argument(
        '--id',
        action='append',
        metavar='ID',
        help='only this clip, written --id=ID where it begins with a dash; '
        'may be given several times',
    )
    parser.add_argument(
        '--limit', type=int, metavar='N', help='only the first N of them'
    )
    args = parser.parse_args()
    if args.limit is not None and args.limit < 1:
        parser.error(f'--limit must be at least 1, got {args.limit}')
    return args


def choose(args: argparse.Namespace, root: Path) -> list[dict[str, str]]:
    """Rows of the clips that are asked for."""
    layout = LAYOUTS[args.subset]
    name = str(root / layout.csv_name)
    content = read_file(name, 'CSV file')
    clips = [
        clip
        for clip in read_clips(content, layout.columns, name)
        if args.split in (None, clip['split'])
    ]
    if args.id is not None:
        unknown = set(args.id).difference(c['video_id'] for c in clips)
        if unknown:
            raise DataError(f'{name} has no clip {", ".join(sorted(unknown))}')
        clips = [clip for clip in clips if clip['video_id'] in args.id]
    if not clips:
        raise DataError(f'{name} has no clip of the split {args.split!r}')
    return clips[: args.limit]


def main() -> None:
    """Write the videos."""
    args = parse_args()
    layout = LAYOUTS[args.subset]
    root, out = Path(args.data, layout.root), Path(args.out)
    broken = 0
    try:
        clips = choose(args, root)
        out.mkdir(parents=True, exist_ok=True)
        with progress_bar('clips') as progress:
            for number, clip in enumerate(clips, 1):
                path = out / f'{clip["video_id"]}.mp4'
                try:
                    *frames, audio = (
                        str(root / name) for name in clip_paths(layout, clip)
                    )
                    write_clip_video(path, frames, audio)
                except (DataError, ValueError) as error:
                    broken += 1
                    print(printable(f'broken: {path.stem}: {error}'))
                progress(number, len(clips))
    except (DataError, OSError) as error:
        sys.exit(printable(f'error: {error}'))
    print(printable(f'{len(clips) - broken} videos in {out}'))
    sys.exit(1 if broken else 0)


if __name__ == '__main__':
    main()
