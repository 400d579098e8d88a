"""A synthetic AVSBench-object in which one has to look and to listen.

Every clip shows two or three objects of different species of which only some
sound; which ones can only be told by ear. See :mod:`plan` for what is decided
about a clip and :mod:`writer` for what is written.
"""

from .layout import LAYOUTS
from .plan import ClipPlan, check_num_clips, plan_clips
from .render import RenderedClip, render_clip
from .sound_pairs import find_sound_pairs
from .species import SPECIES, Species
from .writer import clip_files, write_synthetic_avsbench

__all__ = [
    'LAYOUTS',
    'SPECIES',
    'ClipPlan',
    'RenderedClip',
    'Species',
    'check_num_clips',
    'clip_files',
    'find_sound_pairs',
    'plan_clips',
    'render_clip',
    'write_synthetic_avsbench',
]
