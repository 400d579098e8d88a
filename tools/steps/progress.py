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
    label: str, transient: bool = False
) -> Iterator[Callable[[int, int], None]]:
    """Show a bar on standard error.

    Args:
        label: what is counted.
        transient: leave nothing of it, neither on a terminal nor in a file.

    Yields:
        The callback that moves it: how many are done, and of how many.
    """
    columns = (
        TextColumn('{task.description}'),
        BarColumn(),
        MofNCompleteColumn(),
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
