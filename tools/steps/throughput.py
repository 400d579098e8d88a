"""What the benchmark of loader and training step measured, shown and told."""

from __future__ import annotations

import csv
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.table import Table


@dataclass(frozen=True)
class Measurement:
    """Clips per second of one thing, several times.

    Attributes:
        what: the thing.
        sound: the form it is loaded in, or where its embedding comes from.
        workers: processes that load, None for what does not.
        rates: clips per second.
    """

    what: str
    sound: str
    workers: int | None
    rates: Sequence[float]

    @property
    def median(self) -> float:
        """Clips per second."""
        return statistics.median(self.rates)


def make_table(measured: Sequence[Measurement]) -> Table:
    """One row per measurement."""
    table = Table()
    table.add_column('measured', no_wrap=True)
    table.add_column('sound', no_wrap=True)
    for column in ('workers', 'clips/s', 'min', 'max', 'ms/clip'):
        table.add_column(column, justify='right', no_wrap=True)
    for m in measured:
        values = (m.median, min(m.rates), max(m.rates), 1000 / m.median)
        table.add_row(
            m.what,
            m.sound,
            '–' if m.workers is None else str(m.workers),
            *(f'{value:.4g}' for value in values),
        )
    return table


def write_csv(path: Path, measured: Sequence[Measurement]) -> None:
    """The table as a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open('w', newline='') as file:
        writer = csv.writer(file)
        writer.writerow(
            (
                *('measured', 'sound', 'workers'),
                *('clips_per_s', 'lowest', 'highest'),
            )
        )
        for m in measured:
            workers = '' if m.workers is None else m.workers
            rates = m.median, min(m.rates), max(m.rates)
            writer.writerow((m.what, m.sound, workers, *rates))


def conclude(
    loaders: Sequence[Measurement], steps: Sequence[Measurement]
) -> str:
    """Say what the bottleneck is: the slowest loader, or the fastest step."""
    loader = min(loaders, key=lambda m: m.median)
    step = max(steps, key=lambda m: m.median)
    ratio = loader.median / step.median
    text = (
        f'the loader ({loader.sound}, num_workers={loader.workers}) gives '
        f'{loader.median:.4g} clips/s, {ratio:.3g} times the '
        f'{step.median:.4g} clips/s of the training step: '
    )
    if ratio > 1:
        return f'{text}the step is the bottleneck'
    return (
        f'{text}the loader is the bottleneck; try more workers '
        '(train_dataloader.num_workers) or converted log-mels'
    )
