"""A program of ``torch.export`` as an ONNX file."""

from __future__ import annotations

import importlib.util
import os
import re
import warnings
from collections.abc import Callable, Mapping

import torch
from torch import Tensor
from torch.export import ExportedProgram

from mmavs.export.clip_predictor import ClipPredictor
from mmavs.export.errors import ExportError

_PACKAGES = ('onnx', 'onnxruntime', 'onnxscript')


def missing_packages() -> list[str]:
    """Packages of the extra ``export`` that are not installed."""
    return [x for x in _PACKAGES if importlib.util.find_spec(x) is None]


def save_onnx(
    program: ExportedProgram,
    path: str | os.PathLike,
    metadata: Mapping[str, str],
) -> None:
    """Write a program, with its metadata, as one ONNX file.

    Inputs and outputs have the names of :class:`ClipPredictor`; sizes that
    are free are called B and T.

    Args:
        program: of :func:`export_program`.
        path: of the file, which is overwritten.
        metadata: goes to ``metadata_props``.

    Raises:
        ExportError: if an operator has no counterpart in ONNX, or the file
            would be larger than the 2 GiB that one ONNX file can have.
    """
    import onnx

    with warnings.catch_warnings():
        warnings.simplefilter('ignore')  # of torch, on its own code
        try:
            model = torch.onnx.export(
                program,
                (),
                dynamo=True,
                input_names=ClipPredictor.input_names,
                output_names=ClipPredictor.output_names,
                verbose=False,
            ).model_proto
        except Exception as error:
            raise ExportError(
                f'torch.onnx cannot write this model: {error}'
            ) from error
    _name_free_sizes(model.graph)
    onnx.helper.set_model_props(model, dict(metadata))
    try:
        onnx.save_model(model, os.fspath(path))
    except ValueError as error:  # of protobuf
        raise ExportError(
            f'{os.fspath(path)} would be larger than an ONNX file can be: '
            f'{error}'
        ) from error


def load_onnx(
    path: str | os.PathLike,
) -> tuple[Callable[..., tuple[Tensor, ...]], dict[str, str]]:
    """Read an ONNX file to run it on the CPU.

    Returns:
        A function of frames and log-mels, and the metadata.
    """
    import onnxruntime

    session = onnxruntime.InferenceSession(
        os.fspath(path), providers=['CPUExecutionProvider']
    )

    def predict(*inputs: Tensor) -> tuple[Tensor, ...]:
        names = (each.name for each in session.get_inputs())
        arrays = dict(zip(ClipPredictor.input_names, inputs, strict=True))
        outputs = session.run(
            list(ClipPredictor.output_names),
            {name: arrays[name].cpu().numpy() for name in names},
        )
        return tuple(map(torch.from_numpy, outputs))

    return predict, session.get_modelmeta().custom_metadata_map


def _name_free_sizes(graph) -> None:
    """Call the free sizes B and T; torch has numbered them."""
    (frames,) = (x for x in graph.input if x.name == 'frames')
    sizes = frames.type.tensor_type.shape.dim[:2]
    names = {
        size.dim_param: name
        for size, name in zip(sizes, 'BT', strict=True)
        if size.dim_param
    }
    for value in (*graph.input, *graph.output, *graph.value_info):
        for size in value.type.tensor_type.shape.dim:
            if size.dim_param:
                size.dim_param = re.sub(
                    r'\w+',
                    lambda word: names.get(word[0], word[0]),
                    size.dim_param,
                )
