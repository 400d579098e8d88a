"""Convert a published ECMVAE checkpoint into one of mmavs.

Which of the published models it is shows in the names of its tensors. Every
tensor must have a place in the model of the config that fits, and fill it:
otherwise nothing is written. No code in the files is run.
"""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from rich.console import Console

from mmavs.converters import (
    Conversion,
    ConversionError,
    PublishedLayout,
    build_on_meta,
    check_target,
    convert,
    convert_vggish,
    naming,
    read_weights,
    recognise,
    shapes_of,
    write_checkpoint,
)

ROOT = Path(__file__).resolve().parents[2]
MS3 = (
    'test_dataloader.dataset.type=AVSBenchMS3Dataset',
    'test_dataloader.dataset.data_root=data/AVSBench/Multi-sources',
)


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument('source', metavar='SRC', help='published checkpoint')
    parser.add_argument('target', metavar='DST', help='file to write')
    parser.add_argument(
        '--vggish',
        metavar='FILE',
        help='public PyTorch weights of VGGish, which the published\n'
        'checkpoints leave out; a test needs them',
    )
    parser.add_argument(
        '--force', action='store_true', help='replace DST if it exists'
    )
    return parser.parse_args(argv)


def convert_files(
    args: argparse.Namespace,
) -> tuple[PublishedLayout, Conversion]:
    """Read, rename, check and write.

    Raises:
        ConversionError: if a file is not what it should be.
        OSError: if the target cannot be written.
    """
    check_target(args.target, args.force)
    state = read_weights(args.source)
    with naming(args.source):
        layout = recognise(state)
        model = build_on_meta(ROOT / layout.config, layout.options)
        result = convert(state, shapes_of(model))
    weights = dict(result.state_dict)
    if args.vggish:
        audio = read_weights(args.vggish)
        with naming(args.vggish):
            audio = convert_vggish(audio, shapes_of(model.audio_backbone))
        weights |= {
            f'audio_backbone.{k}': v for k, v in audio.state_dict.items()
        }
    else:
        del model.audio_backbone
    # The model itself has the last word: nothing missing, nothing left over.
    model.load_state_dict(weights, assign=True)
    meta = dict(
        description=layout.description,
        layout=asdict(layout),
        config=layout.config,
        options=layout.options,
        audio_backbone=bool(args.vggish),
    )
    write_checkpoint(args.target, weights, meta, args.force)
    return layout, Conversion(weights, result.dropped)


def report(
    args: argparse.Namespace, layout: PublishedLayout, result: Conversion
) -> None:
    """Say what was done, and which command comes next."""
    console = Console(highlight=False, soft_wrap=True)
    console.print(f'recognised: {layout.description}')
    sources = 'the checkpoint and VGGish' if args.vggish else 'the checkpoint'
    console.print(f'converted:  {len(result.state_dict)} tensors of {sources}')
    for module, count in result.dropped.items():
        console.print(f'dropped:    {module}.* ({count} tensors), unused')
    console.print(f'written:    {args.target}')
    options = [f'{key}={value}' for key, value in layout.options.items()]
    # The ablations have configs for S4 alone.
    ms3 = layout.config.replace('_s4', '_ms3')
    has_ms3 = (ROOT / ms3).is_file()

    def show(*words: str, also: Sequence[str] = ()) -> None:
        also = ('--cfg-options', *also) if also else ()
        words = ('python', *words, *also)
        console.print(f'  {shlex.join(words)}', markup=False)

    if args.vggish:
        console.print('\ntest it, trained on S4 or on MS3, with')
        show('tools/test.py', layout.config, args.target, also=options)
        if has_ms3:
            show('tools/test.py', ms3, args.target, also=options)
        else:
            also = (*options, *MS3)
            show('tools/test.py', layout.config, args.target, also=also)
        return
    console.print(
        '\n[bold]The audio network is not in the published file:[/bold] a '
        'test needs it. Convert again:'
    )
    again = (args.source, args.target, '--vggish', 'FILE', '--force')
    show('tools/model_converters/ecmvae_to_mmavs.py', *again)
    console.print('To train on from here, where the config loads VGGish:')
    # Everything but VGGish comes from the file: no ImageNet weights needed.
    start = (f'load_from={args.target}', 'model.backbone.init_cfg=None')
    for config in (layout.config, ms3) if has_ms3 else (layout.config,):
        show('tools/train.py', config, also=(*options, *start))


def main(argv: Sequence[str] | None = None) -> int:
    """Convert, or say why nothing was written."""
    args = parse_args(argv)
    try:
        layout, result = convert_files(args)
    except (ConversionError, OSError) as error:
        print(f'error: {error}\nnothing was written', file=sys.stderr)
        return 1
    report(args, layout, result)
    return 0


if __name__ == '__main__':
    sys.exit(main())
