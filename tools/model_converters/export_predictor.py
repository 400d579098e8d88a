"""Write a trained model as a file that needs no mmavs, and no torch as ONNX.

The file takes frames and log-mels of clips and gives probabilities; colour
order, mean and standard deviation are inside. It is compared with the model
on random input before it is kept. docs/export.md has a program that runs it.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from mmengine.config import DictAction
from rich.console import Console

from mmavs.apis import AVSInferencer
from mmavs.compat.safe_unpickling import UnsafeCheckpointError
from mmavs.converters import check_target
from mmavs.export import (
    ClipPredictor,
    ExportError,
    check_agreement,
    complete_file,
    describe_export,
    export_program,
    frame_size,
    load_onnx,
    load_program,
    missing_packages,
    save_onnx,
    save_program,
)

ENDINGS = dict(onnx='.onnx', torch='.pt2')


def count(text: str) -> int | None:
    """Read a whole number above 0, or «dynamic» as None."""
    if text == 'dynamic':
        return None
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(
            f'{text!r} is neither a whole number, 1 or more, nor dynamic'
        )
    return int(text)


def pixels(text: str) -> int:
    """Read a side of the frames."""
    if not text.isdecimal() or int(text) < 32:
        raise argparse.ArgumentTypeError(
            f'{text!r} is not a whole number, 32 or more'
        )
    return int(text)


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument('config', help='file, or name of one in configs/')
    parser.add_argument('checkpoint', help='trained weights')
    parser.add_argument('--format', choices=sorted(ENDINGS), default='onnx')
    parser.add_argument(
        '--out', required=True, metavar='FILE', help='.onnx, or .pt2 of torch'
    )
    parser.add_argument(
        '--num-frames',
        type=count,
        default='dynamic',
        metavar='T',
        help='frames of a clip, or dynamic: any number; default: %(default)s',
    )
    parser.add_argument(
        '--batch-size',
        type=count,
        default='dynamic',
        metavar='B',
        help='clips, or dynamic: any number; default: %(default)s',
    )
    parser.add_argument(
        '--size',
        type=pixels,
        nargs=2,
        metavar=('H', 'W'),
        help='of the frames; default: that of the test pipeline',
    )
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=DictAction,
        help='changes of the config, KEY=VALUE',
    )
    parser.add_argument(
        '--force', action='store_true', help='replace FILE if it exists'
    )
    args = parser.parse_args(argv)
    if not args.out.endswith(ENDINGS[args.format]):
        parser.error(
            f'--out {args.out} must end in {ENDINGS[args.format]} for '
            f'--format {args.format}'
        )
    return args


def export_file(args: argparse.Namespace) -> dict[tuple[int, int], float]:
    """Record, write, compare.

    Returns:
        Numbers of clips and frames that were compared, to the largest
        difference from the model.

    Raises:
        ExportError: if the model cannot be exported, or the file computes
            something else.
        OSError, RuntimeError, UnsafeCheckpointError, ValueError: if a file
            cannot be read or written, or the weights do not fit the config.
    """
    check_target(args.out, args.force)
    if args.format == 'onnx' and (missing := missing_packages()):
        raise ExportError(
            f'--format onnx needs {", ".join(missing)}: pip install '
            "'mmavs[export]', or from a checkout pip install -r "
            'requirements/export.txt'
        )
    inferencer = AVSInferencer(
        args.config,
        args.checkpoint,
        device='cpu',
        cfg_options=args.cfg_options,
    )
    size = args.size or frame_size(
        inferencer.config.test_dataloader.dataset.pipeline
    )
    if size is None:
        raise ExportError(
            f'the test pipeline of {inferencer.config_name} does not resize '
            'every frame to one size: say which with --size H W'
        )
    predictor, size = ClipPredictor(inferencer.model), tuple(size)
    metadata = describe_export(
        predictor,
        config_name=inferencer.config_name,
        classes=inferencer.classes,
        num_frames=args.num_frames or inferencer.num_frames,
        size=size,
    )
    program = export_program(predictor, size, args.num_frames, args.batch_size)
    save, load = (
        (save_onnx, load_onnx)
        if args.format == 'onnx'
        else (save_program, load_program)
    )
    # Where a size is free, it is to be so: one clip, two shorter ones, a
    # longer one.
    shapes = {
        (args.batch_size or 1, args.num_frames or inferencer.num_frames),
        (args.batch_size or 2, args.num_frames or 3),
        (args.batch_size or 1, args.num_frames or 10),
    }
    if args.format == 'torch' and None in (args.batch_size, args.num_frames):
        shapes.discard((1, 1))  # which such a program refuses
    with complete_file(args.out) as path:
        save(program, path, metadata)
        exported, _ = load(path)
        return check_agreement(predictor, exported, size, sorted(shapes))


def main(argv: Sequence[str] | None = None) -> int:
    """Export, or say why nothing was written."""
    args = parse_args(argv)
    try:
        differences = export_file(args)
    except (
        ImportError,
        OSError,
        RuntimeError,
        UnsafeCheckpointError,
        ValueError,
    ) as error:
        print(f'error: {error}\nnothing was written', file=sys.stderr)
        return 1
    console = Console(highlight=False, soft_wrap=True)
    console.print(
        'compared with the model on random clips, largest difference of a '
        'logit or probability:'
    )
    for (clips, frames), difference in differences.items():
        console.print(f'  {clips} x {frames} frames: {difference:.1e}')
    console.print(f'written: {args.out}', markup=False)
    return 0


if __name__ == '__main__':
    sys.exit(main())
