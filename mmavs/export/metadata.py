"""What an exported model says of itself."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from mmavs.functional.log_mel import (
    HOP_SAMPLES,
    MIN_SAMPLES,
    PATCH_WINDOWS,
    SAMPLE_RATE_HZ,
)
from mmavs.version import __version__


def describe_export(
    predictor: Any,
    *,
    config_name: str,
    classes: Sequence[str],
    num_frames: int,
    size: tuple[int, int],
) -> dict[str, str]:
    """Metadata of an exported model: texts as they are, the rest as JSON.

    Args:
        predictor: what is exported.
        config_name: of the config it was built of.
        classes: their names, the background first.
        num_frames: T of the clips that it was made for.
        size: (H, W) of its frames.

    Returns:
        ``mmavs_version``, ``config``, ``classes``, ``threshold`` of the
        probability where there is one channel, ``num_frames``, ``size``,
        ``mean`` and ``std`` of the normalisation, which is inside the model,
        ``sample_rate_hz``, ``patch_samples`` (how many samples a log-mel
        patch reads) and ``patch_hop_samples`` (from one to the next).
    """
    values = dict(
        classes=list(classes),
        threshold=predictor.model.decode_head.threshold,
        num_frames=num_frames,
        size=list(size),
        mean=predictor.mean.flatten().tolist(),
        std=predictor.std.flatten().tolist(),
        sample_rate_hz=SAMPLE_RATE_HZ,
        patch_samples=MIN_SAMPLES,
        patch_hop_samples=PATCH_WINDOWS * HOP_SAMPLES,
    )
    return dict(
        mmavs_version=__version__,
        config=config_name,
        **{name: json.dumps(value) for name, value in values.items()},
    )
