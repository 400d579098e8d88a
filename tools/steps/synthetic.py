"""The steps that come before a training on synthetic clips."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from pathlib import Path

from steps.runner import Step

# Training, validation and test clips of the sets of the tiny configs.
S4_CLIPS = (800, 40, 80)
MS3_CLIPS = (500, 40, 80)


def settings_path(text: str) -> str:
    """A path of the command line that goes into settings.

    Raises:
        argparse.ArgumentTypeError: if it cannot.
    """
    # mmengine reads its settings as lists at commas and drops blanks.
    if set(text) & set(', []()"\'='):
        raise argparse.ArgumentTypeError(
            f'{text!r}: a path here must be without blanks, commas, '
            'brackets, quotation marks and equals signs'
        )
    return text


def s4_marker(data: Path) -> Path:
    """The file in a complete S4 set that says how it was made."""
    return data / 'Single-source' / 'generator.json'


def data_options(root: Path, loaders: str) -> list[str]:
    """Settings that point the given loaders of a config to ``root``."""
    return [
        f'{loader}_dataloader.dataset.data_root={root}'
        for loader in loaders.split()
    ]


def audio_option(weights: Path) -> str:
    """Setting that gives a tiny config its audio network."""
    return f'model.audio_backbone.init_cfg.checkpoint={weights}'


def data_step(
    data: Path,
    seed: int,
    clips: Sequence[int],
    ms3_clips: Sequence[int] | None = None,
) -> Step:
    """Write the synthetic set(s).

    Args:
        data: where they go.
        seed: of the generator.
        clips: training, validation and test clips of S4.
        ms3_clips: those of MS3; without them there is only S4.
    """
    subsets = ['s4']
    sizes = ['--clips', *map(str, clips)]
    last = s4_marker(data)
    if ms3_clips is not None:
        subsets.append('ms3')
        sizes += ['--ms3-clips', *map(str, ms3_clips)]
        last = data / 'Multi-sources' / last.name
    return Step(
        'data',
        'Write the synthetic AVSBench',
        (
            'tools/dataset_converters/synthetic_avsbench.py',
            str(data),
            *('--subset', *subsets),
            *sizes,
            *('--seed', str(seed)),
            *('--workers', str(min(4, os.cpu_count() or 1))),
        ),
        output=last,
        # Only ever overwrites a set that the generator made.
        resume=('--overwrite',),
    )


def audio_step(
    folder: Path, data: Path, seed: int, options: Sequence[str] = ()
) -> Step:
    """Teach the small audio network the sounds of the S4 clips.

    Args:
        folder: where ``audio_backbone.pth`` goes.
        data: where the sets are.
        seed: of the training.
        options: further settings of it.
    """
    root = data / 'Single-source'
    return Step(
        'audio',
        'Teach the audio network what sounds',
        (
            'tools/pretrain_audio.py',
            'configs/vggish_tiny_synthetic.py',
            *('--work-dir', str(folder)),
            '--cfg-options',
            f'randomness.seed={seed}',
            f'train_dataloader.dataset.dataset.data_root={root}',
            *data_options(root, 'val'),
            *options,
        ),
        output=folder / 'audio_backbone.pth',
        folder=folder,
        resume=('--resume',),
    )
