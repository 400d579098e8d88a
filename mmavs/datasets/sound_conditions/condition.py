"""What a sound condition is called, and what sounds under it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

Truth = Literal['matched', 'twin', 'empty']

TRUTH: dict[str, Truth | None] = dict(
    matched='matched',
    twin='twin',
    swapped='empty',
    same_class=None,
    silence='empty',
    white_noise='empty',
    pink_noise='empty',
    off_screen='matched',
    shift=None,
    shuffle=None,
)
"""dict[str, str | None]: name of a condition to whose mask is then the right
one: the clip's own ('matched'), that of its twin, one without any object
('empty'), or unknown."""

PAIRED_RELATIONS = dict(
    twin='twin',
    swapped='swapped',
    same_class='same_class',
    off_screen='swapped',
)
"""dict[str, str]: name of a condition to the relation of the pairs file whose
clip it plays."""

# Of noise the parameter may be missing: then it takes the place of the sound.
_UNITS = dict(white_noise='dB', pink_noise='dB', off_screen='dB', shift='s')
_DEFAULTS = dict(off_screen=0.0)
_EXAMPLES = dict(
    white_noise='white_noise, white_noise@10dB',
    pink_noise='pink_noise, pink_noise@10dB',
    off_screen='off_screen@0dB',
    shift='shift@+1s, shift@-1s',
)
# So many digits survive the way through %g.
_FORM = re.compile(
    r'(?P<name>[a-z_]+)'
    r'(@(?P<value>[+-]?[0-9]{1,3}(\.[0-9]{1,3})?)(?P<unit>dB|s))?'
)
_MAX_DB = 100.0


@dataclass(frozen=True)
class Condition:
    """A sound condition, read from its text.

    Attributes:
        name: a key of ``TRUTH``.
        value: its parameter, decibels or seconds; None if it has none.
        text: how it is written: ``NAME`` or ``NAME@PARAMETER``, in one form
            for each value.
    """

    name: str
    value: float | None
    text: str

    @property
    def relation(self) -> str | None:
        """Relation of the pairs file that it needs; None if it needs none."""
        return PAIRED_RELATIONS.get(self.name)

    @property
    def truth(self) -> Truth | None:
        """Whose mask is the right one, see ``TRUTH``.

        Noise at a ratio leaves the clip's own sound to be heard.
        """
        if _UNITS.get(self.name) == 'dB' and self.value is not None:
            return 'matched'
        return TRUTH[self.name]


def parse_condition(text: str) -> Condition:
    """Read the text of a sound condition.

    Args:
        text: ``NAME`` or ``NAME@PARAMETER``: ``matched``, ``pink_noise``,
            ``white_noise@-5dB``, ``shift@+1s``. ``off_screen`` is
            ``off_screen@0dB``.

    Raises:
        ValueError: If there is no such condition, or its parameter is
            missing, of the wrong unit, or out of range.
    """
    match = _FORM.fullmatch(text)
    if match is None or match['name'] not in TRUTH:
        known = ', '.join(_EXAMPLES.get(name, name) for name in TRUTH)
        raise ValueError(
            f'sound condition must be one of {known} (numbers of your own), '
            f'got {text!r}'
        )
    name, unit = match['name'], _UNITS.get(match['name'])
    if match['unit'] is None:
        value = _DEFAULTS.get(name)
        if name == 'shift':
            raise ValueError(f'{text!r} needs the seconds: {_EXAMPLES[name]}')
    elif match['unit'] != unit:
        wanted = f'a number of {unit}' if unit else 'no parameter'
        raise ValueError(f'{name} takes {wanted}, got {text!r}')
    else:
        value = float(match['value']) + 0.0  # no -0
    if value is None:
        return Condition(name, None, name)
    if unit == 'dB' and abs(value) > _MAX_DB:
        raise ValueError(
            f'the ratio must be within {-_MAX_DB:g} and {_MAX_DB:g} dB, got '
            f'{text!r}'
        )
    if unit == 's' and value == 0:
        raise ValueError(f'{text!r} moves nothing: that is matched')
    number = f'{value:+g}' if unit == 's' else f'{value:g}'
    return Condition(name, value, f'{name}@{number}{unit}')
