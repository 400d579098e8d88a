"""From a plan to frames, masks and waveform."""

from dataclasses import dataclass

import numpy as np

from .plan import clip_rng
from .scene import draw_scene, visible_masks
from .soundtrack import NUM_SAMPLES, gate, mix
from .species import SPECIES
from .timbres import draw_voice, render_voice

__all__ = ['RenderedClip', 'render_clip', 'render_scene']


@dataclass(frozen=True)
class RenderedClip:
    """A clip in memory.

    Attributes:
        frames (np.ndarray): uint8 (5, 224, 224, 3), RGB.
        masks (np.ndarray): uint8 (5, 224, 224), 0 or 255.
        waveform (np.ndarray): int16 (80000,), 16 kHz mono.
        centres (np.ndarray): float64 (num_objects, 5, 2), x, y in pixels.
        radii (np.ndarray): float64 (num_objects, 5), in pixels.
    """

    frames: np.ndarray
    masks: np.ndarray
    waveform: np.ndarray
    centres: np.ndarray
    radii: np.ndarray


def _rng(plan, stream):
    return clip_rng(
        plan.seed, plan.subset, plan.split, plan.scene_index, stream
    )


def render_scene(plan):
    """Draw what a clip shows, which does not depend on what sounds.

    Args:
        plan (ClipPlan): the clip.

    Returns:
        Scene: the same for twins.
    """
    return draw_scene(plan.species, _rng(plan, 'scene'))


def render_clip(plan, scene=None):
    """Render a clip.

    Args:
        plan (ClipPlan): the clip.
        scene (Scene | None): its scene where that is drawn already.

    Returns:
        RenderedClip: a pure function of the plan.
    """
    scene = render_scene(plan) if scene is None else scene
    rng = _rng(plan, 'voices')
    noise_seed = int(rng.integers(1 << 32))
    # every object has its voice, heard or not, so that twins agree on them
    voices = [draw_voice(rng) for _ in plan.species]
    heard = [i for i, active in enumerate(plan.sounding) if any(active)]
    waveform = mix(
        [
            render_voice(
                SPECIES[plan.species[i]].timbre, voices[i], NUM_SAMPLES
            )
            for i in heard
        ],
        [gate(plan.sounding[i]) for i in heard],
        noise_seed,
    )
    masks = visible_masks(scene.owner, np.array(plan.sounding))
    return RenderedClip(
        scene.frames, masks, waveform, scene.centres, scene.radii
    )
