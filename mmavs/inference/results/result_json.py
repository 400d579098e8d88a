"""What result.json says."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np

from mmavs.inference.predictions import FramePrediction
from mmavs.inference.recordings import Recording
from mmavs.inference.results.result_folder import real_path


def frame_row(
    prediction: FramePrediction,
    start_s: float,
    end_s: float,
    path: str,
    classes: Sequence[str],
) -> dict:
    """What result.json says of a frame.

    Args:
        prediction: the frame.
        start_s: from when on it is shown.
        end_s: up to when.
        path: that of its mask, in the folder.
        classes: names of the classes; the shares of each are told where
            there are more than two.
    """
    mask, uncertainty = prediction.mask, prediction.uncertainty
    row = dict(
        index=prediction.index,
        time_s=_rounded(prediction.time_s),
        start_s=_rounded(start_s),
        end_s=_rounded(end_s),
        sound_s=[_rounded(start_s) for start_s in prediction.heard],
        mask=path,
        area_share=_rounded((mask > 0).mean()),
        uncertainty=(
            None if uncertainty is None else _rounded(uncertainty.mean())
        ),
    )
    if len(classes) > 2:
        shares = np.bincount(mask.ravel(), minlength=len(classes)) / mask.size
        row['class_shares'] = {
            classes[c]: _rounded(shares[c])
            for c in shares[1:].nonzero()[0] + 1
        }
    return row


def input_facts(recording: Recording) -> dict:
    """What result.json says of the input."""
    height, width = recording.size
    ratio = recording.sample_aspect_ratio
    duration_s = recording.duration_s
    return dict(
        name=recording.name,
        source=recording.source,
        path=real_path(recording.source),
        height=height,
        width=width,
        sample_aspect_ratio=f'{ratio.numerator}:{ratio.denominator}',
        duration_s=None if duration_s is None else _rounded(duration_s),
    )


def summary_of(rows: Sequence[dict]) -> dict:
    """What result.json says of all frames."""

    def mean(key: str) -> float | None:
        values = [row[key] for row in rows]
        return None if values[0] is None else _rounded(np.mean(values))

    return dict(
        num_frames=len(rows),
        duration_s=rows[-1]['end_s'],
        area_share=mean('area_share'),
        uncertainty=mean('uncertainty'),
    )


def encode_result(result: dict) -> bytes:
    """Strict JSON in UTF-8, ``frames``, the last key, one a line."""

    def encode(value: Any, indent: int | None = None) -> str:
        return json.dumps(
            value, ensure_ascii=False, allow_nan=False, indent=indent
        )

    head = encode({**result, 'frames': []}, indent=2).removesuffix('[]\n}')
    rows = ',\n'.join(f'    {encode(row)}' for row in result['frames'])
    # A name that is no UTF-8 has surrogates, which JSON escapes likewise.
    return f'{head}[\n{rows}\n  ]\n}}\n'.encode('utf-8', 'backslashreplace')


def _rounded(value: float) -> float:
    """Of a number what can be meant; NumPy's are no numbers to JSON."""
    return round(float(value), 6)
