"""Probe the codes of a trained model."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from typing import Any

import torch
from mmengine.config import Config
from mmseg.registry import DATASETS

from mmavs.apis.latent_codes import MATCHED, collect_codes
from mmavs.apis.sound_predictions import (
    SoundPredictor,
    canonical_conditions,
    conditions_without_pairs,
    find_sound_pairs,
)
from mmavs.datasets.errors import MissingDataError
from mmavs.datasets.files import read_file
from mmavs.evaluation.probes.probing import probe_codes
from mmavs.evaluation.probes.report import LatentReport
from mmavs.inference.loading import read_config

FIT_SPLITS = ('train', 'val')
DEFAULT_CONDITIONS = (
    'same_class',
    'twin',
    'swapped',
    'silence',
    'white_noise',
    'white_noise@0dB',
    'off_screen@0dB',
    'shift@+1s',
    'shuffle',
)


def evaluate_latents(
    config: str | os.PathLike | Config,
    checkpoint: str | os.PathLike,
    conditions: Sequence[str] = DEFAULT_CONDITIONS,
    *,
    fit_split: str = 'train',
    split: str = 'test',
    strength: float = 1.0,
    seed: int = 0,
    num_bootstrap: int = 2000,
    device: str | torch.device | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> LatentReport:
    """Probe the codes of a model, and see how sounds move them.

    Linear probes are fitted to the codes of one split and scored on those of
    another: what sounds, what is in view, where it is, as far as the set
    tells. A code is the mean of its prior.

    Args:
        config: path or name of a config, or a config; its test pipeline
            loads both splits.
        checkpoint: fits the config.
        conditions: sounds under which the codes are looked at again; those
            the set has no pairs for are left out, with a note.
        fit_split: ``'train'``, or ``'val'``, which the model has not seen
            either.
        split: ``'test'`` or ``'val'``, another one than ``fit_split``.
        strength: inverse of the weight of the probes' penalty.
        seed: of sounds, resampling and shuffled labels.
        num_bootstrap: resamplings of the scenes.
        device: as in torch; defaults to a GPU if there is one.
        progress: called with the number of clips seen and of all clips.

    Raises:
        ValueError: if the model has no codes, the splits are the same or
            unknown, or the data set cannot give another split.
    """
    config = read_config(config)
    if fit_split not in FIT_SPLITS or fit_split == split:
        raise ValueError(
            f'fit_split must be one of {FIT_SPLITS} and another split than '
            f'the scored {split!r}, got {fit_split!r}'
        )
    source = f'{split}_dataloader'
    fit_config = _with_split(config, source, fit_split)
    pairs = find_sound_pairs(config, split, seed)
    wanted = [c for c in canonical_conditions(conditions) if c != MATCHED]
    lacking = conditions_without_pairs(wanted, pairs)
    wanted = [c for c in wanted if c not in lacking]
    notes = [
        f'{condition} is left out: no {split} clip has a pair for it.'
        for condition in lacking
    ]
    predictors = [
        SoundPredictor(
            fit_config,
            checkpoint,
            [MATCHED],
            split=split,
            seed=seed,
            pairs={},
            device=device,
        ),
        SoundPredictor(
            config,
            checkpoint,
            [MATCHED, *wanted],
            split=split,
            seed=seed,
            pairs=pairs,
            device=device,
        ),
    ]
    found, done, total = [], 0, sum(map(len, predictors))
    for predictor in predictors:

        def moved(seen: int, done: int = done) -> None:
            if progress is not None:
                progress(done + seen, total)

        found.append(collect_codes(predictor, moved))
        done += len(predictor)
    settings = config[source].dataset
    return probe_codes(
        *found,
        _read_clips(settings),
        _mask_classes(settings),
        {
            clip: partners['twin']
            for clip, partners in pairs.items()
            if 'twin' in partners
        },
        strength=strength,
        seed=seed,
        num_bootstrap=num_bootstrap,
        facts=dict(
            fit_split=fit_split, split=split, conditions=[MATCHED, *wanted]
        ),
        notes=notes,
    )


def _with_split(config: Config, loader: str, split: str) -> Config:
    """The config with another split behind one of its data loaders."""
    config = read_config(config)
    dataset = config[loader].dataset
    if 'split' not in dataset:
        raise ValueError(
            f'{loader}.dataset is a {dataset.type}, which has no '
            f'split: the probes need its {split!r} clips as well'
        )
    dataset.split = split
    # Of val and test; the clips of other splits are not in it.
    dataset.pairs_file = None
    return config


def _read_clips(settings: Any) -> dict | None:
    """``clips.json`` of a synthetic set, None for any other."""
    path = os.path.join(settings.get('data_root') or '', 'clips.json')
    try:
        content = read_file(
            path, 'what a synthetic set shows', settings.get('backend_args')
        )
    except MissingDataError:
        return None
    return json.loads(content)


def _mask_classes(settings: Any) -> tuple[str, ...]:
    """Names of the classes of the masks, the background first."""
    dataset = DATASETS.build({**settings, 'pipeline': [], 'lazy_init': True})
    return tuple(dataset.metainfo['classes'])
