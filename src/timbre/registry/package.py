"""Makes a run folder into an MLflow model: loadable by `mlflow.onnx` and `mlflow.pyfunc`, with our bytes untouched."""

import hashlib
import json
import shutil
from importlib.metadata import version as installed
from pathlib import Path

from timbre.registry.evidence import (
    CONFIG_FILE,
    LINEAGE_FILE,
    MODEL_FILE,
    REPORT_FILE,
    Evidence,
    file_sha256,
)
from timbre.registry.mlflow_door import quieten
from timbre.registry.versions import METRIC

KNOWN = ("git_sha", "data_manifest_sha256", "config_sha256")


def write_package(run_dir: Path, evidence: Evidence, target: Path) -> None:
    """Write the folder that becomes a version's artifacts.

    MLflow writes an ONNX model anew, which may change its bytes and with them its sha256; so what MLflow wrote is
    replaced by the file itself.
    """
    quieten()
    import mlflow.onnx
    import onnx

    requirements = [f"{name}=={installed(name)}" for name in ("onnx", "onnxruntime", "numpy")]
    mlflow.onnx.save_model(
        onnx.load(run_dir / MODEL_FILE),
        str(target),
        signature=_signature(evidence),
        pip_requirements=requirements,
        onnx_execution_providers=["CPUExecutionProvider"],
        save_as_external_data=False,
        metadata={"timbre": json.loads(evidence.contract.to_json()), "onnx_sha256": evidence.onnx_sha256},
    )
    shutil.copyfile(run_dir / MODEL_FILE, target / MODEL_FILE)
    for name in (CONFIG_FILE, LINEAGE_FILE):
        if (run_dir / name).is_file():
            shutil.copyfile(run_dir / name, target / name)
    if evidence.report is not None:
        shutil.copytree((run_dir / REPORT_FILE).parent, (target / REPORT_FILE).parent)


def version_tags(run_dir: Path, evidence: Evidence) -> dict[str, str]:
    """The facts every version carries; metrics only from a report of this very file."""
    lineage = evidence.contract.lineage
    tags = {
        "stage": "None",
        "onnx_sha256": evidence.onnx_sha256,
        "trained_as": evidence.contract.version,
        "labels": json.dumps(evidence.contract.labels),
        **{key: str(lineage.get(key) or "unknown") for key in KNOWN},
        "git_dirty": str(lineage.get("git_dirty", "unknown")),
    }
    report = evidence.report
    if report is not None:
        tags["report_sha256"] = file_sha256(run_dir / REPORT_FILE)
        if report.get("model_sha256") == evidence.onnx_sha256:
            tags["report_split"] = str(report.get("split"))
            tags |= {METRIC + name: json.dumps(estimate) for name, estimate in dict(report.get("metrics", {})).items()}
    return tags


def package_name(tags: dict[str, str]) -> str:
    """A name that changes with the package's content, so that one registration never writes over another's files."""
    text = json.dumps({key: tags.get(key) for key in ("onnx_sha256", "report_sha256", "config_sha256")})
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _signature(evidence: Evidence):  # type: ignore[no-untyped-def]
    import numpy as np
    from mlflow.models import ModelSignature
    from mlflow.types import Schema, TensorSpec

    contract, single = evidence.contract, np.dtype(np.float32)
    return ModelSignature(
        inputs=Schema([TensorSpec(single, (-1, contract.clip_samples), "waveform")]),
        outputs=Schema(
            [
                TensorSpec(single, (-1, len(contract.labels)), "probabilities"),
                TensorSpec(single, (-1, -1), "embedding"),
            ]
        ),
    )
