"""What the listening benchmark trains and tests, and from what files."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mmengine.config import Config

from mmavs.config_types import type_name
from steps.runner import ROOT, Step, digest
from steps.variants import (
    DEFAULT,
    LISTEN,
    TRAIN,
    find_variants,
)

SETS = dict(s4='Single-source', ms3='Multi-sources')
# The set whose weights a training begins with. From random weights nothing
# listens on MS3 after so few iterations.
STARTS = dict(ms3='s4')
# A second training, from the weights of the first: with negatives, and as its
# control with the same clips as before.
NEGATIVES, CONTROL = '+neg', '+more'
SECOND_LR = 5e-4
BASELINE, FULL, BEST = 'tpavi', 'full', 'modulated-shared'
NO_POSTERIOR = 'modulated-prior-only'
# The baseline for as long as another model takes, whose name follows.
EQUAL_TIME = f'{BASELINE}@'
DEFAULT_EQUAL_TIME = (BEST, NO_POSTERIOR)
# With the first seed only: all models but those of --models.
OTHERS = 'others'
_CORE = (BEST, BASELINE, FULL, 'vision-only', 'no-factor', 'poe')
DEFAULT_MODELS = (
    *_CORE,
    NO_POSTERIOR,
    *(name + NEGATIVES for name in _CORE),
    *(name + CONTROL for name in (BEST, BASELINE, FULL)),
)
DEFAULT_ITERS = dict(s4=400, ms3=400, negatives=320, audio=300)
CONDITIONS = (
    'matched',
    'twin',
    'swapped',
    'same_class',
    'silence',
    'white_noise',
    'off_screen@0dB',
)
# What is near a boundary in 64 pixels: as much as the published 31 in 224.
BOUNDARY_WINDOW = 9
# Where the configs look for the sets.
DATA = 'data/benchmark'
REFERENCES = 'tools/analysis_tools/benchmark_references.py'
# What decides the weights of a training, beside its config and its clips.
TRAINING_CODE = (
    'mmavs/models',
    'mmavs/functional',
    'mmavs/structures',
    'mmavs/engine',
    'mmavs/datasets',
    'mmavs/random_streams.py',
    TRAIN,
)
# In the folder of the data sets, but not of the trainings. The clips are
# known by what is on disk.
NOT_TRAINING = (
    'mmavs/datasets/checking',
    'mmavs/datasets/conversion',
    'mmavs/datasets/processes',
    'mmavs/datasets/sound_conditions',
    'mmavs/datasets/sound_pairs.py',
    'mmavs/datasets/synthetic',
    'mmavs/datasets/transforms/several_sounds.py',
    'mmavs/datasets/transforms/sound_condition.py',
    'mmavs/datasets/videos',
)
# What decides the records of a test, beside the weights.
TESTING_CODE = (
    'mmavs/evaluation',
    'mmavs/apis/listening.py',
    'mmavs/apis/sound_predictions.py',
    'mmavs/inference/draws.py',
    'mmavs/inference/loading.py',
    'mmavs/datasets/sound_conditions',
    'mmavs/datasets/sound_pairs.py',
    'mmavs/datasets/transforms/several_sounds.py',
    'mmavs/datasets/transforms/sound_condition.py',
    LISTEN,
)
# What is made of the records afterwards, and other measures.
NOT_TESTING = (
    'mmavs/evaluation/listening/bootstrap.py',
    'mmavs/evaluation/listening/clip_sums.py',
    'mmavs/evaluation/listening/comparison.py',
    'mmavs/evaluation/listening/report.py',
    'mmavs/evaluation/listening/scores.py',
    'mmavs/evaluation/listening/tables.py',
    'mmavs/evaluation/probes',
)


@dataclass(frozen=True)
class Model:
    """One row of the tables.

    Attributes:
        name: what it is called, with ``+neg`` or ``+more`` behind it if it is
            trained a second time, with negatives or without.
        config: what the model part is taken from.
    """

    name: str
    config: str

    @property
    def negatives(self) -> bool:
        """Whether it also trains on sounds that nothing in view makes."""
        return self.name.endswith(NEGATIVES)

    @property
    def first(self) -> Model | None:
        """The model that it goes on from, None without a second training."""
        name = plain_name(self.name)
        return None if name == self.name else Model(name, self.config)


def plain_name(name: str) -> str:
    """Without ``+neg`` or ``+more``."""
    return name.removesuffix(NEGATIVES).removesuffix(CONTROL)


def find_models() -> dict[str, str]:
    """Names and configs of the models without negatives."""
    return {
        FULL if name == DEFAULT else name: config
        for name, config in find_variants().items()
    }


def parse_model(text: str, known: Mapping[str, str]) -> Model:
    """Read ``NAME`` or ``NAME=CONFIG``, NAME with ``+neg``, ``+more`` or none.

    Raises:
        ValueError: if the name is unknown or no name, or the config is
            missing.
    """
    name, given, config = text.partition('=')
    plain = plain_name(name)
    if not re.fullmatch(r'[\w.-]+', plain):
        raise ValueError(
            f'a model is NAME or NAME=CONFIG, either with {NEGATIVES} or '
            f'{CONTROL} behind NAME, which is of letters, digits, dots, '
            f'hyphens and underscores; got {text!r}'
        )
    if not given:
        if plain not in known:
            raise ValueError(
                f'{plain!r} is none of the models {", ".join(known)}; another '
                'one is NAME=CONFIG'
            )
        config = known[plain]
    elif not (ROOT / config).is_file():
        raise ValueError(f'{text}: no such file')
    return Model(name, config)


def parse_iters(texts: Sequence[str]) -> dict[str, int]:
    """Read ``SET=N`` or, for all trainings, ``N``.

    Raises:
        ValueError: if one is neither, or below 3.
    """
    iters = dict(DEFAULT_ITERS)
    for text in texts:
        name, given, number = text.rpartition('=')
        names = [name] if given else list(iters)
        if not set(names) <= set(iters) or not number.isdecimal():
            raise ValueError(
                f'iterations are N, or SET=N with SET among '
                f'{", ".join(iters)}; got {text!r}'
            )
        if int(number) < 3:
            raise ValueError(f'{text}: at least 3 iterations')
        iters.update(dict.fromkeys(names, int(number)))
    return iters


def marker(data: Path, subset: str) -> Path:
    """The file in a complete set that says how it was made."""
    return data / SETS[subset] / 'generator.json'


def benchmark_data_step(data: Path, subset: str) -> Step:
    """Write a set of the benchmark."""
    return Step(
        f'data_{subset}',
        f'Write the {subset} set of the benchmark',
        (
            'tools/dataset_converters/synthetic_avsbench.py',
            str(data),
            '--benchmark',
            *('--subset', subset),
            *('--workers', '2'),
        ),
        output=marker(data, subset),
        # Only ever overwrites what the generator made of this set, which is
        # not complete.
        resume=('--overwrite',),
    )


def reference_step(
    subset: str, data: Path, input_size: Sequence[int], work: Path
) -> Step:
    """Score what the generator knows: the ceilings of a set."""
    return Step(
        f'references_{subset}',
        f'Score what the generator of {subset} knows',
        (
            REFERENCES,
            str(data / SETS[subset]),
            *('--input-size', *map(str, input_size)),
            *('--out', str(work / f'references_{subset}.json')),
        ),
        output=work / f'references_{subset}.json',
    )


def read_data_config(subset: str, negatives: bool = False) -> Config:
    """The data part of a training."""
    suffix = '_listening' if negatives else ''
    name = f'configs/_base_/datasets/benchmark_{subset}{suffix}.py'
    return Config.fromfile(ROOT / name)


def compose(model: Model, subset: str, data: Path) -> Config:
    """Join the model part of one config and the data part of another.

    Args:
        model: of which the model is.
        subset: the set it trains on and is tested on.
        data: where the sets are.
    """
    config = Config.fromfile(ROOT / model.config)
    parts = read_data_config(subset, model.negatives).to_dict()
    for key, value in parts.items():
        # As a whole: what a data part does not say, its model's must not.
        config[key] = _moved(value, data)
    losses = config.model.decode_head.get('loss_decode', [])
    for loss in losses if isinstance(losses, list) else [losses]:
        if type_name(loss) == 'StructureLoss':
            loss.boundary_window = BOUNDARY_WINDOW
    return config


def _moved(value, data: Path):
    """The same with all paths below ``DATA`` below ``data``."""
    if isinstance(value, dict):
        return {k: _moved(v, data) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_moved(v, data) for v in value)
    if isinstance(value, str) and value.startswith(f'{DATA}/'):
        return (data / value.removeprefix(f'{DATA}/')).as_posix()
    return value


def write_config(config: Config, path: Path) -> None:
    """Write a whole config; a kill leaves the old file or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f'partial_{path.name}')
    config.dump(partial)
    partial.replace(path)


def clips_key(data: Path, subset: str) -> str:
    """What tells the clips of one set from those of another."""
    files = sorted((data / SETS[subset]).glob('*.json'))
    return digest(*(file.read_text() for file in files))
