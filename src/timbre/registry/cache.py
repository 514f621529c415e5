"""Fetched model files: filled whole or not at all, and never copied twice."""

import os
import shutil
from pathlib import Path

from timbre.registry.artifacts import download_model, registered_sha256, require_bytes
from timbre.registry.evidence import MODEL_FILE, file_sha256
from timbre.registry.tracking import Tracking
from timbre.registry.versions import Version


def fetch_once(tracking: Tracking, version: Version, folder: Path) -> Path:
    """The path of `folder/model.onnx`, downloaded only if it is not there with the registered bytes.

    Raises:
        IntegrityError: if the artifact store has other bytes, or the version no sha256; nothing is left behind.
        TrackingError: if the artifact store does not have the file.
    """
    path = folder / MODEL_FILE
    expected = registered_sha256(version)
    if path.is_file() and file_sha256(path) == expected:
        return path
    partial = folder / f".partial-{os.getpid()}"
    partial.mkdir(parents=True, exist_ok=True)
    try:
        came = download_model(tracking, version, partial)
        require_bytes(came, version)
        came.replace(path)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return path
