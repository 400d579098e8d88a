"""Write a synthetic set in the layout of AVSBench-object."""

import csv
import io
import itertools
import json
import os
import wave
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2

from .completion import DONE, GENERATOR, UNDER_WAY, is_reusable, remove_set
from .layout import LAYOUTS, NUM_FRAMES
from .plan import check_num_clips, plan_clips
from .render import render_clip, render_scene
from .sound_pairs import find_sound_pairs
from .timbres import SAMPLE_RATE_HZ

__all__ = ['GENERATOR_VERSION', 'clip_files', 'write_synthetic_avsbench']

GENERATOR_VERSION = 1
"""int: raised whenever the same options give other bytes."""

_PAIRS, _CLIPS = 'sound_pairs.json', 'clips.json'
# fast rather than small
_MASK_FLAGS = [cv2.IMWRITE_PNG_COMPRESSION, 1]
_FRAME_FLAGS = [
    *_MASK_FLAGS,
    cv2.IMWRITE_PNG_STRATEGY,
    cv2.IMWRITE_PNG_STRATEGY_HUFFMAN_ONLY,
]
if hasattr(cv2, 'IMWRITE_PNG_FILTER'):  # not in older releases of OpenCV
    _FRAME_FLAGS += [cv2.IMWRITE_PNG_FILTER, cv2.IMWRITE_PNG_FILTER_SUB]


def clip_files(plan):
    """The files of one clip.

    Args:
        plan (ClipPlan): the clip.

    Returns:
        dict[str, dict[int, str] | str]: ``frames`` and ``masks`` map the
        frame number 1..5 to a path, ``wav`` is one; all relative to the
        root of the subset, with forward slashes.
    """
    layout = LAYOUTS[plan.subset]
    names = dict(
        split=plan.split, category=plan.category, video_id=plan.video_id
    )
    return dict(
        frames={
            k: layout.frame.format(k=k, **names)
            for k in range(1, NUM_FRAMES + 1)
        },
        masks={
            k: layout.mask.format(k=k, **names)
            for k in layout.labelled[plan.split]
        },
        wav=layout.wav.format(**names),
    )


def _png(image, flags):
    return cv2.imencode('.png', image, flags)[1].tobytes()


def _wav(waveform):
    buffer = io.BytesIO()
    with wave.open(buffer, 'wb') as stream:
        stream.setnchannels(1)
        stream.setsampwidth(2)
        stream.setframerate(SAMPLE_RATE_HZ)
        stream.writeframes(waveform.astype('<i2').tobytes())
    return buffer.getvalue()


def _write(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def _json(content):
    """Text with one line for each entry of a dict."""
    lines = (
        f'{json.dumps(key)}: {json.dumps(value)}'
        for key, value in content.items()
    )
    return ('{\n' + ',\n'.join(lines) + '\n}\n').encode()


def _write_scene(root, plans):
    """Write the clips that share a scene.

    Args:
        root (Path): folder of the subset.
        plans (list[ClipPlan]): one train clip or two twins.

    Returns:
        dict[str, dict]: video id -> its entry in ``clips.json``.
    """
    scene = render_scene(plans[0])
    frames = [
        _png(cv2.cvtColor(frame, cv2.COLOR_RGB2BGR), _FRAME_FLAGS)
        for frame in scene.frames
    ]
    entries = {}
    for plan in plans:
        clip, files = render_clip(plan, scene), clip_files(plan)
        for k, path in files['frames'].items():
            _write(root / path, frames[k - 1])
        for k, path in files['masks'].items():
            _write(root / path, _png(clip.masks[k - 1], _MASK_FLAGS))
        _write(root / files['wav'], _wav(clip.waveform))
        entries[plan.video_id] = dict(
            split=plan.split,
            objects=[
                dict(species=name, centres=centres, radii=radii)
                for name, centres, radii in zip(
                    plan.species,
                    clip.centres.round(2).tolist(),
                    clip.radii.round(2).tolist(),
                    strict=True,
                )
            ],
            sounding=plan.sounding_species(),
        )
    return entries


def _write_csv(path, plans):
    columns = LAYOUTS[plans[0].subset].csv_columns
    with path.open('w', newline='', encoding='utf-8') as stream:
        writer = csv.writer(stream, lineterminator='\n')
        writer.writerow(columns)
        for plan in plans:
            row = dict(
                name=plan.video_id,
                video_id=plan.video_id,
                start=plan.start_s,
                category=plan.category,
                split=plan.split,
            )
            writer.writerow([row[column] for column in columns])


def _all_files(plans):
    """Paths of all files of a set but the marker, relative to its root."""
    yield from (LAYOUTS[plans[0].subset].csv_name, _PAIRS, _CLIPS)
    for files in map(clip_files, plans):
        yield from files['frames'].values()
        yield from files['masks'].values()
        yield files['wav']


def write_synthetic_avsbench(
    root,
    subset,
    num_clips,
    seed=0,
    silent_share=0.05,
    num_workers=0,
    overwrite=False,
    progress=None,
):
    """Write a synthetic S4 or MS3 in the layout of AVSBench-object.

    Beside the layout there are ``sound_pairs.json`` (see
    :func:`find_sound_pairs`), ``clips.json`` (for every clip its split, its
    objects with centres and radii per frame, and what sounds in each second)
    and ``generator.json`` (version, seed, options), which is written last:
    without it a set is not complete. The same arguments give the same bytes,
    and neither the number of workers nor that of other clips changes a clip.

    Args:
        root (str | Path): ``Single-source`` or ``Multi-sources`` is made
            in this folder.
        subset (str): ``s4`` or ``ms3``.
        num_clips (dict[str, int]): clips of ``train``, ``val`` and ``test``;
            val and test must be 0 or even and >= 4.
        seed (int): seed of the set.
        silent_share (float): MS3: share of the seconds without any sounding
            object.
        num_workers (int): threads; 0 or 1 works in the calling thread.
        overwrite (bool): start anew where a synthetic set is already, whole
            or interrupted. Anything else is never removed.
        progress (Callable[[int, int], None] | None): called with the number
            of clips written and of all clips.

    Returns:
        tuple[Path, bool]: the folder of the subset, and whether it was
        written (True) or found complete and left as it was (False).

    Raises:
        ValueError: if an argument is out of its range.
        FileExistsError: if the folder holds something else.
    """
    if num_workers < 0:
        raise ValueError(f'num_workers must be >= 0, got {num_workers}')
    plans = plan_clips(subset, num_clips, seed, silent_share)
    root = Path(root) / LAYOUTS[subset].root
    options = dict(
        generator=GENERATOR,
        version=GENERATOR_VERSION,
        subset=subset,
        seed=seed,
        num_clips=check_num_clips(num_clips),
        # it means nothing in S4, where every second sounds
        silent_share=silent_share if subset == 'ms3' else None,
    )
    if overwrite:
        remove_set(root)
    elif is_reusable(root, _all_files(plans), options):
        return root, False

    _write(root / UNDER_WAY, _json(options))
    scenes = [
        list(group)
        for _, group in itertools.groupby(
            plans, key=lambda plan: (plan.split, plan.scene_index)
        )
    ]
    entries = {}
    pool = ThreadPoolExecutor(num_workers) if num_workers > 1 else None
    try:
        results = (pool.map if pool else map)(
            lambda group: _write_scene(root, group), scenes
        )
        for result in results:
            entries.update(result)
            if progress is not None:
                progress(len(entries), len(plans))
    finally:
        if pool is not None:
            pool.shutdown(cancel_futures=True)
    _write_csv(root / LAYOUTS[subset].csv_name, plans)
    _write(root / _PAIRS, _json(find_sound_pairs(plans)))
    _write(root / _CLIPS, _json(entries))
    os.replace(root / UNDER_WAY, root / DONE)
    return root, True
