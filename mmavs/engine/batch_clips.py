"""What is known of the clips of a batch before the model sees it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor


def clip_samples(data_batch: Any) -> list:
    """Data samples of the clips of a batch; none where it has none."""
    if not isinstance(data_batch, Mapping):
        return []
    return list(data_batch.get('data_samples') or [])


def clip_names(data_batch: Any) -> list[str]:
    """Video ids of the clips of a batch."""
    return [
        str(sample.metainfo.get('video_id', '?'))
        for sample in clip_samples(data_batch)
    ]


def not_finite_inputs(data_batch: Any) -> dict[str, list[str]]:
    """Clips whose inputs hold NaN or infinity, and which of the inputs do.

    Args:
        data_batch: ``inputs``, a list of tensors or a dict of such lists,
            and ``data_samples``.
    """
    names = clip_names(data_batch)
    found: dict[str, list[str]] = {}
    if not names:
        return found
    for kind, tensors in _named_inputs(data_batch.get('inputs')):
        for name, tensor in zip(names, tensors, strict=False):
            if not _is_finite(tensor):
                found.setdefault(name, []).append(kind)
    return found


def _named_inputs(inputs: Any) -> Iterator[tuple[str, Sequence]]:
    if isinstance(inputs, Mapping):
        yield from inputs.items()
    elif isinstance(inputs, Sequence):
        yield 'inputs', inputs


def _is_finite(value: Any) -> bool:
    return (
        not isinstance(value, Tensor)
        or not value.is_floating_point()
        or bool(torch.isfinite(value).all())
    )
