"""The size at which a config's frames enter its network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mmavs.config_types import type_name


def frame_size(pipeline: Sequence[Mapping]) -> tuple[int, int] | None:
    """(H, W) that the test pipeline resizes every frame to.

    None where that depends on the frame: nothing resizes it, the ratio of
    its sides is kept, or something follows that may change the size.
    """
    size = None
    for step in _flat(pipeline):
        name = type_name(step)
        if name == 'Resize':
            scale = step.get('scale')
            is_fixed = isinstance(scale, (tuple, list)) and not step.get(
                'keep_ratio', False
            )
            size = (scale[1], scale[0]) if is_fixed else None
        elif 'Crop' in name or 'Pad' in name or 'Resize' in name:
            size = None
    return size


def _flat(pipeline: Sequence[Mapping]) -> list[Mapping]:
    steps: list[Mapping] = []
    for step in pipeline:
        steps += _flat(step['transforms']) if 'transforms' in step else [step]
    return steps
