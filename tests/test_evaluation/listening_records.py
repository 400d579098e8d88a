"""Records of clips for the tests of listening."""

from __future__ import annotations

import numpy as np

from mmavs.evaluation.listening import ClipListening


def make_record(video_id: str, rng, num_frames: int = 5, **given):
    """A record with random numbers; ``given`` replaces some."""
    non_empty = rng.random(num_frames) < 0.8
    values = dict(
        iou=rng.random(num_frames),
        f_curve=(rng.random((num_frames, 255)) * non_empty[:, None]).astype(
            np.float32
        ),
        non_empty=non_empty,
        foreground_share=rng.random(num_frames) / 20,
        truth_share=non_empty * rng.random(num_frames) / 10,
        active=rng.random(num_frames) < 0.5,
        false_share=rng.random(num_frames) / 20,
    )
    return ClipListening(video_id, **{**values, **given})
