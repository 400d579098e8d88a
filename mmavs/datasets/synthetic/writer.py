"""Write a synthetic set in the layout of AVSBench."""

import itertools
import json
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from mmavs.datasets.layout import LABEL_FILE, LAYOUTS, write_clips

from .clip_files import clip_files
from .clip_writer import write_file, write_scene
from .completion import DONE, GENERATOR, UNDER_WAY, is_reusable, remove_set
from .encodings import choose_encoding
from .plan import plan_clips
from .sound_pairs import find_sound_pairs
from .species import CLASSES
from .subsets import check_num_clips

__all__ = ['GENERATOR_VERSION', 'write_synthetic_avsbench']

GENERATOR_VERSION = 2
"""int: raised whenever the same options give other bytes."""

_PAIRS, _CLIPS = 'sound_pairs.json', 'clips.json'


def _json(content):
    """Text with one line for each entry of a dict."""
    lines = (
        f'{json.dumps(key)}: {json.dumps(value)}'
        for key, value in content.items()
    )
    return ('{\n' + ',\n'.join(lines) + '\n}\n').encode()


def _all_files(layout, plans, log_mel):
    """Paths of all files of a set but the marker, relative to its root."""
    yield from (layout.csv_name, _PAIRS, _CLIPS)
    if layout.semantic:
        yield LABEL_FILE
    for plan in plans:
        for paths in clip_files(plan, log_mel).values():
            yield from paths.values()


def write_synthetic_avsbench(
    root,
    subset,
    num_clips,
    seed=0,
    silent_share=0.05,
    off_screen=None,
    benchmark=None,
    encodings='published',
    log_mel=False,
    num_workers=0,
    overwrite=False,
    progress=None,
):
    """Write a synthetic set in the layout of one setting of AVSBench.

    Beside the layout there are ``sound_pairs.json`` (see
    :func:`find_sound_pairs`), ``clips.json`` (for every clip its split, its
    objects with centres and radii per frame, and what sounds in each second)
    and ``generator.json`` (version, seed, options), which is written last:
    without it a set is not complete. The same arguments give the same bytes,
    and neither the number of workers nor that of other clips changes a clip.

    Args:
        root (str | Path): ``Single-source``, ``Multi-sources`` or
            ``AVSBench-semantic`` is made in this folder.
        subset (str): ``s4``, ``ms3`` or ``avss``.
        num_clips (dict[str, int]): clips of ``train``, ``val`` and ``test``;
            val and test must be 0 or even and >= 4, in ``avss`` >= 12.
        seed (int): seed of the set.
        silent_share (float): MS3, and AVSS but ``v1s``: share of the seconds
            without any sounding object.
        off_screen (str | None): sounds without a visible source, ``none``,
            ``also`` or ``only``, see :func:`plan.plan_clips`; by default
            none in S4 and MS3, and in AVSS those of its subsets.
        benchmark (str | None): a version that ``generator.json`` is to name,
            see :func:`benchmark.benchmark_options`.
        encodings (str): ``published`` writes files as AVSBench has them,
            ``mixed`` in turn in all forms that occur, see :mod:`encodings`.
        log_mel (bool): also write the log-mel features of the sound, as
            pickles in the published form.
        num_workers (int): threads; 0 or 1 works in the calling thread.
        overwrite (bool): start anew where a synthetic set is already, whole
            or interrupted. Anything else is never removed.
        progress (Callable[[int, int], None] | None): called with the number
            of clips written and of all clips.

    Returns:
        tuple[Path, bool]: the folder of the setting, and whether it was
        written (True) or found complete and left as it was (False).

    Raises:
        ValueError: if an argument is out of its range.
        FileExistsError: if the folder holds something else.
    """
    if num_workers < 0:
        raise ValueError(f'num_workers must be >= 0, got {num_workers}')
    plans = plan_clips(subset, num_clips, seed, silent_share, off_screen)
    choose_encoding(plans[0], encodings)  # says early if there is no such
    layout = LAYOUTS[subset]
    root = Path(root) / layout.root
    options = dict(
        generator=GENERATOR,
        version=GENERATOR_VERSION,
        subset=subset,
        seed=seed,
        num_clips=check_num_clips(num_clips, subset),
        # it means nothing in S4, where every second sounds
        silent_share=None if subset == 's4' else silent_share,
    )
    # Sets without these have no such entries, the older ones among them.
    if off_screen not in (None, 'none'):
        options.update(off_screen=off_screen)
    if benchmark is not None:
        options.update(benchmark=benchmark)
    if encodings != 'published':
        options.update(encodings=encodings)
    if log_mel:
        options.update(log_mel=True)
    if overwrite:
        remove_set(root)
    elif is_reusable(root, _all_files(layout, plans, log_mel), options):
        return root, False

    write_file(root / UNDER_WAY, _json(options))
    scenes = [
        list(group)
        for _, group in itertools.groupby(
            plans,
            key=lambda plan: (plan.split, plan.subset, plan.scene_index),
        )
    ]
    entries = {}
    pool = ThreadPoolExecutor(num_workers) if num_workers > 1 else None
    try:
        results = (pool.map if pool else map)(
            lambda group: write_scene(root, group, encodings, log_mel),
            scenes,
        )
        for result in results:
            entries.update(result)
            if progress is not None:
                progress(len(entries), len(plans))
    finally:
        if pool is not None:
            pool.shutdown(cancel_futures=True)
    table = write_clips(layout, [plan.row() for plan in plans])
    write_file(root / layout.csv_name, table)
    if layout.semantic:
        labels = {name: index for index, name in enumerate(CLASSES)}
        write_file(root / LABEL_FILE, _json(labels))
    write_file(root / _PAIRS, _json(find_sound_pairs(plans)))
    write_file(root / _CLIPS, _json(entries))
    os.replace(root / UNDER_WAY, root / DONE)
    return root, True
