"""What a script says beside its result, on standard error."""

from __future__ import annotations

import re
import sys
import warnings
from typing import Any, NoReturn

# As messages of the library name them, perhaps with the option behind it.
_ARGUMENT = re.compile(
    r"\b(fps|no_audio_policy|num_samples|overlap|sound)=('?)([\w./]+)\2"
    r'(?: \(--[^()]*\))?'
)


def say(text: str) -> None:
    """Write a line on standard error that cannot command the terminal."""
    if not text.isprintable():
        from mmavs.datasets.files import printable

        text = printable(text)
    print(text, file=sys.stderr)


def refuse(message: str) -> NoReturn:
    """End for a reason that is no input's."""
    say(f'error: {message}')
    sys.exit(2)


def tell_warnings_once() -> None:
    """Show a warning as one line, and not again."""
    told = set()

    def show(message: Warning | str, *where: Any) -> None:
        text = str(message)
        if text not in told:
            told.add(text)
            say(f'warning: {text}')

    warnings.showwarning = show


def reason(error: Exception, source: str) -> str:
    """What an exception says of an input, in one line.

    Files and options that are wrong are reported as errors of a few types,
    with the name of the file, which is told anyway. Of any other the type is
    told, too. Arguments of Python are named as options of the command line.
    """
    from mmavs.datasets.errors import DataError

    text = str(error)
    expected = isinstance(error, OSError | DataError)
    if not text or not (expected or type(error) is ValueError):
        text = ': '.join(filter(None, [type(error).__name__, text]))
    for prefix in (f'{source}: ', f'{source} '):
        text = text.removeprefix(prefix)
    text = _ARGUMENT.sub(_as_option, text)
    # After that: the name of a file may have lines, too.
    return ' '.join(text.splitlines())


def _as_option(match: re.Match) -> str:
    name = match[1].replace('num_', '').replace('_', '-')
    return f'--{name} {match[3]}'
