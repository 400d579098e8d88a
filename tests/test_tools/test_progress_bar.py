"""The bar of the converters."""

from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def progress_bar(monkeypatch):
    """The function, from where the scripts find it."""
    monkeypatch.syspath_prepend(ROOT / 'tools')
    from steps.progress import progress_bar

    return progress_bar


def test_bar_on_standard_error(progress_bar, capsys):
    with progress_bar('pickles') as progress:
        progress(2, 7)
    printed = capsys.readouterr()
    assert printed.out == ''
    assert 'pickles' in printed.err
    assert '2/7' in printed.err


def test_transient_bar_leaves_nothing_in_a_file(progress_bar, capsys):
    with progress_bar('clips', transient=True) as progress:
        progress(2, 7)
    assert capsys.readouterr() == ('', '')


def test_bar_ends_with_what_ends_the_work(progress_bar, capsys):
    with pytest.raises(KeyboardInterrupt), progress_bar('clips') as progress:
        progress(1, 3)
        raise KeyboardInterrupt
    assert '1/3' in capsys.readouterr().err
