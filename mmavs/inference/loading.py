"""Models and their pipelines, made ready to look at recordings."""

from __future__ import annotations

import copy
import os
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from mmengine.config import Config, ConfigDict
from mmengine.model import revert_sync_batchnorm
from mmengine.registry import init_default_scope
from mmengine.runner.checkpoint import CheckpointLoader
from mmseg.registry import DATASETS, MODELS
from torch import nn

from mmavs.config_types import type_name
from mmavs.datasets.layout import class_palette
from mmavs.inference.shipped_configs import find_config

_FRAME_LOADERS = ('LoadFrame', 'LoadImageFromFile')
# A window brings its sound and has no masks.
_LEFT_OUT = ('LoadAVSMask', 'LoadAnnotations', 'LoadAudio', 'SoundCondition')
_MAX_NAMES = 8


def read_config(
    config: str | os.PathLike | Config, options: Mapping | None = None
) -> Config:
    """Read a config, by its path or name, and change it.

    Args:
        config: see :func:`find_config`; one that was read stays as it is.
        options: the changes, {'a.b': value}.

    Raises:
        FileNotFoundError: if there is no such config.
    """
    if isinstance(config, Config):
        config = copy.deepcopy(config)
    else:
        config = Config.fromfile(find_config(config))
    config.merge_from_dict(dict(options or {}))
    return config


def build_model(config: Config) -> Any:
    """Build the model of a config; nothing but the config is read.

    Whatever initialises parts of it for a training, downloads among them, is
    left out: the weights come from a checkpoint or stay random.

    Raises:
        ValueError: if the config is not one of a segmentor that hears.
    """
    settings = ConfigDict(config.to_dict().get('model', {}))
    if not {'decode_head', 'audio_backbone'} <= settings.keys():
        raise ValueError(
            f'{config.filename or "the config"} is not one of an audio-visual '
            f'segmentor: its model is {settings.get("type")}'
        )
    settings.pop('init_cfg', None)
    settings.pop('pretrained', None)
    for name in ('backbone', 'audio_backbone'):
        part = settings[name]
        part['init_cfg'] = None
        part.pop('pretrained', None)
        if type_name(part).endswith('TIMMBackbone'):
            # It would fetch its weights on building, by default even.
            part['pretrained'] = False
        # Of training clips, which come again; a recording would only fill it.
        part.pop('cache_dir', None)
    init_default_scope(config.get('default_scope', 'mmseg'))
    with warnings.catch_warnings():
        # The stack deprecates things of its own while it builds.
        warnings.simplefilter('ignore', UserWarning)
        model = MODELS.build(settings)
    return revert_sync_batchnorm(model)


def load_weights(
    model: nn.Module, checkpoint: str | os.PathLike, config_name: str
) -> dict:
    """Load a checkpoint that fits the model exactly.

    Args:
        model: takes the weights.
        checkpoint: a path, or an address that mmengine knows; it is read
            without running code.
        config_name: what the model was built of, for messages.

    Returns:
        The ``meta`` of the checkpoint, {} without one.

    Raises:
        ValueError: if the checkpoint holds no weights by name, or some are
            missing, left over or of another shape.
    """
    checkpoint = os.fspath(checkpoint)
    content = CheckpointLoader.load_checkpoint(checkpoint, 'cpu', 'silent')
    is_dict = isinstance(content, Mapping)
    state = content.get('state_dict', content) if is_dict else content
    if not isinstance(state, Mapping) or not all(
        isinstance(key, str) for key in state
    ):
        raise ValueError(
            f'{checkpoint} holds no weights: they must be a dict by their '
            "names, or the 'state_dict' of one, got a "
            f'{type(state).__name__}'
        )
    # As of a model that was saved in its wrapper for distributed training.
    state = {k.removeprefix('module.'): v for k, v in state.items()}
    own = model.state_dict()
    shared = own.keys() & state.keys()
    misfits = {
        'missing': sorted(own.keys() - state.keys()),
        'left over': sorted(state.keys() - own.keys()),
        'of another shape': [
            f'{key} {_shape(state[key])}, not {_shape(own[key])}'
            for key in sorted(shared)
            if _shape(state[key]) != _shape(own[key])
        ],
    }
    if any(misfits.values()):
        raise ValueError(
            f'the weights in {checkpoint} do not fit {config_name}: '
            + '; '.join(
                f'{len(names)} {what} ({_listed(names)})'
                for what, names in misfits.items()
                if names
            )
        )
    model.load_state_dict(state)
    meta = content.get('meta')
    return dict(meta) if isinstance(meta, Mapping) else {}


def window_pipeline(pipeline: Sequence[Mapping]) -> list[dict]:
    """The test pipeline of a config for frames that are in memory.

    ``LoadImageFromNDArray`` takes the place of what loads the frames; what
    loads masks and sound, or replaces the sound, is left out. Everything
    else stays.

    Raises:
        ValueError: if nothing loads frames.
    """
    steps, loads_frames = _without_files(pipeline)
    if not loads_frames:
        raise ValueError(
            f'the test pipeline must load frames by one of {_FRAME_LOADERS}, '
            f'got {[type_name(step) for step in pipeline]}'
        )
    return steps


def clip_length(dataset: Mapping) -> int:
    """T of a data set: of its config, or the longest clips of its layout.

    Raises:
        ValueError: if neither says it.
    """
    if dataset.get('num_frames'):
        return dataset['num_frames']
    layout = getattr(DATASETS.get(dataset['type']), 'LAYOUT', None)
    if layout is None:
        raise ValueError(
            f'{dataset["type"]} does not say how many frames a clip has: set '
            'test_dataloader.dataset.num_frames'
        )
    subsets = dataset.get('subsets') or layout.subsets
    return max(layout.num_frames[subset] for subset in subsets)


def class_names(
    dataset: Mapping, meta: Mapping, num_classes: int
) -> tuple[tuple[str, ...], tuple[tuple[int, int, int], ...]]:
    """Names and RGB colours of the classes, background first.

    Args:
        dataset: config of the test set.
        meta: of a checkpoint, whose ``dataset_meta`` is what it was trained
            for; without one the class of the data set says it.
        num_classes: how many the model tells apart. Where neither knows as
            many they are numbered.
    """
    known = meta.get('dataset_meta') or getattr(
        DATASETS.get(dataset['type']), 'METAINFO', {}
    )
    names = known.get('classes') or ()
    if len(names) != num_classes:
        names = ['background', *(f'class {i}' for i in range(1, num_classes))]
    palette = known.get('palette') or ()
    if len(palette) != num_classes:
        palette = class_palette(num_classes)
    return tuple(map(str, names)), tuple(
        (int(red), int(green), int(blue)) for red, green, blue in palette
    )


def _without_files(pipeline: Sequence[Mapping]) -> tuple[list[dict], bool]:
    """The steps that remain, and whether one of them loads frames."""
    steps, loads_frames = [], False
    for step in pipeline:
        name = type_name(step)
        if name in _LEFT_OUT:
            continue
        if name in _FRAME_LOADERS:
            loads_frames = True
            steps.append(
                dict(
                    type='LoadImageFromNDArray',
                    to_float32=step.get('to_float32', False),
                )
            )
        elif 'transforms' in step:
            inner, is_inside = _without_files(step['transforms'])
            loads_frames = loads_frames or is_inside
            steps.append({**step, 'transforms': inner})
        else:
            steps.append(dict(step))
    return steps, loads_frames


def _shape(value: object) -> tuple | str:
    if isinstance(value, torch.Tensor):
        return tuple(value.shape)
    return type(value).__name__


def _listed(names: Sequence[str]) -> str:
    more = ['...'] if len(names) > _MAX_NAMES else []
    return ', '.join([*names[:_MAX_NAMES], *more])
