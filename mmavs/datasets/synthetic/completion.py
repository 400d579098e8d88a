"""Whether a folder holds a complete set, an unfinished one, or others' data.

A set is under way while it has ``generator.partial.json`` and done once that
has become ``generator.json``, in one step and last of all. Both hold the
options, and only a folder with one of them is ever emptied.
"""

import json
import os
import shutil

__all__ = [
    'DONE',
    'GENERATOR',
    'UNDER_WAY',
    'is_reusable',
    'read_options',
    'remove_set',
]

GENERATOR = 'synthetic_avsbench'
DONE, UNDER_WAY = 'generator.json', 'generator.partial.json'


def _missing_file(root, paths):
    """The first file of a set that is absent or empty, or None."""
    for path in paths:
        path = root / path
        if not path.is_file() or not path.stat().st_size:
            return path
    return None


def _read_marker(path):
    """The options a marker of ours holds, or None if it is not one."""
    try:
        content = json.loads(path.read_text(encoding='utf-8'))
    except (OSError, ValueError):
        return None
    is_ours = isinstance(content, dict) and (
        content.get('generator') == GENERATOR
    )
    return content if is_ours else None


def read_options(root):
    """Read how a complete set was made.

    Args:
        root (Path): folder of the subset.

    Returns:
        dict: its options, by the names of
        :func:`writer.write_synthetic_avsbench`, and the ``version`` of the
        generator.

    Raises:
        FileNotFoundError: if there is no complete set of ours.
    """
    options = _read_marker(root / DONE)
    if options is None:
        raise FileNotFoundError(
            f'{root} holds no complete synthetic set (it has no {DONE} of '
            'the generator)'
        )
    return options


def _differences(existing, options):
    """Name the options in which two markers differ."""
    missing = object()
    values = (
        (name, existing.get(name, missing), options.get(name, missing))
        for name in {**existing, **options}
    )
    return ', '.join(
        f'{name} is '
        + ', asked for is '.join(
            'the default' if value is missing else repr(value)
            for value in pair
        )
        for name, *pair in values
        if pair[0] != pair[1]
    )


def is_reusable(root, paths, options):
    """Decide about a folder that may be there already.

    Args:
        root (Path): folder of the subset.
        paths (Iterable[str]): all files a complete set has, relative to root.
        options (dict): what its marker must say.

    Returns:
        bool: True if the set is complete, False if the folder is free.

    Raises:
        FileExistsError: if the folder holds anything else.
    """
    if not root.exists() or not any(root.iterdir()):
        return False
    if (root / UNDER_WAY).is_file():
        raise FileExistsError(
            f'{root} holds an unfinished set (it has a '
            f'{UNDER_WAY}): overwrite it'
        )
    existing = _read_marker(root / DONE)
    if existing is None:
        raise FileExistsError(
            f'{root} is not empty and was not made by this '
            f'generator (it has no {DONE} of its own): '
            'choose another folder'
        )
    if existing != options:
        raise FileExistsError(
            f'{root / DONE} is of another set '
            f'({_differences(existing, options)}): '
            'choose another folder or overwrite it'
        )
    missing = _missing_file(root, paths)
    if missing is not None:
        raise FileExistsError(
            f'{root} is no longer complete, {missing} is '
            'missing or empty: overwrite it'
        )
    return True


def remove_set(root):
    """Empty a folder of a set of ours, whole or unfinished.

    Args:
        root (Path): folder of the subset; may be absent or empty.

    Raises:
        FileExistsError: if the folder holds anything else.
    """
    if not root.exists() or not any(root.iterdir()):
        return
    done, under_way = root / DONE, root / UNDER_WAY
    if _read_marker(done) is not None:
        # from here on the set is incomplete, whatever happens
        os.replace(done, under_way)
    elif not under_way.is_file():
        raise FileExistsError(
            f'{root} is not empty and was not made by this generator (it has '
            f'neither a {DONE} of its own nor a {UNDER_WAY}): it will not '
            'be overwritten'
        )
    for path in root.iterdir():
        if path == under_way:
            continue
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()
