"""What was found about the codes of a model, as JSON and as Markdown."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mmavs.evaluation.listening.bootstrap import Estimate
from mmavs.evaluation.probes.movement import (
    ACTIVE_SHARE,
    LITTLE_NATS,
    CodeSpread,
)
from mmavs.evaluation.probes.reading import ProbeScore
from mmavs.evaluation.probes.targets import MEANINGS

# Titles of the tables.
READ = 'How well it can be read (AUC)'
MOVES = 'How far it moves'
SAYS = 'How much it says'


@dataclass(frozen=True)
class LatentReport:
    """What the codes of a model know, and what moves them.

    Attributes:
        facts: what was looked at: splits, numbers of clips, seed, ...
        spread: of each code of the model.
        probes: code or reference -> target -> score.
        movement: code or reference -> sound condition -> how far it moves.
        codes: the codes of the scored frames, to be drawn.
        labels: what sounds in each of these frames.
        other: the labels that are no class.
        notes: what was left out, and why; one line each.

    Shapes:
        - codes: (N, K) each; labels: (N,).
    """

    facts: dict[str, Any]
    spread: dict[str, CodeSpread]
    probes: dict[str, dict[str, ProbeScore]]
    movement: dict[str, dict[str, Estimate]]
    codes: dict[str, np.ndarray]
    labels: np.ndarray
    other: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def tables(self, intervals: bool = True) -> dict[str, list[list[str]]]:
        """The tables by title, each with its head as the first row.

        Args:
            intervals: whether numbers come with their intervals.
        """
        write = str if intervals else _value
        return {
            READ: self._probe_table(write),
            MOVES: self._movement_table(write),
            SAYS: self._spread_table(),
        }

    def explanations(self) -> dict[str, list[str]]:
        """A few lines below each table, by its title."""
        asked = dict.fromkeys(t for row in self.probes.values() for t in row)
        facts = self.facts
        return {
            READ: [
                'Area under the ROC curve of linear probes, mean over classes '
                f'(chance 0.5), fitted on the {facts["fit_clips"]} '
                f'{facts["fit_split"]} clips, scored on the '
                f'{facts["clips"]} {facts["split"]} clips; 95 % intervals by '
                f'bootstrap over their {facts["scenes"]} scenes, of the '
                'probes as they are. Labels of other clips: mean and range '
                'of several shuffles.',
                *(f'{name}: {MEANINGS[name]}.' for name in asked),
            ],
            MOVES: [
                'Mean squared distance to the code with the own sound: 0 '
                'stays, 1 as far as from a frame to a random other one.',
            ],
            SAYS: [
                'Variance of the means over frames beside the variance of a '
                'sample; what a sample says about its frame, in nats, as if '
                'means were Gaussian; dimensions whose means vary by more '
                f'than {ACTIVE_SHARE:.0%} of the noise. No probe sees the '
                'noise: they read the means.',
                *(
                    f'{name} hardly varies: below {LITTLE_NATS} nats its '
                    'samples are next to the same for all frames.'
                    for name, spread in self.spread.items()
                    if spread.hardly_varies
                ),
            ],
        }

    def to_json(self) -> str:
        """Strict JSON; NaN is null."""
        content = dict(
            self.facts,
            notes=list(self.notes),
            probes=_plain(self.probes),
            movement=_plain(self.movement),
            spread={
                name: dict(
                    _plain(spread),
                    ratio=_plain(spread.ratio),
                    hardly_varies=spread.hardly_varies,
                )
                for name, spread in self.spread.items()
            },
        )
        return json.dumps(content, indent=2, allow_nan=False) + '\n'

    def to_markdown(self) -> str:
        """The tables with their explanations."""
        lines = ['# What the codes know', '']
        explanations = self.explanations()
        for title, table in self.tables().items():
            head, *rows = table
            align = ['---', *['---:'] * (len(head) - 1)]
            lines += [f'## {title}', '', *map(_row, (head, align, *rows)), '']
            lines += [f'- {line}' for line in explanations[title]] + ['']
        lines += [f'- {note}' for note in self.notes]
        return '\n'.join(lines).rstrip() + '\n'

    def _probe_table(self, write: Callable) -> list[list[str]]:
        codes = self.probes.values()
        targets = list(dict.fromkeys(t for row in codes for t in row))
        one_of = [
            target
            for target in targets
            if any(row[target].chance is not None for row in codes)
        ]
        accuracies = [f'{target}: accuracy' for target in one_of]
        table = [['code', *targets, *accuracies]]
        for code, scores in self.probes.items():
            areas = [write(scores[target].auc) for target in targets]
            shares = [write(scores[target].accuracy) for target in one_of]
            table.append([code, *areas, *shares])
        scores = next(iter(codes))
        chances = [f'{scores[target].chance:.2f}' for target in one_of]
        return [*table, ['chance', *['0.50'] * len(targets), *chances]]

    def _movement_table(self, write: Callable) -> list[list[str]]:
        conditions = list(next(iter(self.movement.values())))
        return [
            ['code', *conditions],
            *(
                [code, *(write(row[c]) for c in conditions)]
                for code, row in self.movement.items()
            ),
        ]

    def _spread_table(self) -> list[list[str]]:
        head = ['code', 'size', 'means', 'noise', 'ratio', 'nats', 'active']
        return [
            head,
            *(
                [
                    name,
                    str(spread.size),
                    f'{spread.mean_variance:.3g}',
                    f'{spread.noise_variance:.3g}',
                    f'{spread.ratio:.3g}',
                    f'{spread.information_nats:.2f}',
                    str(spread.active),
                ]
                for name, spread in self.spread.items()
            ),
        ]


def _value(estimate: Estimate) -> str:
    return str(estimate).split(' ')[0]


def _row(cells: Sequence[str]) -> str:
    return f'| {" | ".join(cells)} |'


def _plain(value: Any) -> Any:
    """What JSON can hold: numbers of six digits, None for NaN."""
    if dataclasses.is_dataclass(value):
        names = [field.name for field in dataclasses.fields(value)]
        return {name: _plain(getattr(value, name)) for name in names}
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, float):
        return float(f'{value:.6g}') if math.isfinite(value) else None
    return value
