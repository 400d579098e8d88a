"""Does a model listen?"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence

import torch
from mmengine.config import Config
from mmseg.structures import SegDataSample
from torch import Tensor

from mmavs.apis.sound_predictions import (
    SoundPredictions,
    SoundPredictor,
    canonical_conditions,
    conditions_without_pairs,
    find_sound_pairs,
)
from mmavs.config_types import type_name
from mmavs.datasets.sound_conditions import parse_condition
from mmavs.evaluation.listening.clip_meter import ClipMeter
from mmavs.evaluation.listening.report import (
    MATCHED,
    ListeningReport,
    summarise_listening,
)
from mmavs.functional.predictive import foreground_logits
from mmavs.inference.loading import read_config

DEFAULT_CONDITIONS = (
    MATCHED,
    'same_class',
    'twin',
    'swapped',
    'silence',
    'white_noise',
    'pink_noise',
    'white_noise@0dB',
    'off_screen@0dB',
    'shift@+1s',
    'shift@-1s',
    'shift@+2s',
    'shift@-2s',
    'shuffle',
)


def evaluate_listening(
    config: str | os.PathLike | Config,
    checkpoint: str | os.PathLike,
    conditions: Sequence[str] = DEFAULT_CONDITIONS,
    *,
    split: str = 'test',
    seed: int = 0,
    num_bootstrap: int = 2000,
    device: str | torch.device | None = None,
    progress: Callable[[float, float | None], None] | None = None,
) -> ListeningReport:
    """Measure what a model marks when it is given other sounds.

    Frames and masks stay those of the clip, and each clip is seen once. Of a
    semantic model the foreground is measured, whatever its class.

    Args:
        config: path or name of a config, or a config, which stays as it is.
            Threshold, label to ignore and weight of the F-measure are those
            of its ``AVSMetric``, if it has one.
        checkpoint: fits the config; it is read without running code.
        conditions: texts of the sound conditions; ``matched`` is always
            among them. Those for which no clip of the split has a pair are
            left out, and the report says so.
        split: ``'test'`` or ``'val'``.
        seed: of the sounds, of pairs that are made, and of the bootstrap.
        num_bootstrap: resampled sets of clips of each interval.
        device: as in torch; defaults to a GPU if there is one.
        progress: called with the number of clips that are done, and of all.

    Raises:
        FileNotFoundError: if there is no such config or checkpoint.
        ValueError: if the weights do not fit, the split or a condition is
            unknown, or no frame of the split is labelled.
    """
    config = read_config(config)
    conditions = canonical_conditions([MATCHED, *conditions])
    pairs = find_sound_pairs(config, split, seed)
    lacking = conditions_without_pairs(conditions, pairs)
    left_out = {
        name: f'no clip of the {split} set has a clip to take the sound from '
        f'({parse_condition(name).relation!r} in the sound pairs)'
        for name in lacking
    }
    predictor = SoundPredictor(
        config,
        checkpoint,
        [name for name in conditions if name not in left_out],
        split=split,
        seed=seed,
        pairs=pairs,
        device=device,
    )
    twins = {
        video_id: partners['twin']
        for video_id, partners in predictor.pairs.items()
        if 'twin' in partners
    }
    meter = ClipMeter(predictor.conditions, twins, **_metric_settings(config))
    done = 0
    for batch in predictor:
        _measure(batch, predictor, meter)
        done += len(batch.video_ids)
        if progress is not None:
            progress(done, predictor.num_clips)
    return summarise_listening(
        meter.records(), num_bootstrap, seed, left_out, predictor.pairs
    )


def _metric_settings(config: Config) -> dict:
    """Arguments of the config's AVSMetric that decide a frame's scores."""
    evaluators = config.get('test_evaluator') or []
    if isinstance(evaluators, dict):
        evaluators = [evaluators]
    for evaluator in evaluators:
        if type_name(evaluator) == 'AVSMetric':
            names = ('threshold', 'ignore_index', 'beta_squared')
            return {k: evaluator[k] for k in names if k in evaluator}
    return {}


def _measure(
    batch: SoundPredictions, predictor: SoundPredictor, meter: ClipMeter
) -> None:
    """Measure the clips of a batch under every sound."""
    found = {
        condition: _probabilities(batch, condition, predictor.model)
        for condition in batch.predictions
    }
    for b, video_id in enumerate(batch.video_ids):
        start = b * batch.num_frames
        frames = slice(start, start + batch.num_frames)
        masks = [x.gt_sem_seg.data for x in batch.samples[frames]]
        meter.add(
            video_id,
            torch.cat(masks),
            {
                condition: torch.stack(probabilities[frames])
                for condition, probabilities in found.items()
                if batch.heard[condition][b]
            },
        )


@torch.no_grad()
def _probabilities(
    batch: SoundPredictions, condition: str, model: torch.nn.Module
) -> list[Tensor]:
    """Probability of the foreground of each frame, in its file's size."""
    # The results of one sound must not be those of the next.
    blank = [SegDataSample(metainfo=x.metainfo) for x in batch.samples]
    results = model.postprocess_clips(batch.predictions[condition], blank)
    scores = [result.seg_logits.data for result in results]
    return [
        x[0] if len(x) == 1 else foreground_logits(x[None])[0, 0].sigmoid()
        for x in scores
    ]
