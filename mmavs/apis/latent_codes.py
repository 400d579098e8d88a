"""The codes of all clips of a split, under several sounds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from mmavs.apis.sound_predictions import SoundPredictions, SoundPredictor
from mmavs.evaluation.probes.coded_frames import AUDIO, VISUAL, CodedFrames
from mmavs.evaluation.probes.frame_table import (
    FrameTable,
    join_tables,
    mask_facts,
)
from mmavs.structures import AVFeatures, GaussianMixture

MATCHED = 'matched'


def collect_codes(
    predictor: SoundPredictor,
    progress: Callable[[int], None] | None = None,
) -> CodedFrames:
    """Collect the codes of all clips of a predictor.

    Args:
        predictor: ``'matched'`` is the first of its conditions.
        progress: called with the number of clips seen.

    Raises:
        ValueError: if the model has no codes.
    """
    calls: list[dict[str, Any]] = []
    hook = predictor.model.neck.register_forward_hook(
        lambda neck, args, kwargs, output: calls.append(
            _of_neck(args[0], kwargs['audio'], output)
        ),
        with_kwargs=True,
    )
    head = predictor.model.decode_head
    tables, batches, seen = [], [], 0
    try:
        for found in predictor:
            if not found.predictions[MATCHED].codes:
                raise ValueError(
                    'this model has no codes to probe: its neck is a '
                    f'{type(predictor.model.neck).__name__} without latents'
                )
            tables.append(_table(found, head))
            # The neck is called once for each condition, in their order.
            heard = dict(zip(predictor.conditions, calls, strict=True))
            batches.append(_batch_codes(found, heard))
            calls.clear()
            seen += len(found.video_ids)
            if progress is not None:
                progress(seen)
    finally:
        hook.remove()
    return CodedFrames(
        join_tables(tables), *map(_join, zip(*batches, strict=True))
    )


def _of_neck(
    levels: Sequence[Tensor], audio: Tensor, features: AVFeatures
) -> dict[str, Any]:
    """What passes through the neck, in arrays."""
    return dict(
        audio=_array(audio),
        visual=_array(levels[-1].mean((2, 3))),
        variances={
            name: _array(_variance(distribution))
            for name, distribution in features.prior.distributions.items()
        },
    )


def _variance(distribution: Any) -> Tensor:
    """Of a Gaussian or of a mixture, by the law of total variance."""
    if not isinstance(distribution, GaussianMixture):
        return distribution.log_var.exp()
    means = torch.stack([g.mean for g in distribution.experts])
    log_vars = torch.stack([g.log_var for g in distribution.experts])
    return log_vars.exp().mean(0) + means.var(0, correction=0)


def _array(values: Tensor) -> np.ndarray:
    return values.float().cpu().numpy()


def _table(found: SoundPredictions, head: nn.Module) -> FrameTable:
    """What is known of the frames of a batch."""
    facts = [
        mask_facts(
            sample.gt_sem_seg.data.cpu().numpy(),
            head.num_classes,
            head.ignore_index,
        )
        for sample in found.samples
    ]
    labelled, centres, mask_classes = (
        np.concatenate(values) for values in zip(*facts, strict=True)
    )
    categories = [sample.get('category') for sample in found.samples]
    return FrameTable(
        video_ids=np.array([sample.video_id for sample in found.samples]),
        frame_idx=np.array([sample.frame_idx for sample in found.samples]),
        categories=None if None in categories else np.array(categories),
        labelled=labelled,
        centres=centres,
        mask_classes=mask_classes,
    )


def _batch_codes(found: SoundPredictions, calls: dict) -> tuple[dict, ...]:
    """The fields of :class:`CodedFrames` behind the table, of a batch."""
    matched = calls[MATCHED]
    moved = {}
    for condition, prediction in found.predictions.items():
        heard = np.repeat(found.heard[condition], found.num_frames)[:, None]
        moved[condition] = {
            **{name: _array(code) for name, code in prediction.codes.items()},
            AUDIO: np.where(heard, calls[condition]['audio'], np.nan),
        }
    own = moved.pop(MATCHED)
    return (
        {name: own[name] for name in found.predictions[MATCHED].codes},
        matched['variances'],
        {AUDIO: matched['audio'], VISUAL: matched['visual']},
        moved,
    )


def _join(parts: Sequence[dict]) -> dict:
    """Join dicts of arrays, or of such dicts, along the first axis."""
    return {
        name: _join([part[name] for part in parts])
        if isinstance(value, dict)
        else np.concatenate([part[name] for part in parts])
        for name, value in parts[0].items()
    }
