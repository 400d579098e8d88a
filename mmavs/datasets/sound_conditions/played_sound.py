"""The sound that each condition plays."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import partial

import numpy as np

from mmavs.datasets.sound_conditions.condition import Condition
from mmavs.functional.log_mel import (
    HOP_SAMPLES,
    PATCH_WINDOWS,
    SAMPLE_RATE_HZ,
    count_patches,
)
from mmavs.functional.sounds import (
    coloured_noise,
    draw_derangement,
    mix_at_snr,
    reorder_blocks,
    rotate_sound,
    silence,
)

Load = Callable[[str], np.ndarray]
Generator = np.random.Generator
PlayedSound = Callable[[dict, Condition, Load, Generator], np.ndarray]

NOISE_RMS = 0.1
"""float: level of noise in the place of a sound, 20 dB below full scale,
about as loud as speech."""


def condition_rng(seed: int, video_id: str, name: str) -> Generator:
    """The generator of one condition of one clip.

    The noise of a clip is the same one at every ratio.

    Args:
        seed: of the evaluation.
        video_id: the clip.
        name: name of the condition, without its parameter.
    """
    key = f'{seed}\0{video_id}\0{name}'.encode('utf-8', 'surrogateescape')
    digest = hashlib.blake2b(key, digest_size=16).digest()
    return np.random.default_rng(int.from_bytes(digest, 'little'))


def _paired_audio_path(results: dict, condition: Condition) -> str:
    """Path of the sound of the clip that the pairs file names."""
    paths = results.get('paired_audio_paths', {})
    relation = condition.relation
    if relation not in paths:
        raise ValueError(
            f'it has no {relation!r} pair, only {sorted(paths)}: give the '
            'dataset a pairs_file, a JSON file '
            f'{{video_id: {{"{relation}": video_id}}}}'
        )
    return paths[relation]


def _matched(
    results: dict, condition: Condition, load: Load, rng: Generator
) -> np.ndarray:
    """The clip's own sound."""
    return results['waveform']


def _paired(
    results: dict, condition: Condition, load: Load, rng: Generator
) -> np.ndarray:
    """The sound of another clip, as long as that is."""
    path = _paired_audio_path(results, condition)
    results['played_audio_path'] = path
    return load(path)


def _muted(
    results: dict, condition: Condition, load: Load, rng: Generator
) -> np.ndarray:
    """Zeros."""
    return silence(len(results['waveform']))


def _noise(
    results: dict,
    condition: Condition,
    load: Load,
    rng: Generator,
    colour: str,
) -> np.ndarray:
    """Noise in the place of the sound, or added to it at a ratio."""
    own = results['waveform']
    noise = coloured_noise(len(own), results['sample_rate_hz'], colour, rng)
    if condition.value is None:
        return np.float32(NOISE_RMS) * noise
    return mix_at_snr(own, noise, condition.value)


def _off_screen(
    results: dict, condition: Condition, load: Load, rng: Generator
) -> np.ndarray:
    """The clip's own sound and that of the swapped clip."""
    other = load(_paired_audio_path(results, condition))
    return mix_at_snr(results['waveform'], other, condition.value)


def _shifted(
    results: dict, condition: Condition, load: Load, rng: Generator
) -> np.ndarray:
    """The own sound later, or earlier; what leaves enters again."""
    shift = round(condition.value * results['sample_rate_hz'])
    return rotate_sound(results['waveform'], shift)


def _shuffled(
    results: dict, condition: Condition, load: Load, rng: Generator
) -> np.ndarray:
    """The sound of every frame at the place of another one."""
    own, rate_hz = results['waveform'], results['sample_rate_hz']
    block = HOP_SAMPLES * PATCH_WINDOWS * rate_hz // SAMPLE_RATE_HZ
    patches = count_patches(len(own) * SAMPLE_RATE_HZ // rate_hz)
    order = draw_derangement(min(patches, results['num_frames']), rng)
    return reorder_blocks(own, order, block)


SOUND_CONDITIONS: dict[str, PlayedSound] = dict(
    matched=_matched,
    twin=_paired,
    swapped=_paired,
    same_class=_paired,
    silence=_muted,
    white_noise=partial(_noise, colour='white'),
    pink_noise=partial(_noise, colour='pink'),
    off_screen=_off_screen,
    shift=_shifted,
    shuffle=_shuffled,
)
"""dict[str, PlayedSound]: name of a condition -> (results after LoadAudio,
condition, loader of a waveform, randomness) -> waveform."""
