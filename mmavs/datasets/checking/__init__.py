"""Whether a folder holds a complete AVSBench that loads."""

from .check import check_avsbench
from .problem import ERROR, KINDS, WARNING, Kind, Problem
from .report import Report
from .screen import render
from .split_counts import SplitCounts

__all__ = [
    'ERROR',
    'KINDS',
    'WARNING',
    'Kind',
    'Problem',
    'Report',
    'SplitCounts',
    'check_avsbench',
    'render',
]
