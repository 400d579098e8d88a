"""Convert public weights of a backbone into a checkpoint of mmavs.

The result has the names of mmavs, every tensor of the network and nothing
else; the configs load it as init_cfg.checkpoint. No code in the file is run.
"""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Sequence

import torch
from rich.console import Console

from mmavs.converters import (
    Conversion,
    ConversionError,
    check_target,
    convert_pvt_v2,
    convert_vggish,
    naming,
    read_weights,
    shapes_of,
    write_checkpoint,
)
from mmavs.models.backbones import PVTv2, VGGish

VARIANTS = ('b0', 'b1', 'b2', 'b2_li', 'b3', 'b4', 'b5')
PLACES = dict(vggish='model.audio_backbone', pvt_v2='model.backbone')


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument('backbone', choices=sorted(PLACES))
    parser.add_argument(
        'source',
        metavar='SRC',
        help='PyTorch weights of VGGish (features.*, embeddings.*), or\n'
        'ImageNet weights of PVTv2, named as in the original release\n'
        'or as in timm',
    )
    parser.add_argument('target', metavar='DST', help='file to write')
    parser.add_argument(
        '--variant',
        choices=VARIANTS,
        default='b5',
        help='of PVTv2; default: %(default)s',
    )
    parser.add_argument(
        '--force', action='store_true', help='replace DST if it exists'
    )
    return parser.parse_args(argv)


def convert_file(args: argparse.Namespace) -> Conversion:
    """Read, rename, check and write.

    Raises:
        ConversionError: if the file is not what it should be.
        OSError: if the target cannot be written.
    """
    check_target(args.target, args.force)
    state = read_weights(args.source)
    meta = dict(backbone=args.backbone)
    with naming(args.source), torch.device('meta'):
        if args.backbone == 'vggish':
            result = convert_vggish(state, shapes_of(VGGish()))
        else:
            meta['variant'] = args.variant
            network = PVTv2(args.variant).timm_model
            result = convert_pvt_v2(state, shapes_of(network), args.variant)
    write_checkpoint(args.target, result.state_dict, meta, args.force)
    return result


def main(argv: Sequence[str] | None = None) -> int:
    """Convert, or say why nothing was written."""
    args = parse_args(argv)
    try:
        result = convert_file(args)
    except (ConversionError, OSError) as error:
        print(f'error: {error}\nnothing was written', file=sys.stderr)
        return 1
    console = Console(highlight=False, soft_wrap=True)
    console.print(f'converted: {len(result.state_dict)} tensors')
    for module, count in result.dropped.items():
        console.print(f'dropped:   {module}.* ({count} tensors), unused')
    console.print(f'written:   {args.target}')
    option = f'{PLACES[args.backbone]}.init_cfg.checkpoint={args.target}'
    console.print('\ntrain with it:')
    console.print(
        '  python tools/train.py CONFIG --cfg-options ' + shlex.quote(option),
        markup=False,
    )
    return 0


if __name__ == '__main__':
    sys.exit(main())
