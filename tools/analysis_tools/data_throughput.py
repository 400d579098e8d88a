"""Clips per second of the data loader, beside those of a training step.

The loader of train_dataloader is measured with each form of the sound that
its clips have on disk: wav, the published .pkl log-mels, or what
tools/dataset_converters/convert_log_mel.py made of them; frames and masks
are loaded all the same. Then the model of the config trains on a few of the
batches, held in memory, with random weights (a step takes as long), computing
the embedding of the sound or taking it from the cache
(model.audio_backbone.cache_dir). The last line says which of the two is the
bottleneck, for the slowest form and the first number of workers.

Files come through the page cache of the system: where a data set does not fit
into memory, the disk may be slower than what is measured here. Example::

    python tools/analysis_tools/data_throughput.py configs/mmvae_tiny_s4.py
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from copy import deepcopy
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import torch
from mmcv.transforms import BaseTransform
from mmengine.config import Config, DictAction
from mmengine.device import get_device
from mmengine.optim import OptimWrapper, build_optim_wrapper
from mmengine.registry import init_default_scope
from mmengine.runner import Runner, set_random_seed
from mmengine.utils.dl_utils import set_multi_processing
from mmseg.registry import MODELS
from rich.console import Console
from torch import nn

import mmavs  # noqa: F401 (registers the components)
from mmavs.config_types import type_name
from mmavs.datasets.log_mel_files import (
    CONVERTED,
    PICKLE,
    load_log_mel_file,
)

# What the scripts share lies a folder above them.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from steps.performance_parts import synchronised  # noqa: E402
from steps.throughput import (  # noqa: E402
    Measurement,
    conclude,
    make_table,
    write_csv,
)

# A loader is timed in so many parts, for the spread.
PARTS = 5
FORMS = ('wav', PICKLE, *CONVERTED)
# Where the embeddings come from -> batches.
Kinds = dict[str, list[dict]]
console = Console(highlight=False)


class LoadLogMelForm(BaseTransform):
    """In the place of ``LoadAudio``: log-mels of one form of file.

    Args:
        suffix: of the files.
    """

    def __init__(self, suffix: str) -> None:
        self.suffix = suffix

    def transform(self, results: dict) -> dict:
        """Add ``log_mel``."""
        path = os.path.splitext(results['log_mel_path'])[0] + self.suffix
        results['log_mel'] = load_log_mel_file(path)[: results['num_frames']]
        return results


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument('config')
    parser.add_argument(
        '--iters',
        type=int,
        default=50,
        help='batches each loader is timed over; default: %(default)s',
    )
    parser.add_argument(
        '--steps',
        type=int,
        default=10,
        help='training steps that are timed, 0 for none; default: %(default)s',
    )
    parser.add_argument(
        '--workers',
        type=int,
        nargs='+',
        metavar='N',
        help='processes that load, one or several numbers; default: those of '
        'the config',
    )
    parser.add_argument(
        '--csv', type=Path, metavar='FILE', help='write the table there too'
    )
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=DictAction,
        metavar='KEY=VALUE',
        help='change settings of the config',
    )
    args = parser.parse_args(argv)
    if args.iters < PARTS:
        parser.error(f'--iters must be at least {PARTS}, got {args.iters}')
    if args.steps < 0 or min(args.workers or [0]) < 0:
        parser.error('--steps and --workers must not be negative')
    return args


def with_form(node: Any, form: str) -> Any:
    """Copy of a config whose pipelines load one form of the sound."""
    if isinstance(node, dict):
        if 'type' in node and type_name(node) == 'LoadAudio':
            if form == 'wav':
                return dict(node, source='wav')
            return dict(type=LoadLogMelForm, suffix=form)
        return {key: with_form(value, form) for key, value in node.items()}
    if isinstance(node, (list, tuple)):
        return type(node)(with_form(value, form) for value in node)
    return node


def build_loader(config: dict, form: str, workers: int) -> Any:
    """Training data of a config, in one form."""
    config = with_form(config, form)
    config['num_workers'] = workers
    if workers == 0:
        config['persistent_workers'] = False
        config.pop('prefetch_factor', None)
    return Runner.build_dataloader(config, seed=0)


def endless(loader: Any) -> Any:
    """Batches, epoch after epoch."""
    while True:
        yield from loader


def measure_loader(
    config: dict, form: str, workers: int, iters: int
) -> Measurement:
    """Time the loader alone, with nothing that waits for it."""
    loader = build_loader(config, form, workers)
    batches = endless(loader)
    # What workers made while there was nobody to take it is no throughput.
    for _ in range(1 + workers * (loader.prefetch_factor or 0)):
        next(batches)
    rates = []
    for _ in range(PARTS):
        start = time.perf_counter()
        part = islice(batches, iters // PARTS)
        clips = sum(len(batch['data_samples']) for batch in part)
        rates.append(clips / (time.perf_counter() - start))
    return Measurement('loader', form, workers, rates)


def measure_loaders(
    config: dict, workers: Sequence[int], iters: int
) -> list[Measurement]:
    """Time the loader with every form that the clips have."""
    results: list[Measurement] = []
    for form in FORMS:
        try:
            results += [
                measure_loader(config, form, number, iters)
                for number in workers
            ]
        except (KeyError, OSError, ValueError) as error:
            # The last line of what a worker passes on is its own error.
            reason = str(error).strip().splitlines()[-1]
            console.print(
                f'left out: {form}: {reason}', markup=False, soft_wrap=True
            )
    return results


def without_keys(batch: dict) -> dict:
    """A batch whose clips no cache knows."""
    samples = deepcopy(batch['data_samples'])
    for sample in samples:
        sample.pop('audio_key', None)
    return dict(batch, data_samples=samples)


def time_calls(
    what: str, call: Callable[[dict], Any], kinds: Kinds, count: int
) -> list[Measurement]:
    """Time a call on batches of several kinds.

    They take turns, so that whatever else the machine does slows them alike.

    Args:
        what: name of the call.
        call: what to time.
        kinds: where the embeddings come from, and the batches for it.
        count: calls of each kind, after one that is not timed.
    """
    rates: dict[str, list[float]] = {sound: [] for sound in kinds}
    sources = {sound: cycle(batches) for sound, batches in kinds.items()}
    device = torch.device(get_device())
    for number in range(count + 1):
        for sound, source in sources.items():
            batch = next(source)
            start = synchronised(device)
            call(batch)
            if number:
                clips = len(batch['data_samples'])
                rates[sound].append(clips / (synchronised(device) - start))
    return [
        Measurement(what, sound, None, values)
        for sound, values in rates.items()
    ]


def measure_training(
    config: Config, batches: list[dict], steps: int
) -> list[Measurement]:
    """Time the audio network alone and whole steps, without and with cache."""
    audio = config.model.get('audio_backbone', {})
    # Nothing is loaded, and VGGish does not run without what this names.
    audio['init_cfg'] = None
    with tempfile.TemporaryDirectory() as folder:
        if audio.get('type') == 'VGGish' and audio.get('frozen', True):
            audio.cache_dir = folder
        model = MODELS.build(config.model).to(get_device()).train()
        optimiser = build_optim_wrapper(model, config.optim_wrapper)
        kinds = {'computed': [without_keys(x) for x in batches]}
        results = []
        if not audio.get('cache_dir'):
            console.print('no cache: it is for a frozen VGGish')
        elif not any('audio_key' in x for x in batches[0]['data_samples']):
            console.print('no cache: the sound is augmented')
        else:
            kinds['cached'] = batches
            results = measure_audio(model, optimiser, kinds, steps)

        def step(batch: dict) -> None:
            model.train_step(batch, optimiser)

        return results + time_calls('training step', step, kinds, steps)


def measure_audio(
    model: nn.Module, optimiser: OptimWrapper, kinds: Kinds, count: int
) -> list[Measurement]:
    """Time the audio network in the precision of the training.

    The cache knows all of the batches afterwards.
    """
    prepared = {
        sound: [
            dict(x, inputs=model.data_preprocessor(x, True)['inputs'])
            for x in batches
        ]
        for sound, batches in kinds.items()
    }

    def embed(batch: dict) -> None:
        inputs = batch['inputs']
        with optimiser.optim_context(model):
            model.audio_backbone.embed_clips(inputs.log_mel, inputs.audio_keys)

    for batches in prepared.values():
        for batch in batches:
            embed(batch)
    return time_calls('audio network', embed, prepared, count)


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print; 1 if there is nothing to measure."""
    args = parse_args(argv)
    config = Config.fromfile(args.config)
    if args.cfg_options:
        config.merge_from_dict(args.cfg_options)
    init_default_scope(config.get('default_scope', 'mmseg'))
    environment = config.get('env_cfg', {})
    set_multi_processing(**environment.get('mp_cfg', {}))
    torch.backends.cudnn.benchmark = environment.get('cudnn_benchmark', False)
    set_random_seed(0)
    data = config.train_dataloader.to_dict()
    workers = args.workers or [data.get('num_workers', 0)]
    console.print(
        f'{args.config}: {data.get("batch_size", 1)} clips a batch, on '
        f'{get_device()}, {torch.get_num_threads()} computing threads, '
        f'{os.cpu_count()} cores'
    )
    loaders = measure_loaders(data, workers, args.iters)
    if not loaders:
        console.print('error: no clip could be loaded')
        return 1
    training: list[Measurement] = []
    if args.steps:
        some = build_loader(data, loaders[0].sound, 0)
        batches = list(islice(endless(some), min(args.steps, 4)))
        training = measure_training(config, batches, args.steps)
    console.print(make_table(loaders + training))
    if args.csv:
        write_csv(args.csv, loaders + training)
    if training:
        steps = [m for m in training if m.what == 'training step']
        first = [m for m in loaders if m.workers == workers[0]]
        console.print(conclude(first, steps), soft_wrap=True)
    return 0


if __name__ == '__main__':
    sys.exit(main())
