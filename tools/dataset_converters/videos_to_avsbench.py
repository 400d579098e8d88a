"""Make a data set in the layout of AVSBench of videos and a list of clips.

Writes OUT/Single-source (s4), OUT/Multi-sources (ms3) or
OUT/AVSBench-semantic (avss) as the data sets of the configs read them: for
every clip a frame a second at the published times, and its sound as a wav of
16 kHz. Example::

    python tools/dataset_converters/videos_to_avsbench.py \\
        videos clips.csv data/mine --subset s4 --masks annotations
"""

import argparse
import os
import sys
from pathlib import Path

from mmavs.datasets.conversion import convert_videos
from mmavs.datasets.errors import DataError
from mmavs.datasets.files import printable
from mmavs.datasets.layout import LAYOUTS
from mmavs.datasets.videos import VideoLimits

# What the scripts share lies a folder above them.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from steps.progress import progress_bar  # noqa: E402

COLUMNS = """
CSV has a header; these columns are found by it, in any order, others are
passed over:
  video     a file, relative to VIDEOS_DIR; without it a clip's video is the
            file below VIDEOS_DIR that has its id as the name, whatever the
            extension
  id        the clip's name, in a column video_id (s4 also: name; avss also:
            uid); without it the name of the video
  start     where the clip begins, in seconds since the first frame
            (default: 0; avss also: minutes s_min and seconds s_sec)
  split     train, val or test
  category  s4 only: the folder of the clip
  label     avss only: v1s or v1m (5 seconds) or v2 (10 seconds)
  a_obj     avss only, may be missing: what sounds, joined with _
  vid       avss only, may be missing: a note, where the clip is from
The published CSV files of AVSBench are such files, with or without header.

Masks are looked for in the --masks folder under their paths in the layout,
of which leading folders may be left out: s4_data/gt_masks/train/dog/ID/
ID_1.png, or dog/ID/ID_1.png, or just ID_1.png. They are copied as they are
and must have the size of the frames. For avss there must be a label2idx.json,
too; without --masks one is made of the a_obj column.

Interrupted, the same command goes on where it was. The exit status is 1 if a
clip could not be made.
"""


def parse_args():
    parser = argparse.ArgumentParser(
        description='Make a data set in the layout of AVSBench of videos.',
        epilog=COLUMNS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        'videos', metavar='VIDEOS_DIR', help='folder with the videos'
    )
    parser.add_argument('csv', metavar='CSV', help='list of the clips')
    parser.add_argument(
        'out', metavar='OUT', help="the layout's folder is made in this one"
    )
    parser.add_argument('--subset', required=True, choices=sorted(LAYOUTS))
    parser.add_argument('--masks', help='folder to copy masks from')
    parser.add_argument(
        '--size',
        nargs=2,
        type=int,
        metavar=('HEIGHT', 'WIDTH'),
        help='size of the frames, which changes their shape (default: s4 and '
        'ms3 224 224 as published, avss that of the video)',
    )
    parser.add_argument(
        '--trimmed',
        action='store_true',
        help='the videos are the clips already, as the raw videos of '
        'AVSBench are: begin where they begin, whatever the start says',
    )
    parser.add_argument(
        '--workers',
        type=int,
        default=os.cpu_count() or 1,
        help='processes; 0 works in this one (default: one for each core)',
    )
    parser.add_argument(
        '--time-limit',
        type=float,
        default=VideoLimits.max_wall_s,
        metavar='SECONDS',
        help='longest time to read the frames, or the sound, of a clip '
        '(default: %(default)g)',
    )
    args = parser.parse_args()
    if args.size is not None and not all(0 < n <= 8192 for n in args.size):
        parser.error(f'--size must be from 1 to 8192, got {args.size}')
    if args.workers < 0:
        parser.error(f'--workers must be at least 0, got {args.workers}')
    if not args.time_limit > 0:
        parser.error(f'--time-limit must be positive, got {args.time_limit}')
    return args


def convert(args):
    with progress_bar('clips') as progress:
        return convert_videos(
            args.videos,
            args.csv,
            args.out,
            args.subset,
            masks=args.masks,
            frame_size=args.size and tuple(args.size),
            trimmed=args.trimmed,
            num_workers=args.workers,
            limits=VideoLimits(max_wall_s=args.time_limit),
            progress=progress,
        )


def main():
    args = parse_args()
    try:
        report = convert(args)
    except (DataError, OSError) as error:
        sys.exit(printable(f'error: {error}'))
    except KeyboardInterrupt:
        sys.exit('interrupted: the same command goes on from here')
    for video_id, reason in report.broken:
        print(printable(f'broken: {video_id!r}: {reason}'))
    print(
        f'{report.made} clips made, {report.kept} there already, '
        f'{len(report.broken)} broken, in {printable(str(report.root))}'
    )
    sys.exit(1 if report.broken else 0)


if __name__ == '__main__':
    main()
