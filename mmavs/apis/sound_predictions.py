"""Predictions of clips under several sounds, each clip seen once."""

from __future__ import annotations

import copy
import dataclasses
import json
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from mmengine.config import Config, ConfigDict
from mmengine.registry import init_default_scope
from mmengine.runner import Runner
from mmengine.utils.dl_utils import set_multi_processing
from mmseg.registry import DATASETS
from mmseg.structures import SegDataSample

from mmavs.datasets.files import read_file
from mmavs.datasets.sound_conditions import parse_condition
from mmavs.datasets.sound_pairs import (
    Pairs,
    make_sound_pairs,
    write_sound_pairs,
)
from mmavs.datasets.transforms.several_sounds import with_several_sounds
from mmavs.inference.draws import Draws
from mmavs.inference.loading import build_model, load_weights, read_config
from mmavs.structures import ClipBatch, ClipPrediction

SPLITS = ('val', 'test')


@dataclass(frozen=True)
class SoundPredictions:
    """Predictions of B clips of T frames under several sounds.

    Attributes:
        samples: the N = B T frames, clip-major, with their masks.
        video_ids: of the clips.
        num_frames: T.
        predictions: text of a condition -> what is predicted under it. The
            frames of a clip that has no such sound are NaN.
        heard: text of a condition -> whether each clip has such a sound:
            ``same_class``, say, needs another clip with the same classes.
    """

    samples: list[SegDataSample]
    video_ids: tuple[str, ...]
    num_frames: int
    predictions: dict[str, ClipPrediction]
    heard: dict[str, tuple[bool, ...]]


class SoundPredictor:
    """Predicts the clips of a split under several sounds.

    An iterable of :class:`SoundPredictions`, one of each batch of the data
    loader. Frames are loaded and go through the visual backbone once; each
    sound takes the way of the config's own pipeline, ``SoundCondition`` after
    ``LoadAudio``, so the predictions are those of a test run with
    ``with_sound_condition``. Only what is drawn, with
    ``test_cfg.num_samples``, is of its own: the same numbers under every
    sound.

    Args:
        config: path or name of a config, or a config, which stays as it is.
        checkpoint: fits the config; it is read without running code.
        conditions: texts of the sound conditions.
        split: ``'test'`` or ``'val'``, whose data loader is used.
        seed: of noises, orders, pairs that are made, and drawn codes.
        pairs: {video id: {relation: video id}}; by default those of
            :func:`find_sound_pairs`.
        device: as in torch; defaults to a GPU if there is one.

    Attributes:
        config: as it was read.
        model: in evaluation mode.
        conditions: the texts, each in its one form.
        pairs: of the clips of the split.
        num_clips: how many clips there are.

    Raises:
        FileNotFoundError: if there is no such config or checkpoint.
        ValueError: if the weights do not fit, the split or a condition is
            unknown, or no clip has a pair that a condition needs.
    """

    def __init__(
        self,
        config: str | os.PathLike | Config,
        checkpoint: str | os.PathLike,
        conditions: Sequence[str],
        *,
        split: str = 'test',
        seed: int = 0,
        pairs: Mapping[str, Mapping[str, str]] | None = None,
        device: str | torch.device | None = None,
    ) -> None:
        self.config = config = read_config(config)
        self.conditions = canonical_conditions(conditions)
        self.seed = seed
        if device is None:
            device = 'cuda' if torch.cuda.is_available() else 'cpu'
        self._device = torch.device(device)
        if pairs is None:
            pairs = find_sound_pairs(config, split, seed)
        lacking = conditions_without_pairs(self.conditions, pairs)
        if lacking:
            raise ValueError(
                f'no clip of the {split} set has the pairs for {lacking}: '
                'give the data set a pairs_file, or leave them out'
            )
        self.model = build_model(config)
        name = Path(config.filename or 'config').stem
        load_weights(self.model, checkpoint, name)
        self.model.to(self._device).eval()
        settings = config.get('env_cfg', {}).get('mp_cfg', {})
        set_multi_processing(**settings, distributed=False)
        self._loader = self._build_loader(_loader(config, split), pairs)
        dataset = self._loader.dataset
        self.num_clips = len(dataset)
        ids = (dataset.get_data_info(i)['video_id'] for i in range(len(self)))
        self.pairs = {i: dict(pairs.get(i, {})) for i in ids}

    def _build_loader(self, loader: ConfigDict, pairs: Mapping):
        heard = ['matched', *(c for c in self.conditions if c != 'matched')]
        loader.dataset.pipeline = with_several_sounds(
            loader.dataset.pipeline, heard, self.seed
        )
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, 'pairs.json')
            write_sound_pairs(path, pairs)
            # It is read when the data set is built.
            loader.dataset.pairs_file = str(path)
            loader.dataset.lazy_init = False
            return Runner.build_dataloader(loader, seed=self.seed)

    def __len__(self) -> int:
        """Number of clips."""
        return self.num_clips

    def __iter__(self) -> Iterator[SoundPredictions]:
        # Apart for each sound: what is drawn does not depend on the others.
        draws = {c: Draws(self.seed, self._device) for c in self.conditions}
        for batch in self._loader:
            yield self._predict(batch, draws)

    @torch.no_grad()
    def _predict(
        self, batch: dict, draws: Mapping[str, Draws]
    ) -> SoundPredictions:
        data = self.model.data_preprocessor(
            {key: batch[key] for key in ('inputs', 'data_samples')}, False
        )
        inputs, samples = data['inputs'], data['data_samples']
        levels = self.model.backbone(inputs.frames)
        predictions = {}
        heard = {c: tuple(batch['heard'][c]) for c in self.conditions}
        for condition in self.conditions:
            with draws[condition].resumed():
                prediction = self.model.predict_clips(
                    _with_sound(inputs, batch, condition), levels
                )
            if not all(heard[condition]):
                prediction = _blank(
                    prediction, heard[condition], inputs.num_frames
                )
            predictions[condition] = prediction
        return SoundPredictions(
            samples,
            tuple(sample.video_id for sample in samples[:: inputs.num_frames]),
            inputs.num_frames,
            predictions,
            heard,
        )


def predict_under_sounds(
    config: str | os.PathLike | Config,
    checkpoint: str | os.PathLike,
    conditions: Sequence[str],
    *,
    split: str = 'test',
    seed: int = 0,
    pairs: Mapping[str, Mapping[str, str]] | None = None,
    device: str | torch.device | None = None,
) -> Iterator[SoundPredictions]:
    """Predict the clips of a split under several sounds.

    Args and errors are those of :class:`SoundPredictor`.

    Returns:
        The predictions of each batch, in the order of the data set.
    """
    return iter(
        SoundPredictor(
            config,
            checkpoint,
            conditions,
            split=split,
            seed=seed,
            pairs=pairs,
            device=device,
        )
    )


def canonical_conditions(conditions: Sequence[str]) -> tuple[str, ...]:
    """The one form of each text, every condition once.

    Raises:
        ValueError: If there is none, or one is unknown.
    """
    texts = tuple(dict.fromkeys(parse_condition(c).text for c in conditions))
    if not texts:
        raise ValueError(f'conditions must name at least one, got {texts}')
    return texts


def conditions_without_pairs(
    conditions: Sequence[str], pairs: Mapping[str, Mapping[str, str]]
) -> list[str]:
    """The conditions whose relation no clip has."""
    known = {relation for partners in pairs.values() for relation in partners}
    return [
        condition
        for condition in conditions
        if parse_condition(condition).relation not in {None, *known}
    ]


def find_sound_pairs(config: Config, split: str, seed: int = 0) -> Pairs:
    """Pairs of the clips of a split.

    They are read from the ``pairs_file`` of the data set, or made by
    :func:`mmavs.datasets.sound_pairs.make_sound_pairs` where it has none.

    Args:
        config: has the data loader of the split.
        split: ``'test'`` or ``'val'``.
        seed: of pairs that are made.
    """
    settings = _loader(config, split).dataset
    init_default_scope(config.get('default_scope', 'mmseg'))
    # Built, it has checked its files.
    dataset = DATASETS.build({**settings, 'pipeline': [], 'lazy_init': False})
    pairs_file = settings.get('pairs_file')
    if pairs_file is None:
        return make_sound_pairs(dataset, seed)
    path = os.path.join(settings.get('data_root') or '', pairs_file)
    content = read_file(path, 'the audio pairs', settings.get('backend_args'))
    pairs = json.loads(content)
    ids = (dataset.get_data_info(i)['video_id'] for i in range(len(dataset)))
    return {video_id: pairs.get(video_id, {}) for video_id in ids}


def _loader(config: Config, split: str) -> ConfigDict:
    if split not in SPLITS:
        raise ValueError(f'split must be one of {SPLITS}, got {split!r}')
    return copy.deepcopy(config[f'{split}_dataloader'])


def _with_sound(
    inputs: ClipBatch, batch: Mapping, condition: str
) -> ClipBatch:
    """The same frames with the sound of a condition."""
    log_mel = torch.cat(batch['log_mels'][condition]).float()
    return inputs._replace(
        log_mel=log_mel.to(inputs.log_mel.device),
        audio_keys=tuple(batch['audio_keys'][condition]),
    )


def _blank(
    prediction: ClipPrediction, heard: Sequence[bool], num_frames: int
) -> ClipPrediction:
    """NaN for the frames of clips that have no such sound."""
    device = prediction.logits.device
    missing = ~torch.tensor(heard, device=device).repeat_interleave(num_frames)

    def blank(values: torch.Tensor) -> torch.Tensor:
        shape = (-1,) + (1,) * (values.ndim - 1)
        return values.masked_fill(missing.view(shape), torch.nan)

    uncertainty = prediction.uncertainty
    return dataclasses.replace(
        prediction,
        logits=blank(prediction.logits),
        uncertainty=None if uncertainty is None else blank(uncertainty),
        codes={name: blank(code) for name, code in prediction.codes.items()},
    )
