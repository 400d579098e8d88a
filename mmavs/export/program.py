"""A predictor as a program of ``torch.export``."""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Callable, Mapping

import torch
import torch.fx.experimental._config as symbolic_shapes
from torch import Tensor
from torch.export import Dim, ExportedProgram

from mmavs.export.clip_predictor import ClipPredictor
from mmavs.export.errors import ExportError
from mmavs.models.data_preprocessor import LOG_MEL_SHAPE

# Where a size is free: what it is while the program is recorded.
_EXAMPLE = dict(B=2, T=5)
_METADATA_FILE = 'mmavs.json'


def export_program(
    predictor: ClipPredictor,
    size: tuple[int, int],
    num_frames: int | None = None,
    batch_size: int | None = None,
) -> ExportedProgram:
    """Record a predictor for frames of one size.

    Nothing is computed, and no example is needed.

    Args:
        predictor: what is recorded.
        size: (H, W) of the frames.
        num_frames: T; None leaves it free.
        batch_size: B; None leaves it free. Where B or T is free, a single
            frame (B = T = 1) is refused by the program, if not by an ONNX
            file made of it.

    Raises:
        ExportError: if the model has a part that cannot be recorded.
    """
    given = dict(B=batch_size, T=num_frames)
    sizes = tuple(given[name] or _EXAMPLE[name] for name in 'BT')
    free = {
        dim: Dim(name, min=1)
        for dim, name in enumerate('BT')
        if given[name] is None
    }
    inputs = (
        torch.zeros(
            (*sizes, 3, *size), dtype=torch.uint8, device=predictor.device
        ),
        torch.zeros((*sizes, *LOG_MEL_SHAPE), device=predictor.device),
    )
    with (
        torch.no_grad(),
        warnings.catch_warnings(),
        # Else 1 is a case of its own: a program of two clips refuses one.
        symbolic_shapes.patch(backed_size_oblivious=True),
    ):
        warnings.simplefilter('ignore')  # of torch, on its own code
        try:
            return torch.export.export(
                predictor, inputs, dynamic_shapes=(free, free)
            )
        except Exception as error:
            raise ExportError(
                'torch.export cannot record this model at '
                f'{size[0]} x {size[1]}: {error}'
            ) from error


def save_program(
    program: ExportedProgram,
    path: str | os.PathLike,
    metadata: Mapping[str, str],
) -> None:
    """Write a program, with its metadata, as a ``.pt2`` file."""
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        torch.export.save(
            program,
            os.fspath(path),
            extra_files={_METADATA_FILE: json.dumps(dict(metadata))},
        )


def load_program(
    path: str | os.PathLike,
) -> tuple[Callable[..., tuple[Tensor, ...]], dict[str, str]]:
    """Read a file of :func:`save_program`.

    Returns:
        A function of frames and log-mels, and the metadata.
    """
    extra = {_METADATA_FILE: ''}
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        program = torch.export.load(os.fspath(path), extra_files=extra)
        return program.module(), json.loads(extra[_METADATA_FILE])
