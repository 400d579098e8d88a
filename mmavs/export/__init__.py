"""A trained model as a file that needs neither mmavs nor, as ONNX, torch."""

from mmavs.export.agreement import check_agreement
from mmavs.export.clip_predictor import ClipPredictor
from mmavs.export.complete_file import complete_file
from mmavs.export.errors import ExportError
from mmavs.export.frame_size import frame_size
from mmavs.export.metadata import describe_export
from mmavs.export.onnx_file import load_onnx, missing_packages, save_onnx
from mmavs.export.program import (
    export_program,
    load_program,
    save_program,
)

__all__ = [
    'ClipPredictor',
    'ExportError',
    'check_agreement',
    'complete_file',
    'describe_export',
    'export_program',
    'frame_size',
    'load_onnx',
    'load_program',
    'missing_packages',
    'save_onnx',
    'save_program',
]
