"""What the benchmark of speed and memory measured, shown and kept."""

from __future__ import annotations

import csv
import math
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from matplotlib.figure import Figure
from rich import box
from rich.table import Table

from steps.performance_cases import Case
from steps.performance_parts import PARTS

# Colours that differ also to those who do not see all of them.
COLOURS = (
    *('#bbbbbb', '#ddcc77', '#332288', '#88ccee', '#cc6677', '#117733'),
    *('#aa4499', '#dddddd', '#44aa99', '#999933'),
)


@dataclass(frozen=True)
class Row:
    """One subject in one case.

    Attributes:
        case: the conditions.
        subject: what was timed.
        seconds: of every step.
        parts: part to its seconds in every step; empty for a whole.
        peak_mib: peak of memory, None if it was not measured.
        parameters: numbers in the weights.
        gflops: multiplications and additions of the matrix products, the
            convolutions and the attention of the forward pass of a clip, in
            thousands of millions; None in training.
        log_mel_s: seconds of the log-mels of a clip, on the processor.
    """

    case: Case
    subject: str
    seconds: Sequence[float]
    parts: dict[str, Sequence[float]]
    peak_mib: float | None
    parameters: int
    gflops: float | None
    log_mel_s: float

    @property
    def median(self) -> float:
        """Seconds of a step."""
        return statistics.median(self.seconds)

    @property
    def clips_per_s(self) -> float:
        """Clips in a second."""
        return self.case.batch / self.median

    def ratio(self, other: Row) -> float:
        """How long it takes beside another one, taking turns."""
        return statistics.median(
            a / b for a, b in zip(self.seconds, other.seconds, strict=True)
        )

    def part_ms(self, name: str) -> float:
        """Milliseconds of a part; of ``rest``, what is in none of them."""
        if name == 'rest':
            named = map(sum, zip(*self.parts.values(), strict=True))
            rests = zip(self.seconds, named, strict=True)
            return 1e3 * statistics.median(a - b for a, b in rests)
        return 1e3 * statistics.median(self.parts[name])

    @property
    def part_names(self) -> list[str]:
        """Those that it has, in order."""
        if not self.parts:
            return []
        return [*(name for name in PARTS if name in self.parts), 'rest']


def find(rows: Sequence[Row], case: Case, subject: str) -> Row | None:
    """The row of a subject in a case."""
    for row in rows:
        if row.case == case and row.subject == subject:
            return row
    return None


def exponent(rows: Sequence[Row], memory: bool = False) -> float | None:
    """How time or memory grows with the positions: as their power x.

    Args:
        rows: of one subject.
        memory: whether it is the memory.

    Returns:
        The slope of the straight line through the logarithms; None with less
        than two numbers of positions.

    Equation:
        log y = x log(T h w) + const, least squares.
    """
    points = [
        (
            math.log(row.case.positions),
            math.log(row.peak_mib if memory else row.median),
        )
        for row in rows
        if not memory or row.peak_mib
    ]
    if len({x for x, _ in points}) < 2:
        return None
    slope, _ = statistics.linear_regression(*zip(*points, strict=True))
    return slope


def make_tables(rows: Sequence[Row]) -> list[Table]:
    """A table for every case, and one of the parts of all of them."""
    tables = []
    for case in dict.fromkeys(row.case for row in rows):
        table = _table(str(case))
        table.add_column('', no_wrap=True)
        # x: as many times what the backbone alone takes.
        for column in (
            *('ms', 'min', 'max', 'clips/s', 'x', 'MiB', 'x'),
            *('params', 'GFLOP'),
        ):
            table.add_column(column, justify='right', no_wrap=True)
        backbone = find(rows, case, 'backbone')
        for row in rows:
            if row.case == case:
                table.add_row(row.subject, *_cells(row, backbone))
        tables.append(table)
    for row in rows:
        if row.parts:
            table = _table(f'{row.subject}: {row.case}')
            table.add_column('part', no_wrap=True)
            table.add_column('ms', justify='right')
            table.add_column('share', justify='right')
            for name in row.part_names:
                ms = row.part_ms(name)
                share = ms / row.median / 10
                table.add_row(name, f'{ms:.1f}', f'{share:.1f} %')
            table.add_row(
                'log-mel of a clip, in the loader',
                f'{1e3 * row.log_mel_s:.1f}',
                '',
            )
            tables.append(table)
    return tables


def _table(title: str) -> Table:
    """As narrow as it gets: the widest one is to fit 80 columns."""
    return Table(
        title=title,
        title_justify='left',
        box=box.SIMPLE_HEAD,
        collapse_padding=True,
        pad_edge=False,
    )


def _cells(row: Row, backbone: Row | None) -> list[str]:
    def number(value: float | None, form: str) -> str:
        return '–' if value is None else format(value, form)

    memory = None
    if backbone is not None and backbone.peak_mib and row.peak_mib:
        memory = row.peak_mib / backbone.peak_mib
    return [
        f'{1e3 * row.median:.4g}',
        f'{1e3 * min(row.seconds):.4g}',
        f'{1e3 * max(row.seconds):.4g}',
        f'{row.clips_per_s:.3g}',
        number(backbone and row.ratio(backbone), '.2f'),
        number(row.peak_mib, '.0f'),
        number(memory, '.2f'),
        f'{row.parameters / 1e6:.1f} M',
        number(row.gflops, '.1f'),
    ]


def growth(rows: Sequence[Row]) -> list[str]:
    """A sentence for every subject that was timed at several sizes."""
    lines = []
    for group, same in _by_size(rows).items():
        time, memory = exponent(same), exponent(same, memory=True)
        if time is not None:
            text = f'{group}: time grows as (T h w)^{time:.3f}'
            if memory is not None:
                text += f', memory as (T h w)^{memory:.3f}'
            lines.append(text)
    return lines


def _by_size(rows: Sequence[Row]) -> dict[str, list[Row]]:
    groups: dict[str, list[Row]] = {}
    for row in rows:
        case = row.case
        words = [row.subject, case.task, f'batch {case.batch}', case.precision]
        if case.compiled:
            words.append('compiled')
        groups.setdefault(', '.join(words), []).append(row)
    return groups


def write_csv(path: Path, rows: Sequence[Row], environment: dict) -> None:
    """All numbers as a file.

    Args:
        path: of the file.
        rows: what was measured.
        environment: columns that are the same in every row.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = []
    for row in rows:
        case = asdict(row.case)
        case['height'], case['width'] = case.pop('size')
        backbone = find(rows, row.case, 'backbone')
        lines.append(
            dict(
                subject=row.subject,
                **case,
                median_ms=1e3 * row.median,
                min_ms=1e3 * min(row.seconds),
                max_ms=1e3 * max(row.seconds),
                steps=len(row.seconds),
                clips_per_s=row.clips_per_s,
                of_backbone=backbone and row.ratio(backbone),
                peak_mib=row.peak_mib,
                parameters=row.parameters,
                gflops_per_clip=row.gflops,
                log_mel_ms=1e3 * row.log_mel_s,
                **{
                    f'{name.replace(" ", "_")}_ms': row.part_ms(name)
                    if name in row.part_names
                    else None
                    for name in (*PARTS, 'rest')
                },
                **environment,
            )
        )
    with path.open('w', newline='') as file:
        writer = csv.DictWriter(file, list(lines[0]))
        writer.writeheader()
        writer.writerows(lines)


def draw(rows: Sequence[Row], path: Path) -> None:
    """Parts of each row as bars; with several sizes, time against size."""
    groups = {
        name: same
        for name, same in _by_size(rows).items()
        if len({row.case.positions for row in same}) > 1
    }
    height = max(2.5, 0.4 * len(rows) + 1.2)
    figure = Figure(
        figsize=(15 if groups else 9, height), layout='constrained'
    )
    axes = figure.subplots(1, 2 if groups else 1, squeeze=False)[0]
    _draw_bars(axes[0], rows)
    if groups:
        for name, same in groups.items():
            same = sorted(same, key=lambda row: row.case.positions)
            axes[1].loglog(
                [row.case.positions for row in same],
                [1e3 * row.median for row in same],
                marker='o',
                label=name,
            )
        axes[1].set_xlabel('positions of a clip, T h w')
        axes[1].set_ylabel('ms a step')
        axes[1].grid(alpha=0.3)
        axes[1].legend(fontsize=8)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)


def _draw_bars(axes, rows: Sequence[Row]) -> None:
    colours = dict(zip(PARTS, COLOURS, strict=True), rest='#777777')
    several = len({row.case for row in rows}) > 1
    seen = set()
    for y, row in enumerate(rows):
        left = 0.0
        for name in row.part_names:
            width = max(0.0, row.part_ms(name))
            axes.barh(
                y,
                width,
                left=left,
                color=colours[name],
                label=None if name in seen else name,
            )
            seen.add(name)
            left += width
        if not row.parts:
            axes.barh(y, 1e3 * row.median, color='white', edgecolor='black')
    axes.set_yticks(
        range(len(rows)),
        [f'{r.subject}: {r.case}' if several else r.subject for r in rows],
        fontsize=8,
    )
    axes.invert_yaxis()
    axes.set_xlabel('ms a step')
    if not several:
        axes.set_title(str(rows[0].case), fontsize=9)
    if seen:
        axes.legend(fontsize=8, loc='center left', bbox_to_anchor=(1, 0.5))
