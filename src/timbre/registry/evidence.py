"""What a model version can show for itself: its file, the contract in it, and the report beside it."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from timbre.contract import ModelContract
from timbre.errors import TimbreError
from timbre.inference import OnnxEngine

MODEL_FILE = "model.onnx"
REPORT_FILE = "report/report.json"
CONFIG_FILE = "config.yaml"
LINEAGE_FILE = "lineage.json"


class EvidenceError(TimbreError):
    """A file beside the model is there and cannot be read."""


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """A model file and what lies beside it.

    Attributes:
        onnx_sha256: of the file's bytes.
        contract: as the file carries it.
        report: what is in report.json, or None without one.
        config_sha256: of config.yaml, or None without one.
    """

    onnx_sha256: str
    contract: ModelContract
    report: dict[str, Any] | None
    config_sha256: str | None


def read_evidence(folder: Path) -> Evidence:
    """Read a run folder or a downloaded version.

    Raises:
        NoModelError: if there is no model.onnx.
        ModelFileError: if that is no timbre model.
        EvidenceError: if the report is there and is no JSON object.
    """
    engine = OnnxEngine(folder / MODEL_FILE, threads=1)
    config = folder / CONFIG_FILE
    return Evidence(
        onnx_sha256=engine.sha256,
        contract=engine.contract,
        report=_read_report(folder / REPORT_FILE),
        config_sha256=file_sha256(config) if config.is_file() else None,
    )


def file_sha256(path: Path) -> str:
    """SHA-256 of a file's bytes, in hex."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def _read_report(path: Path) -> dict[str, Any] | None:
    if not path.is_file():
        return None
    try:
        report = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise EvidenceError(f"{path} is not readable as JSON: run `timbre evaluate` again") from error
    if not isinstance(report, dict):
        raise EvidenceError(f"{path} is not a report: run `timbre evaluate` again")
    return report
