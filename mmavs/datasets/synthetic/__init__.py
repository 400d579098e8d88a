"""A synthetic AVSBench in which one has to look and to listen.

Every clip shows two or three objects of different species of which only some
sound; which ones can only be told by ear. See :mod:`plan` for what is decided
about a clip and :mod:`writer` for what is written.
"""

from .benchmark import BENCHMARK_VERSION, benchmark_options
from .clip_files import clip_files
from .encodings import ENCODINGS, Encoding, choose_encoding
from .plan import ClipPlan, plan_clips
from .render import RenderedClip, render_clip
from .sound_pairs import find_sound_pairs
from .species import CLASSES, SPECIES, Species, class_name
from .subsets import (
    OFF_SCREEN_KINDS,
    SUBSETS,
    Subset,
    check_num_clips,
    divide_clips,
)
from .writer import write_synthetic_avsbench

__all__ = [
    'BENCHMARK_VERSION',
    'CLASSES',
    'ENCODINGS',
    'OFF_SCREEN_KINDS',
    'SPECIES',
    'SUBSETS',
    'ClipPlan',
    'Encoding',
    'RenderedClip',
    'Species',
    'Subset',
    'benchmark_options',
    'check_num_clips',
    'choose_encoding',
    'class_name',
    'clip_files',
    'divide_clips',
    'find_sound_pairs',
    'plan_clips',
    'render_clip',
    'write_synthetic_avsbench',
]
