"""The bar that a converter shows while it works."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
)


@contextmanager
def progress_bar(
    label: str, transient: bool = False, unit: str = ''
) -> Iterator[Callable[[float, float | None], None]]:
    """Show a bar on standard error.

    Args:
        label: what is counted.
        transient: leave nothing of it, neither on a terminal nor in a file.
        unit: what it is counted in.

    Yields:
        The callback that moves it: how many are done, and of how many.
    """
    columns = (
        # The name of a file is no markup.
        TextColumn('{task.description}', markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn(unit),
        TimeRemainingColumn(),
    )
    console = Console(stderr=True)
    with Progress(
        *columns,
        console=console,
        transient=transient,
        disable=transient and not console.is_terminal,
    ) as bar:
        task = bar.add_task(label, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
