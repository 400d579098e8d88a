"""From a plan to frames, masks and waveform."""

from dataclasses import dataclass

import numpy as np

from .randomness import clip_rng
from .scene import draw_scene, visible_masks
from .soundtrack import gate, mix
from .species import CLASSES, SPECIES, class_name
from .timbres import SAMPLE_RATE_HZ, draw_voice, render_voice

__all__ = ['RenderedClip', 'render_clip', 'render_scene']


@dataclass(frozen=True)
class RenderedClip:
    """A clip in memory.

    Attributes:
        frames (np.ndarray): uint8 (T, H, W, 3), RGB.
        masks (np.ndarray): uint8 (T, H, W), 0 or 255; in semantic settings
            the index of the class in :data:`species.CLASSES`.
        waveform (np.ndarray): int16 (16000 T,), 16 kHz mono.
        centres (np.ndarray): float64 (num_objects, T, 2), x, y in pixels.
        radii (np.ndarray): float64 (num_objects, T), in pixels.
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
    return draw_scene(
        plan.species, plan.num_frames, plan.frame_size, _rng(plan, 'scene')
    )


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
    sources = plan.species + plan.off_screen
    # every object has its voice, heard or not, so that twins agree on them
    voices = [draw_voice(rng) for _ in sources]
    num_samples = plan.num_frames * SAMPLE_RATE_HZ
    heard = [i for i, active in enumerate(plan.sounding) if any(active)]
    waveform = mix(
        [
            render_voice(SPECIES[sources[i]].timbre, voices[i], num_samples)
            for i in heard
        ],
        [gate(plan.sounding[i]) for i in heard],
        num_samples,
        noise_seed,
    )
    semantic = plan.layout.semantic
    labels = [
        CLASSES.index(class_name(name)) if semantic else 255
        for name in plan.species
    ]
    visible = np.array(plan.sounding[: len(plan.species)])
    masks = visible_masks(scene.owner, visible, labels)
    return RenderedClip(
        scene.frames, masks, waveform, scene.centres, scene.radii
    )
