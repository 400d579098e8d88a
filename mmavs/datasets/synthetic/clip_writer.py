"""Write the files of the clips that share a scene."""

import dataclasses
from pathlib import PurePosixPath

from mmavs.datasets.log_mel_files import save_published_pickle
from mmavs.functional.log_mel import vggish_log_mel

from .clip_files import clip_files
from .encodings import Encoding, choose_encoding
from .image_files import (
    encode_binary_mask,
    encode_frame,
    encode_rgb_mask,
    encode_semantic_mask,
)
from .render import render_clip, render_scene
from .species import CLASSES, class_name
from .wav_file import encode_wav

__all__ = ['write_file', 'write_scene']


def write_file(path, content):
    """Write a file and the folders it is in.

    Args:
        path (Path): where to.
        content (bytes): what to write.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def _write_masks(root, files, masks, encoding):
    """Write the masks of a clip, binary or semantic as its files say."""
    is_semantic = 'seg_map_rgb_path' in files
    for i, path in files['seg_map_path'].items():
        if is_semantic:
            content = encode_semantic_mask(masks[i], len(CLASSES), encoding)
        else:
            content = encode_binary_mask(masks[i], encoding)
        write_file(root / path, content)
    for i, path in files.get('seg_map_rgb_path', {}).items():
        content = encode_rgb_mask(masks[i], len(CLASSES), encoding)
        write_file(root / path, content)


def _write_audio(root, files, waveform, encoding):
    """Write the wav file of a clip and, where it has one, its log-mel."""
    write_file(root / files['audio_path'][0], encode_wav(waveform, encoding))
    for path in files.get('log_mel_path', {}).values():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        log_mel = vggish_log_mel(waveform / 32768.0)
        save_published_pickle(root / path, log_mel[:, None])


def _clip_entry(plan, clip, encoding):
    """What ``clips.json`` says about a clip."""
    in_semantic = plan.layout.semantic
    names = class_name if in_semantic else str
    entry = dict(
        split=plan.split,
        objects=[
            dict(species=names(name), centres=centres, radii=radii)
            for name, centres, radii in zip(
                plan.species,
                clip.centres.round(2).tolist(),
                clip.radii.round(2).tolist(),
                strict=True,
            )
        ],
        sounding=[
            [names(name) for name in second]
            for second in plan.sounding_species()
        ],
    )
    if in_semantic:
        entry.update(subset=plan.subset, frame_size=plan.frame_size)
    if in_semantic or plan.off_screen:
        entry.update(
            off_screen=[
                [names(name) for name in second]
                for second in plan.sounding_off_screen()
            ],
        )
    if encoding != Encoding():
        entry.update(encoding=dataclasses.asdict(encoding))
    return entry


def write_scene(root, plans, encodings, log_mel):
    """Write the clips that share a scene.

    Args:
        root (Path): folder of the setting.
        plans (list[ClipPlan]): one train clip or two twins.
        encodings (str): see :func:`encodings.choose_encoding`.
        log_mel (bool): whether to write log-mel features.

    Returns:
        dict[str, dict]: video id -> its entry in ``clips.json``.
    """
    scene = render_scene(plans[0])
    suffix = PurePosixPath(plans[0].layout.patterns['img_path']).suffix
    frames = [encode_frame(frame, suffix) for frame in scene.frames]
    entries = {}
    for plan in plans:
        clip, files = render_clip(plan, scene), clip_files(plan, log_mel)
        encoding = choose_encoding(plan, encodings)
        for i, path in files['img_path'].items():
            write_file(root / path, frames[i])
        _write_masks(root, files, clip.masks, encoding)
        _write_audio(root, files, clip.waveform, encoding)
        entries[plan.video_id] = _clip_entry(plan, clip, encoding)
    return entries
