"""The command line of ``tools/infer.py``.

Nothing here imports torch or mmavs: help, and what is wrong with the command
line, come at once.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from fractions import Fraction
from typing import NoReturn

from .inference_checks import check_files
from .messages import refuse

DESCRIPTION = """
Find the pixels of what sounds in videos: a mask for each frame, an overlay
mp4 with the sound, a picture over time and the numbers.
"""
EXPLANATION = """
INPUT is a video; a folder of videos; or one recording as a folder of frames
(JPEG or PNG, one a second, in the order of their names) with one sound file.
Names may begin with '-'.

Every input gets a folder OUT/NAME, complete or not at all:
  masks/000001.png, ...  at the size of the video: 0 and 255, or the index of
                         the class with a palette
  overlay.mp4            the frames that were segmented, and what was heard;
                         with several classes their names
  timeline.png           sound, sounding area and frames over time
  result.json            settings, and of each frame its time and area
  uncertainty/*.png      with --samples: 0 to 0.5 as 0 to 255
  probabilities/*.png    with --probabilities: 0 to 1 as 0 to 255
  codes.npz              with --codes
An older result of the same file is replaced. Anything else is left alone: the
result of another file of that name goes to OUT/NAME_2 and so on, and is found
again there by the next run.

How many frames a second (--fps):
  1       as the published data: a frame for each second of the video, just
          before its end (1/16 s). Frame k of a window, k = 1, 2, ..., hears
          the 0.975 s from 0.96 (k - 1) s after the beginning of the window
          on. The times do not drift, however long the video is.
  5, ...  so many frames a second, each with the 0.975 s of sound around it.
  native  every frame of the video, likewise.

The model looks at windows of T frames, as many as the clips of its data set
have (5 or 10), and T is less for a video with fewer. With --overlap N windows
share N frames with the next one; what they say of these is averaged. This
costs T / (T - N) times the work, and makes borders of windows less visible.
Memory does not depend on the length of a video.

A video without sound, or silent from beginning to end, is an input that
fails: there is nothing to listen to. With --no-audio-policy silence it is
segmented all the same, as if silence had been recorded.

The exit status is 0; 1 if an input failed, which does not keep the others
from being done; 2 if the command line, the config or the checkpoint is
wrong; 130 after Ctrl-C.
"""


class Parser(argparse.ArgumentParser):
    """A parser whose errors are one line."""

    def error(self, message: str) -> NoReturn:
        """Say what is wrong and leave."""
        refuse(f'{message} (--help explains)')


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = Parser(
        description=DESCRIPTION,
        epilog=EXPLANATION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument('inputs', nargs='+', metavar='INPUT', help='see below')
    parser.add_argument(
        '--config',
        required=True,
        help='path of a config, or name of one in configs/',
    )
    parser.add_argument(
        '--checkpoint',
        metavar='FILE',
        help='weights of the model; without, they are random, which is only '
        'good for trying',
    )
    parser.add_argument(
        '--out', required=True, metavar='DIR', help='where the results go'
    )
    parser.add_argument(
        '--fps',
        type=frame_rate,
        default=1,
        metavar='1|5|native',
        help='frames a second, see below (default: %(default)s)',
    )
    parser.add_argument(
        '--overlap',
        type=whole_number(0),
        default=0,
        metavar='N',
        help='frames that a window shares with the next one (default: '
        '%(default)s)',
    )
    parser.add_argument(
        '--batch-size',
        type=whole_number(1),
        default=1,
        metavar='N',
        help='windows at a time (default: %(default)s)',
    )
    parser.add_argument(
        '--samples',
        type=number_of_draws,
        metavar='N',
        help='draw the latent codes N times, average, and write how far the '
        'draws are apart; 0 takes the means of the codes (default: as the '
        'config says, mostly 0)',
    )
    parser.add_argument(
        '--seed',
        type=whole_number(0),
        default=0,
        metavar='N',
        help='of the draws: the same gives the same (default: %(default)s)',
    )
    parser.add_argument(
        '--precision',
        choices=['float32', 'bfloat16'],
        default='float32',
        help='numbers to calculate with (default: %(default)s)',
    )
    parser.add_argument(
        '--device', help='cpu, cuda, cuda:1, ... (default: a GPU if any)'
    )
    parser.add_argument(
        '--sound',
        default='matched',
        metavar='matched|silence|noise|FILE',
        help='what is heard in the place of the sound of the inputs, to see '
        'whether the model listens; a FILE, video or audio, is repeated as '
        'often as needed (default: %(default)s, their own)',
    )
    parser.add_argument(
        '--no-audio-policy',
        choices=['error', 'silence'],
        default='error',
        help='what to do without sound, see below (default: %(default)s)',
    )
    parser.add_argument(
        '--no-overlay', action='store_true', help='no overlay.mp4'
    )
    parser.add_argument(
        '--no-timeline', action='store_true', help='no timeline.png'
    )
    parser.add_argument(
        '--probabilities',
        action='store_true',
        help='write the probabilities of the foreground, too',
    )
    parser.add_argument(
        '--codes', action='store_true', help='write the latent codes, too'
    )
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        default=[],
        metavar='KEY=VALUE',
        help='change settings of the config, as tools/test.py does',
    )
    arguments = [as_path(text, parser) for text in sys.argv[1:]]
    args = parser.parse_intermixed_args(arguments)
    check_files(args)
    return args


def whole_number(minimum: int) -> Callable[[str], int]:
    """Make the type of an option that counts something."""

    def convert(text: str) -> int:
        if not text.isdecimal() or int(text) < minimum:
            raise argparse.ArgumentTypeError(
                f'must be a whole number, {minimum} at least, got {text!r}'
            )
        return int(text)

    return convert


def number_of_draws(text: str) -> int:
    """Check the option: not a single one."""
    number = whole_number(0)(text)
    if number == 1:
        raise argparse.ArgumentTypeError(
            'must be 0, or 2 and more: one draw has no spread, got 1'
        )
    return number


def frame_rate(text: str) -> int | str:
    """Check the option: a number, a fraction or 'native'."""
    try:
        if text != 'native' and Fraction(text) <= 0:
            raise ValueError
    except (ValueError, ZeroDivisionError):
        raise argparse.ArgumentTypeError(
            f"must be a number above 0, or 'native', got {text!r}"
        ) from None
    return text


def as_path(text: str, parser: argparse.ArgumentParser) -> str:
    """Mark a file whose name looks like an option as a file."""
    known = text in parser._option_string_actions
    if text.startswith('-') and not known and os.path.lexists(text):
        return os.path.join(os.curdir, text)
    return text
