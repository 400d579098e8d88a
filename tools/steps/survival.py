"""Short trainings of the tiny MS3 config to which something happens."""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import shutil
from collections.abc import Sequence
from pathlib import Path

from mmengine.config import Config

from steps.runner import ROOT, Step, StepRunner, digest, fingerprint

CONFIG = 'configs/mmvae_tiny_ms3.py'
FOLDER = 'Multi-sources'
# How the names of what the commands write begin.
OWN = ('clean', 'data', 'faulty', 'killed', 'logs', 'report', 'whole')
ITERATION = re.compile(r'Iter\(train\) \[ *(\d+)/')
LOADED = re.compile(r'Load checkpoint from (\S+)')


def add_set_up_options(
    parser: argparse.ArgumentParser, clips: Sequence[int], work_dir: str
) -> None:
    """Options of the clips, the audio network and the folder.

    Args:
        parser: gets ``--clips``, ``--audio-weights`` and ``--work-dir``.
        clips: by default, for training, validation and test.
        work_dir: by default.
    """
    parser.add_argument(
        '--clips',
        type=int,
        nargs=3,
        default=clips,
        metavar=('TRAIN', 'VAL', 'TEST'),
        help=f'size of the set; default: {" ".join(map(str, clips))}',
    )
    parser.add_argument(
        '--audio-weights',
        metavar='FILE',
        help='audio_backbone.pth of tools/pretrain_audio.py; by default the\n'
        'audio network stays as it is drawn',
    )
    parser.add_argument(
        '--work-dir',
        default=work_dir,
        help='relative to the checkout; default: %(default)s',
    )


def check_iters(parser: argparse.ArgumentParser, iters: int) -> None:
    """End the program if a schedule has no room in so few iterations."""
    if iters < 6:
        parser.error(f'--iters must be at least 6, got {iters}')


def data_step(work: Path, clips: Sequence[int]) -> Step:
    """Write a synthetic MS3 set.

    Args:
        work: where ``data`` goes.
        clips: for training, validation and test.
    """
    folder = work / 'data'
    return Step(
        'data',
        'Write the synthetic clips',
        (
            'tools/dataset_converters/synthetic_avsbench.py',
            str(folder),
            *('--subset', 'ms3'),
            *('--ms3-clips', *map(str, clips)),
            *('--workers', str(min(4, os.cpu_count() or 1))),
        ),
        output=folder / FOLDER / 'generator.json',
        folder=folder,
    )


def short_config(
    data: Path, iters: int, every: int, audio_weights: str | None
) -> Config:
    """The tiny MS3 config with another schedule.

    A weight average and a warm-up of the latent terms are added, so that
    there is all that a training can have.

    Args:
        data: folder of the set.
        iters: iterations.
        every: iterations between two checkpoints.
        audio_weights: of the audio network; without them it stays as it is
            drawn.
    """
    config = Config.fromfile(ROOT / CONFIG)
    warm_up = max(2, iters // 10)
    audio = config.model.audio_backbone
    audio.init_cfg = audio_weights and dict(
        type='Pretrained', checkpoint=audio_weights
    )
    config.merge_from_dict(
        {
            'train_cfg.max_iters': iters,
            'train_cfg.val_interval': max(1, iters // 3),
            'param_scheduler.0.end': warm_up,
            'param_scheduler.1.begin': warm_up,
            'param_scheduler.1.end': iters,
            'default_hooks.checkpoint.interval': every,
            'default_hooks.logger.interval': 1,
            'custom_hooks': [
                dict(type='EMAHook', momentum=0.01),
                dict(type='LatentWarmupHook', num_iters=max(1, iters // 2)),
            ],
        }
    )
    for loader in ('train', 'val', 'test'):
        config[f'{loader}_dataloader'].dataset.data_root = str(data)
    config.train_dataloader.num_workers = 2
    return config


def train_step(name: str, purpose: str, work: Path, config: Config) -> Step:
    """A training, whose config is written beside its folder.

    Args:
        name: of the step, the config and the folder.
        purpose: what the user reads.
        work: where they go.
        config: what is trained.
    """
    path = work / f'{name}.py'
    path.parent.mkdir(parents=True, exist_ok=True)
    config.dump(path)
    folder = work / name
    return Step(
        name,
        purpose,
        ('tools/train.py', str(path), '--work-dir', str(folder)),
        output=folder / f'iter_{config.train_cfg.max_iters}.pth',
        folder=folder,
        resume=('--resume',),
    )


def step_key(step: Step) -> str:
    """What a training computes, see :func:`steps.runner.digest`."""
    return digest(
        fingerprint('mmavs', 'tools/train.py', 'tools/steps/faults.py'),
        Path(step.command[1]).read_text(),
    )


def perform_once(runner: StepRunner, step: Step, key: str) -> None:
    """Do a step unless it is done."""
    if not runner.is_done(step, key):
        runner.console.print(f'[bold]{step.purpose}[/bold]')
        runner.perform(step, key)


def last_scores(folder: Path) -> dict[str, float]:
    """What the last validation of a training measured."""
    scores: dict[str, float] = {}
    for path in sorted(folder.glob('*/vis_data/scalars.json')):
        for line in map(json.loads, path.read_text().splitlines()):
            if 'mIoU' in line:
                scores = {name: line[name] for name in ('mIoU', 'F')}
    return scores


def damage_clips(
    source: Path, target: Path, share: float, seed: int
) -> tuple[list[str], list[str]]:
    """Copy a set, and cut files of some of its training clips.

    Args:
        source: folder of the set.
        target: where the copy goes; it is made anew.
        share: of the training clips; at least one.
        seed: of the choice.

    Returns:
        Ids of the damaged clips, and of the training clips that are whole.
    """
    shutil.rmtree(target, ignore_errors=True)
    # Links: what is not damaged takes no place.
    shutil.copytree(source, target, copy_function=os.link)
    entries = json.loads((source / 'clips.json').read_text())
    ids = sorted(k for k, v in entries.items() if v['split'] == 'train')
    chooser = random.Random(seed)
    damaged = chooser.sample(ids, max(1, round(share * len(ids))))
    for number, video_id in enumerate(damaged):
        suffix = ('.wav', '.png')[number % 2]
        files = sorted(
            path
            for path in target.rglob(f'{video_id}*{suffix}')
            if path.stem.startswith(video_id)
        )
        content = files[0].read_bytes()
        files[0].unlink()  # the file of the source stays
        # Not even a header: a wav file without its end is read as it is.
        files[0].write_bytes(content[:20])
    return sorted(damaged), [i for i in ids if i not in damaged]


def write_report(work: Path, summary: dict, lines: Sequence[str]) -> None:
    """Write ``report.json`` and ``report.md``."""
    text = json.dumps(summary, indent=2) + '\n'
    (work / 'report.json').write_text(text)
    (work / 'report.md').write_text('\n'.join(lines) + '\n')
