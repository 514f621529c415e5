"""Trained classifier -> one model file, proved to answer the same."""

from timbre.export.checkpoint import Checkpoint, CheckpointError
from timbre.export.onnx_file import ExportError, ExportReport, export_onnx
from timbre.export.parity import Parity, ParityError, physics_clips

__all__ = [
    "Checkpoint",
    "CheckpointError",
    "ExportError",
    "ExportReport",
    "Parity",
    "ParityError",
    "export_onnx",
    "physics_clips",
]
