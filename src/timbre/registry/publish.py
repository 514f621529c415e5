"""From a run folder to a version of the registered model."""

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from timbre.errors import NoModelError
from timbre.registry.artifacts import IntegrityError
from timbre.registry.evidence import MODEL_FILE, Evidence, file_sha256, read_evidence
from timbre.registry.lifecycle import happened
from timbre.registry.mlflow_door import already_exists
from timbre.registry.package import package_name, version_tags, write_package
from timbre.registry.tracking import Tracking
from timbre.registry.versions import Version, choose, read_versions

if TYPE_CHECKING:
    from mlflow import MlflowClient


def publish(tracking: Tracking, name: str, run_dir: Path) -> tuple[Version, bool]:
    """Register a run's model with its report and lineage, unless this very package already is a version.

    The version is created last, when its files are in the artifact store: a version is whole or not there.

    Returns:
        The version, and whether it is new.
    """
    if not (run_dir / MODEL_FILE).is_file():
        raise NoModelError(f"there is no {MODEL_FILE} in {run_dir}: run timbre export first")
    evidence = read_evidence(run_dir)
    tags = version_tags(run_dir, evidence)
    place = f"registered/{package_name(tags)}"
    tracking.prepare()
    with tracking.lock("registration"), tracking.client() as client:
        for version in read_versions(client, name):
            if version.source.endswith(place):
                return version, False
        run_id = _run_of(tracking, evidence)
        with tempfile.TemporaryDirectory(prefix="timbre-") as folder:
            package = Path(folder) / "model"
            write_package(run_dir, evidence, package)
            tracking.log_files(run_id, package, under=place)
            kept = client.download_artifacts(run_id, f"{place}/{MODEL_FILE}", folder)
            if file_sha256(Path(kept)) != evidence.onnx_sha256:
                raise IntegrityError(
                    f"the artifact store did not keep {run_dir / MODEL_FILE} as it was: nothing registered"
                )
        number = _create(client, name, run_id, place, tags)
        return choose(read_versions(client, name), name, number), True


def _run_of(tracking: Tracking, evidence: Evidence) -> str:
    """The run that trained the model, or a new one if it was trained under another tracking address."""
    contract = evidence.contract
    run_id = contract.lineage.get("mlflow_run_id")
    if isinstance(run_id, str) and tracking.has_run(run_id):
        return run_id
    return tracking.create_run(name=contract.version, tags={"trained_elsewhere": "true"})


def _create(client: "MlflowClient", name: str, run_id: str, place: str, tags: dict[str, str]) -> str:
    from mlflow.exceptions import MlflowException

    try:
        client.create_registered_model(name, description="Music genre classifier: a waveform in, probabilities out.")
    except MlflowException as error:
        if not already_exists(error):
            raise
    source = f"runs:/{run_id}/{place}"
    version = client.create_model_version(name, source, run_id=run_id, tags=tags | {"events": happened("registered")})
    return str(version.version)
