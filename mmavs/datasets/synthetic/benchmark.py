"""The sets that published scores are of: fixed size, options and seed."""

from typing import Any

from mmavs.datasets.layout import SPLITS

__all__ = ['BENCHMARK_VERSION', 'benchmark_options']

BENCHMARK_VERSION = '1.0'
"""str: raised whenever a set changes; scores compare within one only."""

_SEED = 2026
_NUM_CLIPS = dict(zip(SPLITS, (800, 40, 120), strict=True))
# Vision alone cannot tell what sounds, in MS3 not even whether anything does.
_OPTIONS: dict[str, dict[str, Any]] = dict(
    s4=dict(off_screen='also'),
    ms3=dict(off_screen='only', silent_share=0.15),
)


def benchmark_options(subset):
    """What :func:`writer.write_synthetic_avsbench` is given for a set.

    Args:
        subset (str): ``s4`` or ``ms3``.

    Returns:
        dict: its arguments by name, without the folder.

    Raises:
        ValueError: if the benchmark has no such set.
    """
    if subset not in _OPTIONS:
        raise ValueError(
            f'the benchmark has the sets {tuple(_OPTIONS)}, got {subset!r}'
        )
    return dict(
        subset=subset,
        num_clips=dict(_NUM_CLIPS),
        seed=_SEED,
        benchmark=BENCHMARK_VERSION,
        **_OPTIONS[subset],
    )
